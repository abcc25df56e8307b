package drivertest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/anishathalye/porcupine"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// register is a bucket of records that is linearizable, except for its fault.
type register struct {
	driver.Bucket
	driver.Locks
	fault   string
	sameTag bool

	mu       sync.Mutex
	calls    int
	blobs    map[string]*driver.Blob
	previous map[string]*driver.Blob
}

func (r *register) Lock(ctx context.Context, key string) (func(), error) {
	return r.Locks.Lock(ctx, key)
}

func (r *register) Traits() driver.Traits { return driver.Traits{SameTag: r.sameTag} }

// now reports whether the fault shows in this call.
func (r *register) now(fault string) bool { return r.fault == fault && r.calls%5 == 0 }

func (r *register) Get(_ context.Context, key string, _ int64) (*driver.Blob, error) {
	runtime.Gosched()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	b, old := r.blobs[key], r.previous[key]
	switch {
	case r.now("reads may fail"):
		return nil, errors.New("no answer")
	case r.now("reads are stale") && old != nil:
		b = old
	case r.now("reads mix two writes") && b != nil && old != nil:
		b = &driver.Blob{Data: b.Data, Metadata: old.Metadata}
	case r.now("reads say that nothing is there"):
		b = nil
	}
	if b == nil {
		return nil, pipeline.ErrNotFound
	}
	return b, nil
}

func (r *register) Put(_ context.Context, key string, b *driver.Blob, c driver.Condition) error {
	runtime.Gosched()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if !r.holds(key, c) && !r.now("puts ignore their conditions") {
		return pipeline.ErrChanged
	}
	switch {
	case r.now("puts are lost"):
		return nil
	case r.now("answers are lost"):
		r.set(key, b)
		return errors.New("no answer")
	case r.now("requests are lost"):
		return errors.New("no answer")
	}
	r.set(key, b)
	if r.now("puts that happened are refused") {
		return pipeline.ErrChanged
	}
	return nil
}

func (r *register) Delete(_ context.Context, key string, c driver.Condition) error {
	runtime.Gosched()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	switch {
	case r.blobs[key] == nil:
		return pipeline.ErrNotFound
	case !r.holds(key, c) && !r.now("deletes ignore their conditions"):
		return pipeline.ErrChanged
	case r.now("deletes are lost"):
		return nil
	}
	r.set(key, nil)
	return nil
}

func (r *register) holds(key string, c driver.Condition) bool {
	return conditionOf(c).holds(valueIn(r.blobs[key]), r.sameTag)
}

func (r *register) set(key string, b *driver.Blob) { r.previous[key], r.blobs[key] = r.blobs[key], b }

func valueIn(b *driver.Blob) value {
	if b == nil {
		return value{}
	}
	return valueOf(b)
}

// The check finds each fault that a store may have, and finds none in a store that only loses
// requests and answers. Whether a fault shows in a history depends on how the clients' requests meet: on a
// loaded machine, one history was not enough.
func TestCheckOfLinearizability(t *testing.T) {
	for fault, harmless := range map[string]bool{
		"":                                true,
		"reads may fail":                  true,
		"requests are lost":               true,
		"answers are lost":                true,
		"reads are stale":                 false,
		"reads mix two writes":            false,
		"reads say that nothing is there": false,
		"puts ignore their conditions":    false,
		"puts are lost":                   false,
		"puts that happened are refused":  false,
		"deletes ignore their conditions": false,
		"deletes are lost":                false,
	} {
		for _, sameTag := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, same tag %t", fault, sameTag), func(t *testing.T) {
				var faults []string
				for round := uint64(0); round == 0 || !harmless && len(faults) == 0 && round < 20; round++ {
					r := &register{fault: fault, sameTag: sameTag, blobs: make(map[string]*driver.Blob), previous: make(map[string]*driver.Blob)}
					for _, h := range (Clients{Buckets: []driver.Bucket{r}, Operations: 1500, Seed: *linearSeed + round}).run(t.Context()) {
						if f := h.check(sameTag); f != "" {
							faults = append(faults, f)
						}
					}
				}
				if got := len(faults) == 0; got != harmless {
					t.Errorf("linearizable is %t, want %t\n%s", got, harmless, strings.Join(faults, "\n"))
				}
			})
		}
	}
}

// A history ends, as it is shown, with the operation that cannot have its outcome.
func TestFirstFaultOfHistory(t *testing.T) {
	a, b := value{"a", "1"}, value{"b", "2"}
	h := history{
		op(0, 1, operation{"put", condition{}, a}, outcome{result: done}),
		op(2, 5, operation{"put", condition{old: a}, b}, outcome{result: done}),
		op(3, 4, operation{kind: "get"}, outcome{done, a, ""}),
		op(6, 7, operation{kind: "get"}, outcome{done, b, ""}),
	}
	if got := h.check(false); got != "" {
		t.Errorf("got %s", got)
	}
	h = append(h, op(8, 9, operation{kind: "get"}, outcome{done, a, ""}), op(10, 11, operation{kind: "get"}, outcome{done, b, ""}))
	got := strings.Split(strings.TrimSpace(h.check(false)), "\n")
	if last := got[len(got)-1]; len(got) != 5 || !strings.Contains(last, "get: done a#1") {
		t.Errorf("got %d lines:\n%s", len(got), strings.Join(got, "\n"))
	}
	// A change without an answer may have happened, or not, or later.
	lost := op(2, math.MaxInt64, operation{"put", condition{old: a}, b}, outcome{result: unknown})
	for name, reads := range map[string][]value{"happened": {b, b}, "did not happen": {a, a}, "happened later": {a, b}} {
		h := history{h[0], lost, op(3, 4, operation{kind: "get"}, outcome{done, reads[0], ""}), op(5, 6, operation{kind: "get"}, outcome{done, reads[1], ""})}
		if got := h.check(false); got != "" {
			t.Errorf("%s: got %s", name, got)
		}
	}
	if (history{h[0], lost, op(3, 4, operation{kind: "get"}, outcome{done, b, ""}), op(5, 6, operation{kind: "get"}, outcome{done, a, ""})}).check(false) == "" {
		t.Error("a change happened and did not happen")
	}
}

func op(call, returned int64, o operation, out outcome) porcupine.Operation {
	return porcupine.Operation{Call: call, Return: returned, Input: o, Output: out}
}
