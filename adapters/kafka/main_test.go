package kafka_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
)

func TestMain(m *testing.M) {
	kafkatest.Main()
	goleak.VerifyTestMain(m)
}

// kafkaServer is a broker with new topics for tests.
type kafkaServer struct{ *kafkatest.Server }

func newServer(t *testing.T, partitions int) kafkaServer {
	t.Helper()
	return kafkaServer{kafkatest.Start(t, partitions)}
}

func (s kafkaServer) restart() {
	s.Kill()
	s.Resume()
}

var topics atomic.Int64

// topic returns the URL of a new queue.
func (s kafkaServer) topic() string {
	return s.URL(fmt.Sprint("topic-", topics.Add(1)), "group=workers&create=true")
}
