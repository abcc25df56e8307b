package servicebus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azservicebus"
	"github.com/Azure/go-amqp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// callTimeout bounds the calls that open, send to and close an entity.
const callTimeout = 10 * time.Second

// retries bounds how long the client reconnects within one call. The queue engine has
// the patience for longer outages.
var retries = azservicebus.RetryOptions{MaxRetries: 3, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: time.Second}

// address is the content of a URL.
type address struct {
	entity       string // a queue or a topic
	subscription string // of the topic
}

func parseAddress(raw string) (address, error) {
	u, query, err := queue.ParseURL(raw, "subscription", "listener_timeout", "max_recv_batch_size")
	if err != nil {
		return address{}, err
	}
	a := address{path.Join(u.Host, u.Path), query.Get("subscription")}
	if u.Scheme != Scheme || u.Host == "" {
		return address{}, fmt.Errorf("it must have the form %s://TOPIC?subscription=NAME or %s://QUEUE", Scheme, Scheme)
	}
	return a, nil
}

func (a address) String() string {
	if a.subscription != "" {
		return fmt.Sprintf("subscription %s of topic %s", a.subscription, a.entity)
	}
	return "queue or topic " + a.entity
}

// connect returns a client, which connects when it is used.
func (d Driver) connect() (*azservicebus.Client, error) {
	options := d.Options
	options.RetryOptions = retries
	if secret := os.Getenv("SERVICEBUS_CONNECTION_STRING"); secret != "" {
		client, err := azservicebus.NewClientFromConnectionString(secret, &options)
		if err != nil {
			// The error of the client may quote the string, which has a key.
			return nil, errors.New("SERVICEBUS_CONNECTION_STRING is not valid: it must have the form Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=NAME;SharedAccessKey=KEY")
		}
		return client, nil
	}
	host := os.Getenv("AZURE_SERVICEBUS_HOSTNAME")
	if host == "" {
		return nil, errors.New("no namespace: set SERVICEBUS_CONNECTION_STRING, or AZURE_SERVICEBUS_HOSTNAME to use Azure's default credentials")
	}
	credential, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	client, err := azservicebus.NewClient(host, credential, &options)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	return client, nil
}

// OpenQueue opens a queue or a subscription.
func (d Driver) OpenQueue(ctx context.Context, url string, _ int) (queue.Queue, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	client, err := d.connect()
	if err != nil {
		return nil, pipeline.Permanent(err) // it makes no call
	}
	r := &receiver{client: client, name: a.String()}
	if a.subscription != "" {
		r.Receiver, err = client.NewReceiverForSubscription(a.entity, a.subscription, nil)
	} else {
		r.Receiver, err = client.NewReceiverForQueue(a.entity, nil)
	}
	if err != nil {
		end(client)
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// It makes the client connect, and finds no message there.
	if _, err := r.PeekMessages(ctx, 1, &azservicebus.PeekMessagesOptions{FromSequenceNumber: new(int64(math.MaxInt64))}); err != nil {
		end(client)
		return nil, explain(a, err)
	}
	return r, nil
}

// OpenTopic opens a queue or a topic to send to.
func (d Driver) OpenTopic(ctx context.Context, url string) (queue.Topic, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	a.subscription = "" // messages are sent to its topic
	client, err := d.connect()
	if err != nil {
		return nil, pipeline.Permanent(err) // it makes no call
	}
	s, err := client.NewSender(a.entity, nil)
	if err != nil {
		end(client)
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	// It makes the client connect, and sends nothing.
	if _, err := s.NewMessageBatch(ctx, nil); err != nil {
		end(client)
		return nil, explain(a, err)
	}
	return &topic{client, s}, nil
}

// end closes a client with its links and its connection. It ignores errors: the server
// has already confirmed all sent and settled messages.
func end(client *azservicebus.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), callTimeout)
	defer cancel()
	client.Close(ctx)
}

// explain says what to do about an entity that cannot be opened.
func explain(a address, err error) error {
	var fault *amqp.Error
	switch {
	case errors.As(err, &fault) && fault.Condition == amqp.ErrCondNotFound, hasCode(err, azservicebus.CodeNotFound):
		return fmt.Errorf("there is no %s in the namespace: create it: %w", a, err)
	case hasCode(err, azservicebus.CodeUnauthorizedAccess):
		return fmt.Errorf("no access to %s: give the credentials the right to listen or to send: %w", a, err)
	default:
		return fmt.Errorf("open %s: %w", a, err)
	}
}

func hasCode(err error, code azservicebus.Code) bool {
	var fault *azservicebus.Error
	return errors.As(err, &fault) && fault.Code == code
}
