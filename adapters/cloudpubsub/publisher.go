package cloudpubsub

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"
	"gocloud.dev/pubsub"
)

// Publisher sends messages to topics; a Watermill topic is a gocloud URL. Safe
// for concurrent use.
type Publisher struct {
	config Config
	close  func() error // once

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
	p := &Publisher{config: c.withDefaults(), topics: make(map[string]*pubsub.Topic)}
	p.close = sync.OnceValue(p.shutdown)
	return p, nil
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
		return nil, fmt.Errorf("open topic %s: publisher %w", redacted(url), ErrClosed)
	}
	if t := p.topics[url]; t != nil {
		return t, nil
	}
	t, err := p.config.OpenTopic(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open topic %s: %w", redacted(url), redact(err, url))
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
			metadata[validUTF8(k)] = validUTF8(v)
		}
		if m.UUID != "" {
			metadata[metadataUUID] = validUTF8(m.UUID)
		}
		if err := t.Send(m.Context(), &pubsub.Message{Body: m.Payload, Metadata: metadata}); err != nil {
			return fmt.Errorf("publish to %s: %w", redacted(url), redact(err, url))
		}
	}
	return nil
}

// validUTF8 replaces what gocloud refuses in metadata: a reason may quote a file
// name that is not UTF-8.
func validUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// Close sends what is still buffered, for 10 s at most, and closes the topics. A
// Publish that Close overtakes returns an error. Another Close waits for the
// first and returns the same.
func (p *Publisher) Close() error { return p.close() }

func (p *Publisher) shutdown() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()

	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	var errs []error
	for raw, t := range p.topics {
		if u, err := url.Parse(raw); err == nil && isMem(u) {
			continue // other publishers have the same topic
		}
		if err := t.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close topic %s: %w", redacted(raw), redact(err, raw)))
		}
	}
	return errors.Join(errs...)
}
