package kafka_test

import (
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/kafka"
)

func TestReachable(t *testing.T) {
	url := newServer(t, 1).topic() // OpenQueue would create it
	for range 2 {
		if err := (kafka.Driver{}).Reachable(t.Context(), url); err == nil || !strings.Contains(err.Error(), "there is no topic") {
			t.Fatalf("a topic that is not there: %v", err)
		}
	}
	queue, err := kafka.Driver{}.OpenQueue(t.Context(), url, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	if err := (kafka.Driver{}).Reachable(t.Context(), url); err != nil {
		t.Error(err)
	}
}
