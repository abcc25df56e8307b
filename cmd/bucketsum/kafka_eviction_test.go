package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// TestEvictedWhileHashing lets the consumer group evict a worker that is in the middle
// of a large object. The worker resumes from its checkpoint and handles the event once.
// Its output is throttled, so that it stays in the middle until it has noticed.
func TestEvictedWhileHashing(t *testing.T) {
	t.Parallel()
	const group, topic = "workers", "evicted"
	s := kafkatest.Start(t, 1)
	f := newFlow(t, kafkaURLs(s, topic))
	var sum string
	f.dir, sum = sparse(t)
	f.url = "file://" + f.dir
	f.wantResults[outcome{cloudevents.TypeRecorded, f.bucket, "large", sum}] = true
	worker := startWith(t, program.Options{Throttled: true}, append([]string{"serve", "--listen", "off", "--log-level", "debug",
		"--checkpoint-above", "100MB", "--checkpoint-every", "1MiB"}, f.flags()...)...)
	worker.Until(1, program.Contains("msg=serving"))
	f.mustSend(created(f.bucket, "large"))
	last := offset(t, worker.Until(2, program.Contains(saved)))
	var before []string
	f.until("joining the group", func() bool { before = s.Members(group, topic); return len(before) > 0 })
	s.Evict(group)
	f.until("joining the group again", func() bool {
		now := s.Members(group, topic)
		return len(now) > 0 && !slices.ContainsFunc(now, func(id string) bool { return slices.Contains(before, id) })
	})
	if _, err := os.Stat(filepath.Join(f.dir, "large.md5")); err == nil {
		t.Fatal("it was faster than the eviction, which proves nothing")
	}
	worker.Until(1, program.Contains(`msg="message handled"`))
	f.finish()
	if status := worker.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	lost, handled := 0, 0
	var began []int64
	for _, line := range worker.Output() {
		switch {
		case strings.Contains(line, resumed):
			began = append(began, offset(t, line))
		case strings.Contains(line, `msg="message handled"`):
			handled++
		case strings.Contains(line, "lease lost"):
			lost++
		}
	}
	if lost == 0 || handled != 1 {
		t.Errorf("the lease was lost %d times, the message handled %d times", lost, handled)
	}
	if len(began) == 0 || began[0] < last {
		t.Errorf("after the eviction it began at %d, the checkpoint was at %d", began, last)
	}
}
