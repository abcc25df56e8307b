package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestRowsAsTheyCome: a pass by workers tells the rows of a report when it is there, not when the pass ends.
func TestRowsAsTheyCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]*store{"b": newStore(120)})
		began, worker := time.Now(), &process{world: w, kill: func() {}}
		var handling, summing rows
		p := worker.pass(&summing)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				time.Sleep(time.Minute)
				s, ok := w.first()
				if !ok {
					return
				}
				if err := (&sweep.Worker{Reports: w.reports, Open: worker.open, Send: worker.Send, Cut: sweep.Cut{Items: 8}}).Handle(t.Context(), event(s)); err != nil {
					t.Error(err)
				}
				w.remove(s)
			}
		}()
		var first time.Duration
		p.Rows = func(r []sweep.Row) error {
			if first == 0 {
				first = time.Since(began)
			}
			return handling.add(r)
		}
		if s, err := p.ByQueue(t.Context(), worker.Send); err != nil || !s.Complete {
			t.Errorf("got %+v, %v", s, err)
		}
		if all := time.Since(began); first > all/5 {
			t.Errorf("the first row came after %s of %s", first, all)
		}
		<-done
		slices.Sort(handling)
		if diff := cmp.Diff(all(w.stores), handling); diff != "" {
			t.Errorf("rows: %s", diff)
		}
	})
}

// TestResumedByQueue: a pass that is started again tells how far it is while it reads what was done before.
func TestResumedByQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(map[string]*store{"b": newStore(120)})
		start(t, w)
		worker := &process{world: w, kill: func() {}}
		worker.work(t, &sweep.Worker{Cut: sweep.Cut{Items: 8}})
		p, told := worker.pass(new(rows)), 0
		p.Progress = func(now sweep.Progress) {
			if told++; now.Totals.Sum() != now.Resumed.Sum() {
				t.Errorf("%d objects are done, %d of them before", now.Totals.Sum(), now.Resumed.Sum())
			}
		}
		s, err := p.ByQueue(t.Context(), worker.Send)
		if reports := w.reports.count("reports/"); err != nil || s.Totals.Sum() != 120 || told < reports {
			t.Errorf("got %+v, %v; progress was told %d times, want once for each of %d reports", s, err, told, reports)
		}
	})
}

// TestRowsAreRefused: an error of Rows ends a pass by workers. No row is told again after it.
func TestRowsAreRefused(t *testing.T) {
	for _, reported := range []bool{true, false} { // before the pass waits, or meanwhile
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(map[string]*store{"b": newStore(20)})
			start(t, w)
			work := func() { (&process{world: w, kill: func() {}}).work(t, &sweep.Worker{}) }
			var working chan struct{}
			if reported {
				work()
			} else {
				working = make(chan struct{})
				go func() { defer close(working); time.Sleep(time.Minute); work() }()
			}
			full, told := errors.New("disk full"), 0
			p := (&process{world: w, kill: func() {}}).pass(new(rows))
			p.Rows = func([]sweep.Row) error { told++; return full }
			s, err := p.ByQueue(t.Context(), func(context.Context, pipeline.Shard) error { return nil })
			if !errors.Is(err, full) || s.Complete || told != 1 {
				t.Errorf("got %+v, %v, rows told %d times; want %v after the first", s, err, told, full)
			}
			if working != nil {
				<-working
			}
		})
	}
}

// TestShardIsGivenUp: a shard whose message is a dead letter does not keep the pass waiting for ever, nor does it count as
// done. When its message comes back, or the pass is started again, the pass is finished.
func TestShardIsGivenUp(t *testing.T) {
	for _, redrive := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(map[string]*store{"b": newStore(60)})
			worker := &process{world: w, kill: func() {}}
			var letter pipeline.Shard
			dead := func() { // the first message becomes a dead letter, the others are handled
				synctest.Wait()
				letter = w.queue[0]
				w.remove(letter)
				worker.work(t, &sweep.Worker{Cut: sweep.Cut{Items: 8}})
				if redrive {
					time.Sleep(time.Hour)
					w.send(letter)
					worker.work(t, &sweep.Worker{Cut: sweep.Cut{Items: 8}})
				}
			}
			run := func(work func()) (sweep.Summary, time.Duration, rows, string, error) {
				var got rows
				var log bytes.Buffer
				worked := make(chan struct{})
				go func() { defer close(worked); work() }()
				p := worker.pass(&got)
				p.Log = slog.New(slog.NewTextHandler(&log, nil))
				began := time.Now()
				s, err := p.ByQueue(t.Context(), worker.Send)
				<-worked
				slices.Sort(got)
				return s, time.Since(began), got, log.String(), err
			}
			s, took, got, log, err := run(dead)
			if !redrive {
				if err == nil || s.Complete || s.Totals.Sum() != int64(len(got)) || len(got) == 60 {
					t.Errorf("got %+v, %v and %d rows, want an error", s, err, len(got))
				}
				for _, want := range []string{fmt.Sprintf("the first is bucket b after %q through %q", letter.After, letter.Through), "Shards without one: 1;", "no worker has written a report for 3h0m0s", "redrive"} {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("got %v, want %q", err, want)
					}
				}
				if took > 4*time.Hour {
					t.Errorf("it took %s", took)
				}
				if n := w.reports.count("summaries/"); n != 0 {
					t.Errorf("a pass that is not complete has %d summaries", n)
				}
				s, _, got, _, err = run(func() {
					synctest.Wait()
					worker.work(t, &sweep.Worker{Cut: sweep.Cut{Items: 8}})
				})
			} else if n := strings.Count(log, "no report for a while"); n < 2 || n > 4 {
				t.Errorf("%d warnings in an hour of silence, want one each 15 minutes:\n%s", n, log)
			}
			if err != nil || !s.Complete {
				t.Errorf("in the end: got %+v, %v", s, err)
			}
			if diff := cmp.Diff(all(w.stores), got); diff != "" {
				t.Errorf("rows: %s", diff)
			}
		})
	}
}
