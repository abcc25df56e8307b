package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/unreached"
)

// Publisher sends messages to topics; a Watermill topic is the URL of one. Safe
// for concurrent use.
type Publisher struct {
	driver Driver
	close  func() error // once

	mu     sync.Mutex
	topics map[string]Topic // by URL
	closed bool
}

// NewPublisher returns a publisher to the topics of a driver. The first Publish
// to a topic opens it, or Open does.
func NewPublisher(d Driver) *Publisher {
	p := &Publisher{driver: d, topics: make(map[string]Topic)}
	p.close = sync.OnceValue(p.shutdown)
	return p
}

// Open opens a topic before the first message, so that a wrong URL shows.
func (p *Publisher) Open(ctx context.Context, url string) error {
	_, err := p.topic(ctx, url)
	return err
}

func (p *Publisher) topic(ctx context.Context, url string) (Topic, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, fmt.Errorf("publish to %s: publisher %w", redact.URL(url), ErrClosed)
	}
	if t := p.topics[url]; t != nil {
		return t, nil
	}
	t, err := p.driver.OpenTopic(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", redact.URL(url), redact.Error(unreached.Explain(err), url))
	}
	p.topics[url] = t
	return t, nil
}

// Publish sends the messages one after the other, each under its own context, and
// returns when the queue has stored them. After an error the messages before the
// failed one are sent.
func (p *Publisher) Publish(url string, messages ...*message.Message) error {
	for _, m := range messages {
		if m.Context().Err() != nil {
			return fmt.Errorf("publish to %s: %w", redact.URL(url), context.Cause(m.Context()))
		}
		t, err := p.topic(m.Context(), url)
		if err != nil {
			return err
		}
		if err := t.Send(m.Context(), m); err != nil {
			return fmt.Errorf("publish to %s: %w", redact.URL(url), redact.Error(err, url))
		}
	}
	return nil
}

// Close closes the topics. Another Close waits for the first and returns the
// same.
func (p *Publisher) Close() error { return p.close() }

func (p *Publisher) shutdown() error {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	var errs []error
	for url, t := range p.topics {
		if err := t.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", redact.URL(url), redact.Error(err, url)))
		}
	}
	return errors.Join(errs...)
}
