package queue

import (
	"log/slog"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// healthyAfter ends an outage in which a receive neither fails nor returns: the
// queue is empty. Opening a queue proves less, since with some drivers only a
// receive shows that it is not allowed.
const healthyAfter = 2 * time.Minute

// outage counts the failures in a row to receive from one queue. It logs one
// warning when they begin and one line when they end.
type outage struct {
	url string
	log *slog.Logger

	mu       sync.Mutex
	failures int
	fault    error // why nothing can be received now
}

// failed counts a failure and returns how many there were in a row.
func (o *outage) failed(err error) (failures int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures++
	o.fault = redact.Error(err, o.url)
	if o.failures == 1 {
		o.log.Warn("cannot receive from the queue, trying again after growing waits", "queue", redact.URL(o.url), "err", o.fault)
	} else {
		o.log.Debug("still cannot receive from the queue", "queue", redact.URL(o.url), "attempt", o.failures, "err", o.fault)
	}
	return o.failures
}

// reopened says that no fault is known any more. Failures that follow still
// belong to the same row.
func (o *outage) reopened() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fault = nil
}

// recovered ends the row of failures.
func (o *outage) recovered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failures > 0 {
		o.log.Info("the queue can be received from again", "queue", redact.URL(o.url), "failures", o.failures)
	}
	o.failures, o.fault = 0, nil
}

func (o *outage) current() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.fault
}
