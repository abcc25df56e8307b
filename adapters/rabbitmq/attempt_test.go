package rabbitmq

import (
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// TestAttempt: the headers are those of RabbitMQ 3 and 4; the server of the tests has only the first.
func TestAttempt(t *testing.T) {
	for name, tc := range map[string]struct {
		redelivered bool
		headers     amqp.Table
		want        int
	}{
		"first":                   {false, nil, 1},
		"first, counted before":   {false, amqp.Table{"x-delivery-count": int64(7)}, 1},
		"classic queue":           {true, nil, 2},
		"quorum queue":            {true, amqp.Table{"x-delivery-count": int64(7)}, 8},
		"RabbitMQ 4, given back":  {true, amqp.Table{"x-acquired-count": int64(3)}, 4},
		"RabbitMQ 4, failed once": {true, amqp.Table{"x-delivery-count": int64(1), "x-acquired-count": int32(3)}, 4},
		"text":                    {true, amqp.Table{"x-delivery-count": "7"}, 2},
	} {
		if got := attempt(amqp.Delivery{Redelivered: tc.redelivered, Headers: tc.headers}); got != tc.want {
			t.Errorf("%s: attempt %d, want %d", name, got, tc.want)
		}
	}
}
