package queue_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// lockedBuffer is a log for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// Each kind of outage logs one warning, and one line when it is over. With an empty
// queue it is over when nothing has failed for two minutes.
func TestOneWarningPerOutage(t *testing.T) {
	down := errors.New("no route to broker")
	for name, outage := range map[string]func(f *flow, down error){
		"opening fails":   func(f *flow, down error) { f.broker.failOpen(down); f.queue.kill() },
		"receiving fails": func(f *flow, down error) { f.queue.change(func() { f.queue.receiveErr = down }) },
	} {
		for _, empty := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					var log lockedBuffer
					f := startFlow(t, func(c *queue.Config) {
						c.ReopenDelay = nil
						c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					})
					for n := 1; n <= 2; n++ {
						outage(f, down)
						time.Sleep(time.Hour)
						f.broker.failOpen(nil)
						f.queue.change(func() { f.queue.receiveErr = nil })
						if !empty {
							f.publish("a")
							f.next().Ack()
						}
						time.Sleep(4 * time.Minute) // the last wait, and the two minutes
						synctest.Wait()
						if got := log.count("level=WARN"); got != n {
							t.Errorf("%d warnings after outage %d", got, n)
						}
						if got := log.count(`level=INFO msg="the queue can be received from again"`); got != n {
							t.Errorf("%d recoveries after outage %d", got, n)
						}
						if got := log.count("level=DEBUG"); got < 50*n { // at most a minute apart
							t.Errorf("%d attempts are logged after outage %d", got, n)
						}
						if err := f.sub.Fault(); err != nil {
							t.Errorf("afterwards the fault is %v", err)
						}
					}
					f.close()
				})
			})
		}
	}
}

// The receivers of one queue have one outage.
func TestReceiversShareAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := startFlow(t, func(c *queue.Config) { c.ReopenDelay = seconds })
		for range 3 {
			if _, err := f.sub.Subscribe(context.Background(), f.topic); err != nil {
				t.Fatal(err)
			}
		}
		f.broker.failOpen(errors.New("no route to broker"))
		f.queue.kill()
		time.Sleep(11 * time.Second) // failures after 1, 1+2, 1+2+3 and 1+2+3+4 s
		if got := len(f.broker.opened()); got != 5 {
			t.Errorf("opened %d times, want 5", got)
		}
		_ = f.sub.Close()
	})
}
