package handlers_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// TestSlices cuts a reading into slices by time.
func TestSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := big(1000)
		l := newLarge()
		o := l.put("a", content)
		l.onByte = func(context.Context, int64) { time.Sleep(time.Second) } // for seven bytes
		a := &announced{}
		handle, _ := l.worker(t, a, handlers.Resume{Above: 100, Every: 1 << 20, Slice: 20 * time.Second})
		cuts, start := 0, time.Now()
		for {
			begin := time.Now()
			err := handle(t.Context(), created(o))
			if took := time.Since(begin); took > 21*time.Second {
				t.Errorf("a slice took %v", took)
			}
			if err == nil {
				break
			}
			if pipeline.Classify(err) != pipeline.ClassUnfinished {
				t.Fatal(err)
			}
			cuts++
		}
		l.finished(t, "a", content)
		if cuts != 7 || l.read != 1000 || len(a.results) != 1 || time.Since(start) > 145*time.Second {
			t.Errorf("%d cuts, %d bytes, %d results, %v", cuts, l.read, len(a.results), time.Since(start))
		}
	})
}

// TestSliceWithoutCheckpoint reads to the end if no checkpoint can be saved.
func TestSliceWithoutCheckpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := big(1000)
		l := newLarge()
		o := l.put("a", content)
		l.writeErr = errors.New("denied")
		l.onByte = func(context.Context, int64) { time.Sleep(time.Second) }
		handle, log := l.worker(t, &announced{}, handlers.Resume{Above: 100, Every: 500, Slice: 20 * time.Second})
		if err := handle(t.Context(), created(o)); err != nil {
			t.Fatal(err)
		}
		l.finished(t, "a", content)
		if n := log.count("checkpoint not saved"); n != 2 || l.read != 1000 {
			t.Errorf("%d warnings, %d bytes", n, l.read)
		}
	})
}

// TestSlow shows that a slow reading saves checkpoints by time.
func TestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := big(1000)
		l := newLarge()
		o := l.put("a", content)
		l.onByte = func(context.Context, int64) { time.Sleep(10 * time.Second) }
		handle, _ := l.worker(t, &announced{}, handlers.Resume{Above: 100, Every: 1 << 30})
		if err := handle(t.Context(), created(o)); err != nil {
			t.Fatal(err)
		}
		if l.saves != 4 { // in 1,430 seconds
			t.Errorf("%d checkpoints", l.saves)
		}
		l.finished(t, "a", content)
	})
}

// TestMismatchInSlices reads content that differs from a claim exactly twice, however it is cut.
func TestMismatchInSlices(t *testing.T) {
	content := big(1000)
	for name, damaged := range map[string]bool{"store": false, "on its way": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLarge()
				o := l.put("a", content)
				claim := content + "something else"
				if damaged {
					claim = content
					l.damage = func(p []byte, offset int64) {
						if l.read < 1000 && offset == 0 {
							p[0]++
						}
					}
				}
				l.claims = []pipeline.Claim{{Name: "etag", Claim: digest.Claim{Algorithm: "md5", Value: md5sum(claim)}}}
				l.onByte = func(context.Context, int64) { time.Sleep(time.Second) }
				handle, log := l.worker(t, &announced{}, handlers.Resume{Above: 100, Every: 1 << 20, Slice: 20 * time.Second})
				var err error
				var before int64
				for {
					if err = handle(t.Context(), created(o)); pipeline.Classify(err) != pipeline.ClassUnfinished {
						break
					}
					var now int64
					if _, failed := fmt.Sscanf(err.Error()[strings.Index(err.Error(), "(progress"):], "(progress %d)", &now); failed != nil || now <= before {
						t.Fatalf("progress from %d to %d: %v", before, now, err)
					}
					before = now
				}
				if l.read != 2000 {
					t.Errorf("%d bytes read", l.read)
				}
				if !damaged {
					if !errors.Is(err, pipeline.ErrMismatch) || l.left() != nil {
						t.Errorf("%v, left %v", err, l.left())
					}
					return
				}
				if err != nil || log.count("damaged on its way") != 1 {
					t.Errorf("%v, %s", err, log.text.String())
				}
				l.finished(t, "a", content)
			})
		})
	}
}

// TestUnevenPartsInSlices assumes wrong sizes of parts and cuts the second reading, which has the right
// ones: it resumes, even after the store failed to report them.
func TestUnevenPartsInSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		content := big(1000)
		l, a := newLarge(), &announced{}
		o := l.put("a", content)
		first, second := md5.Sum([]byte(content[:300])), md5.Sum([]byte(content[300:]))
		c, asked := claim("etag", "md5", md5sum(string(first[:])+string(second[:]))+"-2", 500, 500), 0
		gone := errors.New("503")
		c.Confirm = func(context.Context) ([]int64, error) {
			if asked++; asked == 4 { // after the second reading resumed twice
				return nil, gone
			}
			return []int64{300, 700}, nil
		}
		l.claims = []pipeline.Claim{c}
		l.onByte = func(context.Context, int64) { time.Sleep(time.Second) }
		handle, _ := l.worker(t, a, handlers.Resume{Above: 100, Every: 1 << 20, Slice: 20 * time.Second})
		failed := 0
		for {
			err := handle(t.Context(), created(o))
			if err == nil {
				break
			}
			if errors.Is(err, gone) && pipeline.Classify(err) == pipeline.ClassTransient && failed == 0 {
				failed++
			} else if pipeline.Classify(err) != pipeline.ClassUnfinished {
				t.Fatal(err)
			}
		}
		l.finished(t, "a", content)
		if l.read != 2000 || failed != 1 {
			t.Errorf("%d bytes read, failed %d times", l.read, failed)
		}
		if got := a.results[0].Record.Checks[0].Outcome; got != digest.Match {
			t.Errorf("the parts are a %s", got)
		}
	})
}
