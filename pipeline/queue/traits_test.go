package queue_test

import (
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestSamePlace(t *testing.T) {
	path, parameters := queue.Traits{}, queue.Traits{PlaceParameters: []string{"queue", "exchange", "key"}}
	for _, tc := range []struct {
		traits queue.Traits
		a, b   string
		same   bool
	}{
		{path, "kafka://h/a?group=g", "kafka://h/a", true},
		{path, "kafka://h/a?group=g", "kafka://h/b", false},
		{path, "sqs://h/1/a", "awssqs://h/1/a?visibility=2m", true},
		{path, "kafka://h/a", "kafka://%zz", false},
		{parameters, "amqp://h/?queue=a", "amqps://h/?queue=a&create=true", true},
		{parameters, "amqp://h/?queue=a", "amqp://h/?queue=a.dead", false},
		{parameters, "amqp://h/?queue=a", "amqp://h/v?queue=a", false},
	} {
		if got := tc.traits.SamePlace(tc.a, tc.b); got != tc.same {
			t.Errorf("SamePlace(%s, %s) is %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}

func TestLimitsDeliveries(t *testing.T) {
	for name, tc := range map[string]struct {
		traits queue.Traits
		want   bool
	}{
		"counts, no dead letters": {queue.Traits{CountsDeliveries: true, NoDeadLetters: "has none"}, true},
		"counts, dead letters":    {queue.Traits{CountsDeliveries: true}, false},
		"counts nothing":          {queue.Traits{NoDeadLetters: "has none"}, false},
	} {
		if got := tc.traits.LimitsDeliveries(); got != tc.want {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}
