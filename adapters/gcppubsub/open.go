package gcppubsub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	pubsub "cloud.google.com/go/pubsub/v2/apiv1"
	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	callTimeout = 10 * time.Second
	// leastRetention is long enough to notice and to end an outage.
	leastRetention = 24 * time.Hour
	// newDeadline is the ack deadline of a new subscription: the time after which
	// the messages of a crashed worker go to others.
	newDeadline = time.Minute
	// longest is the longest ack deadline of Pub/Sub, and so the longest delay of a
	// nack.
	longest = 10 * time.Minute
)

// address is the content of a URL.
type address struct {
	project, kind, id string
	name              string // full resource name
	topic             string // full resource name; of a new subscription
	create            bool
}

var form = regexp.MustCompile(`^/([^/]+)/(subscriptions|topics)/([^/]+)$`)

func parseAddress(raw string) (address, error) {
	u, query, err := queue.ParseURL(raw, "create", "topic")
	if err != nil {
		return address{}, err
	}
	parts := form.FindStringSubmatch(u.Path)
	if u.Scheme != Scheme || u.Host != "projects" || parts == nil {
		return address{}, fmt.Errorf("it must have the form %s://projects/PROJECT/subscriptions/NAME or …/topics/NAME", Scheme)
	}
	a := address{project: parts[1], kind: parts[2], id: parts[3], name: "projects" + u.Path}
	if t := query.Get("topic"); t != "" {
		a.topic = "projects/" + a.project + "/topics/" + t
	}
	if a.create, err = queue.Flag(query, "create"); err != nil {
		return address{}, err
	}
	if strings.ContainsAny(os.Getenv("PUBSUB_EMULATOR_HOST"), "@/?#") { // Google's client quotes it in its errors
		return address{}, errors.New("PUBSUB_EMULATOR_HOST is not HOST:PORT")
	}
	if a.kind == "subscriptions" && a.create && a.topic == "" {
		return address{}, errors.New("parameter create needs topic=NAME, the topic that the new subscription is for")
	}
	return a, nil
}

// OpenQueue opens a subscription.
func (d Driver) OpenQueue(ctx context.Context, url string, _ int) (_ queue.Queue, err error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if a.kind != "subscriptions" {
		return nil, pipeline.Permanent(fmt.Errorf("messages are received from a subscription, %s://projects/%s/subscriptions/NAME", Scheme, a.project))
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	client, err := pubsub.NewSubscriptionAdminClient(ctx, d.Options...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer func() {
		if err != nil {
			client.Close()
		}
	}()
	found, err := client.GetSubscription(ctx, &pubsubpb.GetSubscriptionRequest{Subscription: a.name})
	switch missing := status.Code(err) == codes.NotFound; {
	case missing && a.create:
		if found, err = d.create(ctx, client, a); err != nil {
			return nil, err
		}
	case missing:
		return nil, fmt.Errorf("there is no subscription %s: make it (gcloud pubsub subscriptions create %s --topic=TOPIC --ack-deadline=60 --dead-letter-topic=FAILED), or add create=true&topic=TOPIC to the URL: %w",
			a.name, a.id, err)
	case err != nil:
		return nil, fmt.Errorf("look up subscription %s: %w", a.name, err)
	}
	if found.DeadLetterPolicy == nil {
		queue.Logger(d.Log).Warn("subscription has no dead-letter policy: a message that always fails is redelivered without limit; add a policy", "subscription", a.name)
	}
	if kept := found.MessageRetentionDuration.AsDuration(); kept > 0 && kept < leastRetention {
		queue.Logger(d.Log).Warn("subscription deletes messages after less than a day, also those that are not handled; keep them for longer than any outage", "subscription", a.name, "retention", kept)
	}
	return &subscription{
		client: client, name: a.name, nacks: make(map[string]int),
		deadline: time.Duration(found.AckDeadlineSeconds) * time.Second, limit: deliveryLimit(found.DeadLetterPolicy),
	}, nil
}

// deliveryLimit returns after how many deliveries a policy gives up a message; 0: never.
func deliveryLimit(p *pubsubpb.DeadLetterPolicy) int {
	if p == nil {
		return 0
	}
	return cmp.Or(int(p.MaxDeliveryAttempts), 5) // Google's default
}

func (d Driver) create(ctx context.Context, client *pubsub.SubscriptionAdminClient, a address) (*pubsubpb.Subscription, error) {
	topics, err := pubsub.NewTopicAdminClient(ctx, d.Options...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	defer topics.Close()
	if err := d.createTopic(ctx, topics, a.topic); err != nil {
		return nil, err
	}
	made, err := client.CreateSubscription(ctx, &pubsubpb.Subscription{
		Name: a.name, Topic: a.topic, AckDeadlineSeconds: int32(newDeadline / time.Second),
	})
	if err == nil {
		queue.Created(queue.Logger(d.Log), "subscription", a.name)
	}
	if status.Code(err) == codes.AlreadyExists { // another worker was faster
		made, err = client.GetSubscription(ctx, &pubsubpb.GetSubscriptionRequest{Subscription: a.name})
	}
	if err != nil {
		return nil, fmt.Errorf("create subscription %s: %w", a.name, err)
	}
	return made, nil
}

func (d Driver) createTopic(ctx context.Context, client *pubsub.TopicAdminClient, name string) error {
	_, err := client.CreateTopic(ctx, &pubsubpb.Topic{Name: name})
	if err != nil && status.Code(err) != codes.AlreadyExists {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	if err == nil {
		queue.Created(queue.Logger(d.Log), "topic", name)
	}
	return nil
}

// warnOfNoSubscription warns of a topic that keeps no message, because it has no subscription.
func (d Driver) warnOfNoSubscription(ctx context.Context, client *pubsub.TopicAdminClient, name string) {
	all := client.ListTopicSubscriptions(ctx, &pubsubpb.ListTopicSubscriptionsRequest{Topic: name})
	if _, err := all.Next(); errors.Is(err, iterator.Done) {
		queue.Logger(d.Log).Warn("topic has no subscription: what is sent now is acknowledged and lost; make a subscription first", "topic", name)
	} // a publisher need not be allowed to look
}

// OpenTopic opens a topic.
func (d Driver) OpenTopic(ctx context.Context, url string) (queue.Topic, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	name := a.name
	if a.kind == "subscriptions" {
		if name = a.topic; name == "" {
			return nil, pipeline.Permanent(fmt.Errorf("messages are sent to a topic, %s://projects/%s/topics/NAME", Scheme, a.project))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	client, err := pubsub.NewTopicAdminClient(ctx, d.Options...)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	if a.create {
		err = d.createTopic(ctx, client, name)
	} else if _, err = client.GetTopic(ctx, &pubsubpb.GetTopicRequest{Topic: name}); status.Code(err) == codes.NotFound {
		err = fmt.Errorf("there is no topic %s: make it (gcloud pubsub topics create), or add create=true to the URL: %w", name, err)
	} else if status.Code(err) == codes.PermissionDenied {
		err = nil // a publisher need not be allowed to look
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	if a.kind == "topics" { // otherwise it is a queue, which OpenQueue looks at
		d.warnOfNoSubscription(ctx, client, name)
	}
	return &topic{client, name}, nil
}
