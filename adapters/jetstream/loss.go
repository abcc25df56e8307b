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
// can see. Only the system account sees how often the server syncs. sends says that the
// stream is opened to send to.
func (d Driver) warnOfLoss(ctx context.Context, js jetstream.JetStream, stream string, sends bool) {
	log := queue.Logger(d.Log).With("stream", stream)
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	s, err := js.Stream(ctx, stream)
	if err != nil {
		log.Debug("cannot look at the stream", "err", err)
		return
	}
	info := s.CachedInfo()
	warn(log, info.Config)
	if sends && info.Config.Retention == jetstream.InterestPolicy && info.State.Consumers == 0 {
		log.Warn("stream keeps a message only while a consumer waits for it, and it has none: what is sent now is acknowledged and not stored; make its consumer first, or set its retention to limits")
	}
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
	if c.MaxAge > 0 {
		log.Warn("stream drops messages by their age, also those that are not handled; set its max age to 0, or to longer than any outage", "max_age", c.MaxAge)
	}
	if c.MaxMsgs <= 0 && c.MaxBytes <= 0 && c.MaxMsgsPerSubject <= 0 {
		return
	}
	log = log.With("max_msgs", c.MaxMsgs, "max_bytes", c.MaxBytes, "max_msgs_per_subject", c.MaxMsgsPerSubject)
	if c.Discard == jetstream.DiscardOld {
		log.Warn("stream drops its oldest messages when it is full, also those that are not handled; remove its limits, or set discard to new")
	} else {
		log.Warn("stream refuses messages when it is full; a store that sends by core NATS does not notice, and its events are lost; remove its limits, or watch how full it is")
	}
}
