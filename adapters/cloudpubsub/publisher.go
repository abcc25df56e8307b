package cloudpubsub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/pubsub"
)

// ErrClosed is the error of a publisher or subscriber that was closed.
var ErrClosed = errors.New("closed")

// Publisher sends messages to topics; a Watermill topic is a gocloud URL. Safe
// for concurrent use.
type Publisher struct {
	config Config

	mu     sync.Mutex
	topics map[string]*pubsub.Topic // by URL
	closed bool
}

// NewPublisher returns a publisher. Topics are opened when they are first used,
// or by Open.
func NewPublisher(c Config) (*Publisher, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("cloudpubsub: %w", err)
	}
	return &Publisher{config: c.withDefaults(), topics: make(map[string]*pubsub.Topic)}, nil
}

// Open opens a topic, so that a wrong URL shows before the first message.
func (p *Publisher) Open(ctx context.Context, url string) error {
	_, err := p.topic(ctx, url)
	return err
}

func (p *Publisher) topic(ctx context.Context, url string) (*pubsub.Topic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("publish to %s: publisher %w", redacted(url), ErrClosed)
	}
	if t := p.topics[url]; t != nil {
		return t, nil
	}
	t, err := p.config.OpenTopic(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open topic %s: %w", redacted(url), err)
	}
	p.topics[url] = t
	return t, nil
}

// Publish sends the messages one after the other and returns when the queue has
// them. After an error, those before the one that failed are sent.
func (p *Publisher) Publish(url string, messages ...*message.Message) error {
	for _, m := range messages {
		t, err := p.topic(m.Context(), url)
		if err != nil {
			return err
		}
		metadata := make(map[string]string, len(m.Metadata)+1)
		for k, v := range m.Metadata {
			// Drivers refuse what is not UTF-8, and a reason may quote a file
			// name that is not.
			metadata[strings.ToValidUTF8(k, "\uFFFD")] = strings.ToValidUTF8(v, "\uFFFD")
		}
		if m.UUID != "" {
			metadata[metadataUUID] = strings.ToValidUTF8(m.UUID, "\uFFFD")
		}
		if err := t.Send(m.Context(), &pubsub.Message{Body: m.Payload, Metadata: metadata}); err != nil {
			return fmt.Errorf("publish to %s: %w", redacted(url), err)
		}
	}
	return nil
}

// Close sends what is still buffered and closes the topics. A second Close does
// nothing.
func (p *Publisher) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	var errs []error
	for url, t := range p.topics {
		if err := t.Shutdown(context.Background()); err != nil {
			errs = append(errs, fmt.Errorf("close topic %s: %w", redacted(url), err))
		}
	}
	return errors.Join(errs...)
}
