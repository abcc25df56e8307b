package rabbitmq

import (
	"context"
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Count asks how many messages of the queue of a URL wait for a consumer. AMQP does not tell how many consumers hold.
func (d Driver) Count(ctx context.Context, url string) (queue.Count, error) {
	a, err := parseAddress(url)
	if err != nil {
		return queue.Count{}, pipeline.Permanent(err)
	}
	if a.queue == "" {
		return queue.Count{}, pipeline.Permanent(errors.New("queue=NAME is missing"))
	}
	conn, ch, err := connect(ctx, a)
	if err != nil {
		return queue.Count{}, err
	}
	defer conn.Close()
	defer bounded(conn)()
	q, err := ch.QueueDeclarePassive(a.queue, true, false, false, false, nil)
	if err != nil {
		return queue.Count{}, fmt.Errorf("look up queue %s: %w", a.queue, err)
	}
	return queue.Count{Waiting: q.Messages, Exact: true}, nil
}
