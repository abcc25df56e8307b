package jetstream_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
)

// bench is a server and an administrator's connection to it.
type bench struct {
	t      *testing.T
	topics atomic.Int64
	js     jetstream.JetStream

	mu     sync.Mutex
	server *jetstreamtest.Server
}

func newBench(t *testing.T) *bench { return newBenchOn(t, jetstreamtest.Start(t)) }

// newSafeBench has a server that loses nothing when it is killed.
func newSafeBench(t *testing.T) *bench { return newBenchOn(t, jetstreamtest.StartSafe(t)) }

func newBenchOn(t *testing.T, server *jetstreamtest.Server) *bench {
	t.Helper()
	b := &bench{t: t, server: server}
	nc, err := nats.Connect("nats://"+b.server.Address(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if b.js, err = jetstream.New(nc); err != nil {
		t.Fatal(err)
	}
	if _, err := b.js.AccountInfo(t.Context()); err != nil { // starts all goroutines of the client
		t.Fatal(err)
	}
	return b
}

func (b *bench) restart() {
	b.server.Kill()
	b.server.Resume()
}

func (b *bench) url(stream, parameters string) string {
	return b.server.URL(stream, parameters)
}

// topic returns the URL of a new queue.
func (b *bench) topic() string {
	return b.url(fmt.Sprint("topic-", b.topics.Add(1)), "consumer=workers&create=true")
}

func streamOf(url string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(url, "jetstream://"), "/")
	stream, _, _ := strings.Cut(path, "?")
	return stream
}

// kick cuts the connections of the topic's consumers.
func (b *bench) kick(url string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server.Cut("bucketsum " + streamOf(url) + "/workers")
}

// pending returns how many messages of a topic the server counts as delivered and not
// settled.
func (b *bench) pending(url string) int {
	b.t.Helper()
	return b.info(url).NumAckPending
}

func (b *bench) info(url string) *jetstream.ConsumerInfo {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := b.js.Consumer(ctx, streamOf(url), "workers")
	if err != nil {
		b.t.Fatal(err)
	}
	return c.CachedInfo()
}

// recorder keeps what was logged.
type recorder struct{ bytes.Buffer }

func (r *recorder) logger() *slog.Logger { return slog.New(slog.NewTextHandler(r, nil)) }
