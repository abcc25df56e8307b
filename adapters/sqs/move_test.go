package sqs_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/adapters/sqs"
	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// movable makes a queue and its dead-letter queue with n messages.
func movable(b *bench, n int) (dead, to string) {
	to = b.create(sqs.SchemeParallel, "q", nil)
	dead = strings.Replace(to, "/q", "/q-dead", 1)
	for i := range n {
		b.send(dead, fmt.Sprint("message ", i))
	}
	return dead, to
}

func TestMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		dead, to := movable(b, 30)
		b.server.Inject(sqstest.Fault{Action: "ListMessageMoveTasks", Times: 4}) // the SDK repeats, and so does the driver
		d := b.driver()
		told := 0
		moved, err := d.Move(t.Context(), dead, to, func(n int) { told = n })
		if err != nil || moved != 30 || told != 30 {
			t.Errorf("moved %d, told %d, error %v", moved, told, err)
		}
		for url, want := range map[string]queue.Count{dead: {}, to: {Waiting: 30}} {
			if got, err := d.Count(t.Context(), url); err != nil || got != want {
				t.Errorf("%s has %+v, want %+v; error %v", url, got, want, err)
			}
		}
	})
}

// TestMoveUnsupported: whatever SQS says against the task, the caller has another way.
func TestMoveUnsupported(t *testing.T) {
	for name, arrange := range map[string]func(b *bench, dead, to string) (from, destination string){
		"no dead-letter queue": func(_ *bench, dead, to string) (string, string) { return to, dead },
		"no permission": func(b *bench, dead, to string) (string, string) {
			b.server.Inject(sqstest.Fault{Action: "StartMessageMoveTask", Code: "AccessDeniedException", Status: 400})
			return dead, to
		},
		"not AWS": func(b *bench, dead, to string) (string, string) {
			b.server.Inject(sqstest.Fault{Action: "StartMessageMoveTask", Code: "InvalidAction", Status: 500})
			return dead, to
		},
		"attributes are not readable": func(b *bench, dead, to string) (string, string) {
			b.server.Inject(sqstest.Fault{Action: "GetQueueAttributes", Code: "AccessDeniedException", Status: 400})
			return dead, to
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				dead, target := movable(b, 3)
				from, to := arrange(b, dead, target)
				if moved, err := b.driver().Move(t.Context(), from, to, func(int) {}); !errors.Is(err, errors.ErrUnsupported) || moved != 0 {
					t.Errorf("moved %d, error %v", moved, err)
				}
			})
		})
	}
}

// TestMoveIsCancelled: what SQS has not moved stays.
func TestMoveIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.server.MoveRate(5)
		dead, to := movable(b, 100)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(7*time.Second, cancel)
		d := b.driver()
		moved, err := d.Move(ctx, dead, to, func(int) {})
		if !errors.Is(err, context.Canceled) || moved < 30 || moved > 50 {
			t.Errorf("moved %d, error %v", moved, err)
		}
		time.Sleep(time.Hour)
		if got, err := d.Count(t.Context(), dead); err != nil || got.Waiting != 100-moved {
			t.Errorf("left %+v, error %v", got, err)
		}
	})
}
