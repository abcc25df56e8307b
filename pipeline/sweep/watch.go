package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// The reports of workers are looked for again and again. A look asks for each report that is missing, or lists the names of
// those that are there: what costs less. Looks are so rare that they cost no more than findReads for each report, on
// average, whether there are ten of them or a million; but never so rare that the end of the pass shows much too late.
const (
	looks       = 16   // reports that are read at the same time, and held in memory
	pageNames   = 1000 // in an answer to a listing
	pageReads   = 10   // such an answer costs as much as so many reads
	findReads   = 2
	firstLook   = time.Second
	longestLook = 15 * time.Second // while nothing is found, unless looks cost more
	rarestLook  = 10 * time.Minute
	lateness    = 20 // a wait is this part of the time until then, at most
	// A pass whose workers write no report for so long is mentioned in the log, again and again, and ends at last. One object
	// may take hours.
	silence     = 15 * time.Minute
	longSilence = 3 * time.Hour
)

var lookWaits = backoff.Backoff{First: firstLook, Longest: longestLook, Jitter: backoff.Below}

// reads is what a look costs, in reads. listing: it is to list names.
func (w *watch) reads() (n int, listing bool) {
	if n = (w.done/pageNames + 1) * pageReads; n < len(w.open) {
		return n, true
	}
	return len(w.open), false
}

// pause returns how long to wait for the next look, when so many reports were found in a time. quiet is how many looks have
// found none.
func (w *watch) pause(found int, in time.Duration, quiet int) time.Duration {
	reads, _ := w.reads()
	fair := time.Duration(float64(in) * float64(reads) / float64(findReads*max(found, 1)))
	return max(lookWaits.Delay(quiet+1), min(fair, in/lateness, rarestLook))
}

// wait returns when no shard is open, or no report has come for a long time.
func (w *watch) wait(ctx context.Context) error {
	stop, cancel := stopContext(ctx, w.Stop)
	defer cancel()
	pause, quiet, failures := firstLook, 0, 0
	began, resumed, heard, warned := time.Now(), w.done, time.Now(), time.Now()
	for len(w.open) > 0 {
		if !backoff.Sleep(stop, pause) {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return ErrStopped
		}
		before := w.done
		err := w.poll(ctx)
		switch {
		case w.refused, pipeline.Classify(err) == pipeline.ClassPermanent, errors.Is(err, errDamaged), errors.Is(err, ErrStopped):
			return err
		case err != nil:
			if failures++; failures == listAttempts {
				return err
			}
			w.shards.log.Warn("the reports could not be looked at, which is tried again", "pass", w.plan.Pass, "err", err)
		default:
			failures = 0
		}
		if w.done > before {
			quiet, heard, warned = 0, time.Now(), time.Now()
		} else if quiet++; time.Since(heard) > longSilence {
			return w.silent()
		} else if time.Since(warned) > silence {
			warned = time.Now()
			w.shards.log.Warn("the workers wrote no report for a while: are they running, with the same reports? see their dead letters, too",
				"pass", w.plan.Pass, "open", len(w.open), "since", time.Since(heard).Round(time.Second))
		}
		pause = w.pause(w.done-resumed, time.Since(began), quiet)
	}
	return nil
}

// silent is why a pass ends although shards have no report. Their messages may come back: a redrive, or the same pass started
// again, finishes it.
func (w *watch) silent() error {
	first := slices.MinFunc(slices.Collect(maps.Values(w.open)), func(a, b pipeline.Shard) int {
		return cmp.Or(cmp.Compare(a.Bucket, b.Bucket), cmp.Compare(a.After, b.After))
	})
	return fmt.Errorf("no worker has written a report for %s. Shards without one: %d; the first is bucket %s after %.100q through %.100q. "+
		"If no worker is running, start one with the same reports. If the workers have given the shards up, the dead letters of their queue say why: "+
		"remove the cause and send them back with redrive", longSilence, len(w.open), first.Bucket, first.After, first.Through)
}

// poll looks once for the reports of open shards.
func (w *watch) poll(ctx context.Context) error {
	if _, listing := w.reads(); !listing {
		return w.look(ctx, slices.Collect(maps.Values(w.open)))
	}
	var there []pipeline.Shard
	for name, err := range w.Reports.Names(ctx, reportsOf(w.plan.Pass)) {
		if err != nil {
			return fmt.Errorf("pass %s: list the reports: %w", w.plan.Pass, err)
		}
		if s, ok := w.open[name]; ok {
			there = append(there, s)
		}
	}
	return w.look(ctx, there)
}
