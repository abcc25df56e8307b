package kafka

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

const callTimeout = 10 * time.Second

// address is the content of a URL.
type address struct {
	brokers      []string
	topic, group string
	create       bool
	options      []kgo.Opt
}

func parseAddress(raw string) (address, error) {
	u, query, err := queue.ParseURL(raw, "group", "brokers", "create", "tls", "sasl")
	if err != nil {
		return address{}, err
	}
	a := address{topic: strings.TrimPrefix(u.Path, "/"), group: query.Get("group"), brokers: []string{u.Host}}
	if u.Scheme != Scheme || u.Host == "" || a.topic == "" || strings.Contains(a.topic, "/") {
		return address{}, fmt.Errorf("it must have the form %s://HOST:9092/TOPIC?group=GROUP", Scheme)
	}
	for seed := range strings.SplitSeq(query.Get("brokers"), ",") {
		if seed != "" {
			a.brokers = append(a.brokers, seed)
		}
	}
	a.options = []kgo.Opt{kgo.SeedBrokers(a.brokers...), kgo.ClientID("bucketsum")}
	var createErr, tlsErr error
	a.create, createErr = queue.Flag(query, "create")
	secure, tlsErr := queue.Flag(query, "tls")
	if secure {
		a.options = append(a.options, kgo.DialTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12}))
	}
	mechanism, saslErr := credentials(u, query)
	if mechanism != nil {
		a.options = append(a.options, kgo.SASL(mechanism))
	}
	return a, errors.Join(createErr, tlsErr, saslErr)
}

// credentials returns nil if there are none.
func credentials(u *url.URL, query url.Values) (sasl.Mechanism, error) {
	user, password := os.Getenv("KAFKA_USERNAME"), os.Getenv("KAFKA_PASSWORD")
	if u.User != nil {
		user = u.User.Username()
		password, _ = u.User.Password()
	}
	var mechanism sasl.Mechanism
	switch name := query.Get("sasl"); name {
	case "", "plain":
		mechanism = plain.Auth{User: user, Pass: password}.AsMechanism()
	case "scram-sha-256":
		mechanism = scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "scram-sha-512":
		mechanism = scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	default:
		return nil, fmt.Errorf("parameter sasl is %q, none of plain, scram-sha-256, scram-sha-512", name)
	}
	if user == "" {
		if query.Has("sasl") {
			return nil, pipeline.Permanent(errors.New("sasl=… needs a user and a password in the URL, or KAFKA_USERNAME and KAFKA_PASSWORD"))
		}
		return nil, nil
	}
	return mechanism, nil
}

// OpenQueue opens a topic. The first Receive joins the consumer group: a member that does
// not receive would keep its partitions from the others.
func (d Driver) OpenQueue(ctx context.Context, url string, _ int) (queue.Queue, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if a.group == "" {
		return nil, pipeline.Permanent(errors.New("group=NAME is missing: the consumer group whose members share the messages"))
	}
	q := newMember(a.topic, queue.Logger(d.Log))
	options := append(a.options,
		kgo.ConsumerGroup(a.group), kgo.ConsumeTopics(a.topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		// The fetch of a new partition waits for the end of the current fetch.
		kgo.FetchMaxWait(time.Second),
		kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.OnOffsetsFetched(q.fetched), kgo.OnPartitionsRevoked(q.revoked), kgo.OnPartitionsLost(q.lost),
	)
	if err := d.open(ctx, a); err != nil {
		return nil, err
	}
	q.join = func() (*kgo.Client, error) { return kgo.NewClient(append(options, d.Options...)...) }
	return q, nil
}

// OpenTopic opens a topic to send to.
func (d Driver) OpenTopic(ctx context.Context, url string) (queue.Topic, error) {
	a, err := parseAddress(url)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if err := d.open(ctx, a); err != nil {
		return nil, err
	}
	options := append(a.options, kgo.DefaultProduceTopic(a.topic), kgo.RecordDeliveryTimeout(callTimeout),
		// Otherwise Send waits for a message that was on its way to a lost broker for
		// as long as the broker is away.
		kgo.AllowIdempotentProduceCancellation())
	client, err := kgo.NewClient(append(options, d.Options...)...)
	if err != nil {
		return nil, err
	}
	return &topic{client}, nil
}

// Reachable reports why the topic of a URL cannot be read now. It asks a broker, because
// a member of a group reports nothing while it tries to reconnect. It creates nothing.
func (d Driver) Reachable(ctx context.Context, url string) error {
	a, err := parseAddress(url)
	if err != nil {
		return err
	}
	a.create = false
	return d.ask(ctx, a, func(ctx context.Context, client *kgo.Client) error { return d.exists(ctx, client, a) })
}

// open finds or creates the topic, and warns of settings that lose messages.
func (d Driver) open(ctx context.Context, a address) error {
	return d.ask(ctx, a, func(ctx context.Context, client *kgo.Client) error {
		if err := d.exists(ctx, client, a); err != nil {
			return err
		}
		d.warnOfLoss(ctx, client, a.topic)
		return nil
	})
}

// ask calls do with a client that is no member of a group.
func (d Driver) ask(ctx context.Context, a address, do func(context.Context, *kgo.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(slices.Clone(a.options), d.Options...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	return do(ctx, client)
}

// exists finds or creates the topic.
func (d Driver) exists(ctx context.Context, client *kgo.Client, a address) error {
	request := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &a.topic
	request.Topics = append(request.Topics, t)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("ask %s for topic %s: %w", strings.Join(a.brokers, ","), a.topic, err)
	}
	for _, t := range response.Topics {
		err = errors.Join(err, kerr.ErrorForCode(t.ErrorCode))
	}
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition) && a.create:
		return d.create(ctx, client, a.topic)
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return fmt.Errorf("there is no topic %s: make it (kafka-topics.sh --create --topic %s --partitions 12), or add create=true to the URL: %w", a.topic, a.topic, err)
	case err != nil:
		return fmt.Errorf("look up topic %s: %w", a.topic, err)
	}
	return nil
}

func (d Driver) create(ctx context.Context, client *kgo.Client, topic string) error {
	request := kmsg.NewPtrCreateTopicsRequest()
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor = topic, -1, -1 // the cluster's defaults
	request.Topics = append(request.Topics, t)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return fmt.Errorf("create topic %s: %w", topic, err)
	}
	for _, t := range response.Topics {
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil:
			queue.Created(queue.Logger(d.Log), "topic", topic)
		case !errors.Is(err, kerr.TopicAlreadyExists): // another worker was faster
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}
