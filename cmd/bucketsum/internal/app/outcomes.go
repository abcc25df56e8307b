package app

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/adapters/watch"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/report"
	"github.com/bucketsum/bucketsum/pipeline"
)

// observer returns what tells the user of the work on files, when it happens.
func (l *local) observer() pipeline.Observer {
	return pipeline.Observer{
		Begin: l.ending.Begin, Step: l.ending.Step, Stepped: l.stepped, Opened: l.ending.Opened, Closed: l.ending.Closed,
		Result: l.result, End: l.end,
	}
}

func (l *local) result(_ context.Context, r pipeline.Result, _ error) {
	if r.Outcome != pipeline.Mismatch { // end tells it
		l.failing.Mended(r.Record.Source.Key)
	}
	l.report.Result(r)
}

// triedAgain are the steps whose failures are told when they happen.
var triedAgain = []pipeline.Step{pipeline.StepOpen, pipeline.StepHash, pipeline.StepLookup, pipeline.StepRecord, pipeline.StepRemove}

// stepped tells the first failure of a file that is tried again.
func (l *local) stepped(ctx context.Context, s pipeline.Step, _ time.Time, err error) {
	_, passes := passingFault(err)
	if err == nil || passes || ctx.Err() != nil || !slices.Contains(triedAgain, s) || pipeline.Classify(err) != pipeline.ClassTransient ||
		errors.Is(err, pipeline.ErrNotFound) || errors.Is(err, pipeline.ErrChanged) {
		return
	}
	if key := l.ending.KeyOf(ctx); key != "" && l.failing.Again(key) {
		l.report.Told("RETRY", key, l.failing.Reason(key, err)+"; it is tried again")
	}
}

// end tells what failed in a delivery, and forgets failures that are over.
func (l *local) end(ctx context.Context, d pipeline.Delivery) {
	l.waiting.handled(d)
	l.ending.End(ctx, d)
	for _, h := range d.Events {
		switch pipeline.Superseded(h.Err) {
		case "":
			continue
		case pipeline.SupersededFiltered:
			l.skipped.Add(h.Event.Object.Key, report.SkipExcluded)
		}
		l.failing.Mended(h.Event.Object.Key)
	}
	if d.Fate != pipeline.DeadLettered {
		return
	}
	if len(d.Events) == 0 { // it could not be decoded
		l.failed(report.Failure{Key: "message " + d.MessageID, Reason: d.Err.Error()})
	}
	for _, h := range d.Events {
		if c := pipeline.Classify(h.Err); c == pipeline.ClassNone || c == pipeline.ClassSuperseded {
			continue
		}
		key := h.Event.Object.Key
		l.failed(report.Failure{Key: key, Reason: l.failing.Reason(key, h.Err), Mismatch: errors.Is(h.Err, pipeline.ErrMismatch)})
	}
}

// failed tells a failure, and remembers it for the summary.
func (l *local) failed(e report.Failure) {
	l.failing.Add(e)
	l.report.Told(e.Head(), e.Key, e.Reason)
}

// watchSkips are the skips that the watcher reports.
var watchSkips = map[watch.Skip]report.Skip{watch.Link: report.SkipLink, watch.Special: report.SkipSpecial, watch.LoneRecord: report.SkipLone}
