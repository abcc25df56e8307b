package jetstream

import (
	"context"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// lookTimeout bounds the look at a stream for warnings: a server does not answer a client
// that is not permitted to look.
const lookTimeout = 2 * time.Second

// warnOfLoss logs what a stream can lose of what it has acknowledged, as far as a client
// can see. Only the system account sees how often the server syncs.
func (d Driver) warnOfLoss(ctx context.Context, js jetstream.JetStream, stream string) {
	log := queue.Logger(d.Log).With("stream", stream)
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		log.Debug("cannot look at the stream", "err", err)
		return
	}
	warn(log, s.CachedInfo().Config)
}

func warn(log *slog.Logger, c jetstream.StreamConfig) {
	switch {
	case c.Storage == jetstream.MemoryStorage:
		log.Warn("stream is in memory: its messages are lost when the server stops; use file storage", "replicas", c.Replicas)
	case c.PersistMode == jetstream.AsyncPersistMode:
		log.Warn("stream acknowledges messages before it writes them: they are lost when the server is killed; set its persist mode to default")
	case c.Replicas <= 1:
		log.Info("a client cannot see whether nats-server syncs each message: unless sync_interval is always, a power cut loses messages that the server has acknowledged")
	}
}
