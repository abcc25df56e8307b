package jetstream

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Count asks how many messages the consumer of a URL has. A message that was given back counts as held until
// it is delivered again.
func (d Driver) Count(ctx context.Context, url string) (queue.Count, error) {
	a, err := parseAddress(url)
	if err != nil {
		return queue.Count{}, pipeline.Permanent(err)
	}
	if a.consumer == "" {
		return queue.Count{}, pipeline.Permanent(errors.New("consumer=NAME is missing"))
	}
	nc, err := d.connect(a, a.stream+"/"+a.consumer, func() {})
	if err != nil {
		return queue.Count{}, err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		return queue.Count{}, err
	}
	c, err := js.Consumer(ctx, a.stream, a.consumer)
	if err != nil {
		return queue.Count{}, fmt.Errorf("look up consumer %s of stream %s: %w", a.consumer, a.stream, err)
	}
	i := c.CachedInfo()
	return queue.Count{Waiting: int(i.NumPending), Held: i.NumAckPending, Exact: true}, nil
}
