package kafka

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// topic sends to a topic.
type topic struct{ client *kgo.Client }

// Send returns when all in-sync replicas have the message. The client repeats it for
// callTimeout without storing it twice. After an error Kafka may have stored the message.
func (t *topic) Send(ctx context.Context, m *message.Message) error {
	record := &kgo.Record{Value: m.Payload}
	for k, v := range queue.Fold(m.UUID, m.Metadata, isHeader) {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	return t.client.ProduceSync(ctx, record).FirstErr()
}

func (t *topic) Close() error {
	t.client.Close()
	return nil
}

// isHeader reports whether a record can carry a header: it carries any.
func isHeader(string, string) bool { return true }

// received returns the message of a record.
func received(r *kgo.Record) *message.Message {
	headers := make(map[string]string, len(r.Headers))
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	return queue.Received(fmt.Sprintf("%s:%d:%d", r.Topic, r.Partition, r.Offset), r.Value, headers)
}
