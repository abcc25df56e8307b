package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const (
	// callTimeout bounds a call. A quorum queue without a leader, for example after a
	// crash, does not answer. When it has a leader again, it answers only new
	// connections.
	callTimeout = 5 * time.Second
	// heartbeat is the interval of heartbeats in both directions of a connection. Three
	// missed ones end it.
	heartbeat = 10 * time.Second
	// newDeliveryLimit is the delivery limit of a new queue.
	newDeliveryLimit = 20
)

// address is the content of a URL.
type address struct {
	server               string // without parameters
	host                 string
	queue, exchange, key string
	create               bool
}

func parseAddress(raw string) (address, error) {
	u, query, err := queue.ParseURL(raw, "queue", "exchange", "key", "create")
	if err != nil {
		return address{}, err
	}
	if u.Scheme != Scheme && u.Scheme != SchemeTLS || u.Host == "" {
		return address{}, fmt.Errorf("it must have the form %s://HOST:5672/VHOST?queue=NAME", Scheme)
	}
	a := address{host: u.Host, queue: query.Get("queue"), exchange: query.Get("exchange"), key: query.Get("key")}
	server := *u
	server.RawQuery, server.ForceQuery = "", false
	if server.Path == "" {
		server.Path = "/"
	}
	if user := os.Getenv("RABBITMQ_USERNAME"); server.User == nil && user != "" {
		server.User = url.UserPassword(user, os.Getenv("RABBITMQ_PASSWORD"))
	}
	a.server = server.String()
	if a.create, err = queue.Flag(query, "create"); err != nil {
		return address{}, err
	}
	switch {
	case a.queue != "" && (a.exchange != "" || a.key != ""):
		return address{}, errors.New("queue=… excludes exchange=… and key=…")
	case a.exchange != "" && a.create:
		return address{}, errors.New("parameter create creates queues, not exchanges")
	case len(a.queue) > 250 || len(a.exchange) > 255 || len(a.key) > 255:
		return address{}, errors.New("a name has 250 bytes at most")
	}
	return a, nil
}

// connect opens a connection and a channel. Closing the connection closes both.
func connect(ctx context.Context, a address) (*amqp.Connection, *amqp.Channel, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	properties := amqp.NewConnectionProperties()
	properties.SetClientConnectionName(strings.TrimSpace("bucketsum " + a.queue + a.exchange))
	conn, err := amqp.DialConfig(a.server, amqp.Config{
		Recovery:  nil, // off: the queue and the topic reopen lost connections themselves
		Heartbeat: heartbeat, Properties: properties, Locale: "en_US", Dial: amqp.DefaultDial(callTimeout),
	})
	if err != nil {
		return nil, nil, fmt.Errorf("connect to %s: %w", a.host, err)
	}
	defer bounded(conn)()
	ch, err := conn.Channel()
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("open a channel to %s: %w", a.host, err)
	}
	return conn, ch, nil
}

// bounded closes the connection after callTimeout, which ends all calls on it, unless stop
// is called before: the client waits for answers without limit.
func bounded(conn *amqp.Connection) (stop func()) {
	t := time.AfterFunc(callTimeout, func() { conn.CloseDeadline(time.Now()) })
	return func() { t.Stop() }
}

// find finds or creates the queue, and warns of what it can lose.
func (d Driver) find(conn *amqp.Connection, a address, received bool) error {
	log := queue.Logger(d.Log)
	created, err := exists(conn, a)
	switch {
	case err != nil:
		return err
	case created:
		queue.Created(log, "queue", a.queue)
	default:
		warnOfLoss(conn, a.queue, received, log)
	}
	return nil
}

// exists finds or creates the queue.
func exists(conn *amqp.Connection, a address) (created bool, _ error) {
	defer bounded(conn)()
	ch, err := conn.Channel() // an error closes it
	if err != nil {
		return false, err
	}
	defer ch.Close()
	_, err = ch.QueueDeclarePassive(a.queue, true, false, false, false, nil)
	var fault *amqp.Error
	switch missing := errors.As(err, &fault) && fault.Code == amqp.NotFound; {
	case missing && a.create:
		return true, create(conn, a.queue)
	case missing:
		return false, fmt.Errorf("there is no queue %s: make it (a durable quorum queue with a dead-letter exchange), or add create=true to the URL: %w", a.queue, err)
	case err != nil:
		return false, fmt.Errorf("look up queue %s: %w", a.queue, err)
	}
	return false, nil
}

func create(conn *amqp.Connection, name string) error {
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	defer ch.Close()
	dead := name + ".dead"
	if _, err := ch.QueueDeclare(dead, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		return fmt.Errorf("create queue %s: %w", dead, err)
	}
	_, err = ch.QueueDeclare(name, true, false, false, false, amqp.Table{
		"x-queue-type":              "quorum",
		"x-delivery-limit":          int32(newDeliveryLimit),
		"x-dead-letter-exchange":    "", // the default exchange, which routes by queue name
		"x-dead-letter-routing-key": dead,
		"x-dead-letter-strategy":    "at-least-once",
		"x-overflow":                "reject-publish", // needed for at-least-once
	})
	if err != nil {
		return fmt.Errorf("create queue %s: %w", name, err)
	}
	return nil
}

// OpenQueue opens a queue. Its consumers start with the first Receive: a worker that does
// not receive must not hold messages.
func (d Driver) OpenQueue(ctx context.Context, url string, concurrency int) (queue.Queue, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if a.queue == "" {
		return nil, pipeline.Permanent(errors.New("queue=NAME is missing"))
	}
	conn, ch, err := connect(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := d.find(conn, a, true); err != nil {
		conn.Close()
		return nil, err
	}
	return newConsumer(conn, ch, a.queue, concurrency, queue.Logger(d.Log)), nil
}

// OpenTopic opens a queue or exchange to send to.
func (d Driver) OpenTopic(ctx context.Context, url string) (queue.Topic, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if a.queue == "" && a.exchange == "" {
		return nil, pipeline.Permanent(errors.New("queue=NAME or exchange=NAME is missing"))
	}
	t := &topic{address: a, turn: make(chan struct{}, 1)}
	if err := t.connect(ctx); err != nil {
		return nil, err
	}
	if a.queue != "" {
		err = d.find(t.conn, a, false)
	} else if err = t.ch.ExchangeDeclarePassive(a.exchange, "", false, false, false, false, nil); err != nil {
		err = fmt.Errorf("look up exchange %s: %w", a.exchange, err)
	}
	if err != nil {
		t.conn.Close()
		return nil, err
	}
	return t, nil
}
