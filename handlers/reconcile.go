package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

const (
	// lookFirst is the size in bytes above which an object is not read before its record was looked at.
	// A smaller one costs less to read than to look up.
	lookFirst = 8 << 20
	// maxRounds limits how often one handling looks, because an object may change all the time.
	maxRounds = 8
	// lastLook is how long a handling continues after its context has ended, if it has begun a write: see
	// reconcile. A little later the pipeline stops waiting for it.
	lastLook = 4 * time.Second
)

// errAgain ends a round that another one has to follow.
var errAgain = fmt.Errorf("look again: %w", pipeline.ErrChanged)

// work makes the record of one key agree with its object.
type work struct {
	Config
	bucket pipeline.Bucket
	event  pipeline.Event
	key    pipeline.Object // the current version, whatever it is
	looked *looked         // nil: the record was not looked at before
	wrote  bool            // a write has begun, and its effect may come at any time
	// hasRead: a round has read the object. A large one is not read again at once.
	hasRead bool
}

// looked is a look at the record that was made just before, and showed none of the version of the event.
type looked struct{ seen pipeline.Seen }

// sight is what a look showed.
type sight struct {
	record *pipeline.Record    // nil: none
	files  []pipeline.UserFile // in the place of records
	seen   pipeline.Seen
	object pipeline.Object
	gone   error // why there is no object; nil: there is one
}

// outdated reports whether there is a record of another version than the current one.
func (s sight) outdated() bool { return s.record != nil && !s.record.Source.SameVersion(s.object) }

// reconcile makes the record of a key agree with its object, and returns when a look has shown that they
// do. The event only names the key: its version may save work, and decides nothing.
//
// A round looks at the record, then at the object, reads the object if they differ, writes on the condition
// that the record is still the same, and looks at the object again. In this order a record never replaces
// the record of a newer version. The first round leaves out the first look if the object is probably small
// and new: the reading shows what its version is, and the write succeeds only if there is no record. If the record was
// looked at before, the first round begins with the reading, which fails unless the event's version is the current one.
//
// A write that has begun may take effect after the lease is lost and another worker has done everything.
// So the look after it does not depend on the lease.
func (c Config) reconcile(ctx context.Context, b pipeline.Bucket, e pipeline.Event, before *looked) (pipeline.Result, error) {
	w := &work{Config: c, bucket: b, event: e, looked: before}
	w.key = pipeline.Object{Bucket: e.Object.Bucket, Key: e.Object.Key, Size: pipeline.UnknownSize}
	late, cancel := lasting(ctx, lastLook)
	defer cancel()
	round := w.look
	if w.isNew() {
		round = w.readFirst
	}
	for range maxRounds {
		result, err := round(ctx, late)
		if !errors.Is(err, pipeline.ErrChanged) {
			return result, err
		}
		if w.wrote {
			ctx = late
		}
		if ctx.Err() != nil {
			return pipeline.Result{}, context.Cause(ctx)
		}
		round = w.look
	}
	return pipeline.Result{}, fmt.Errorf("%s, or its record, changed %d times while it was handled: it is tried again", w.key, maxRounds)
}

// lasting returns a context that ends d after ctx.
func lasting(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(d, func() { cancel(context.Cause(ctx)) })
	})
	return late, func() { stop(); cancel(nil) }
}

// isNew reports whether the event is probably the first one of a small object, or the record was looked at before.
func (w *work) isNew() bool {
	o := w.event.Object
	if w.looked != nil {
		return o.ETag != "" && !w.unsaved.has(o)
	}
	return w.event.Kind == pipeline.Created && !w.event.Repeated && 0 <= o.Size && o.Size <= lookFirst &&
		o.Key != w.event.OtherKey && w.Selects(o.Key) && !w.unsaved.has(o)
}

// readFirst is the first round for an object that is probably small and new, or whose record was looked at before.
func (w *work) readFirst(ctx, late context.Context) (pipeline.Result, error) {
	c, o, seen := w.Config, w.key, pipeline.Seen(nil)
	if w.looked == nil {
		c.atMost = lookFirst
	} else {
		// By its ETag a version is opened only if it is the current one.
		o, seen = w.event.Object, w.looked.seen
		o.VersionID = ""
	}
	record, err := c.read(ctx, w.bucket, o, nil)
	switch {
	case errors.Is(err, pipeline.ErrNotFound), errors.Is(err, pipeline.ErrArchived):
		return pipeline.Result{}, errAgain // a record may be left
	case err != nil:
		if w.looked != nil { // else it is too small for a checkpoint
			w.drop(ctx, o, err)
		}
		return pipeline.Result{}, err
	case record.Mismatched():
		return pipeline.Result{}, w.keep(record, errAgain)
	}
	return w.save(ctx, late, record, seen)
}

// drop deletes the checkpoint of an object whose reading ended with an error after which no other one resumes.
func (w *work) drop(ctx context.Context, o pipeline.Object, err error) {
	if errors.Is(err, pipeline.ErrChanged) || pipeline.Classify(err) == pipeline.ClassPermanent {
		w.forget(ctx, w.bucket, o)
	}
}

// look is a round that begins with a look.
func (w *work) look(ctx, late context.Context) (pipeline.Result, error) {
	selected := w.Selects(w.key.Key)
	filtered := fmt.Errorf("%s is %w", w.key, pipeline.ErrFiltered)
	s, err := w.record(ctx)
	if err == nil && !selected && s.record == nil && w.event.Kind != pipeline.Deleted {
		return pipeline.Result{}, filtered // the usual case
	}
	if err == nil {
		s.object, s.gone, err = w.current(ctx)
	}
	if err != nil {
		return pipeline.Result{}, err
	}
	record, isKept := w.unsaved.take(s.object)
	switch {
	case s.gone != nil:
		return w.gone(ctx, late, s, selected)
	case !selected && !s.outdated():
		return pipeline.Result{}, filtered
	case !selected:
		if err := w.remove(ctx, late, s); err != nil {
			return pipeline.Result{}, err
		}
		return pipeline.Result{Outcome: pipeline.Removed, Record: pipeline.Record{Source: s.object}}, nil
	case s.record != nil && s.record.Covers(s.object, w.Algorithms) && (w.RecordMismatches || !s.record.Mismatched()):
		w.forget(ctx, w.bucket, s.object)
		return outcomeOf(*s.record, pipeline.Current), nil
	case w.hasRead && !isKept && s.object.Size > lookFirst:
		return pipeline.Result{}, fmt.Errorf("%s changed while it was read: it is tried again", w.key)
	}
	var says known
	if w.keepRecorded {
		says = filesSay(stray(s.files))
		if s.record != nil && isUnmodified(w.bucket, s.record.Source, s.object) {
			says = append(says, recordSays(*s.record)...)
		}
	}
	if !isKept {
		w.hasRead = true
		record, err = w.read(ctx, w.bucket, s.object, says)
	}
	if errors.Is(err, pipeline.ErrNotFound) {
		err = errors.Join(errAgain, err)
	}
	switch {
	case errors.Is(err, pipeline.ErrArchived):
		if failed := w.remove(ctx, late, s); failed != nil {
			return pipeline.Result{}, failed
		}
		return pipeline.Result{}, err
	case err != nil:
		w.drop(ctx, s.object, err)
		return pipeline.Result{}, err
	}
	if failed := says.failed(record.Digests); failed != nil {
		record.Checks = append(slices.Clone(record.Checks), failed...)
		s.record = nil // it stays: it shows what the content once was
		return w.refuse(ctx, late, s, record)
	}
	if record.Mismatched() {
		w.Log.LogAttrs(ctx, slog.LevelError, "content is not what its store claims", append(attrs(record.Source),
			slog.String("reason", mismatches(record.Checks)), slog.Bool("recorded", w.RecordMismatches))...)
		if !w.RecordMismatches {
			return w.refuse(ctx, late, s, record)
		}
	}
	return w.save(ctx, late, record, s.seen)
}

// record looks at the record.
func (w *work) record(ctx context.Context) (s sight, err error) {
	record, seen, err := w.bucket.Records.Lookup(ctx, w.key)
	if errors.Is(err, pipeline.ErrNotFound) {
		return sight{files: record.UserFiles, seen: seen}, nil
	}
	return sight{record: &record, files: record.UserFiles, seen: seen}, err
}

// current looks at the object.
func (w *work) current(ctx context.Context) (now pipeline.Object, gone, err error) {
	now, err = w.bucket.Source.Stat(ctx, w.key)
	if errors.Is(err, pipeline.ErrNotFound) {
		return w.key, err, nil
	}
	return now, nil, err
}

// save writes the record on the condition of what was seen, and looks at the object again: it may have been
// replaced or deleted just before that, and the event of the change may have been handled already.
func (w *work) save(ctx, late context.Context, record pipeline.Record, seen pipeline.Seen) (pipeline.Result, error) {
	if record.Source.SameVersion(w.event.Object) {
		record.Source.Sequencer = w.event.Object.Sequencer
	}
	w.wrote = true
	if err := w.bucket.Records.Save(ctx, record, seen); err != nil {
		refused := pipeline.Classify(err) == pipeline.ClassPermanent
		contradicts := refused && errors.Is(err, pipeline.ErrMismatch)
		if refused {
			// The record of one algorithm, or in one form, was refused. Another one may have been written. And a
			// file that contradicts this content may be right for the next one.
			err = cmp.Or(w.confirm(late, record.Source, false), err)
		}
		if errors.Is(err, pipeline.ErrNotFound) {
			err = errAgain // the object is gone
		}
		if contradicts && errors.Is(err, pipeline.ErrMismatch) {
			return w.contradicted(ctx, record, err)
		}
		return pipeline.Result{Record: record}, w.keep(record, w.written(ctx, err))
	}
	w.forget(late, w.bucket, record.Source)
	if err := w.confirm(late, record.Source, false); err != nil {
		return pipeline.Result{}, err
	}
	return outcomeOf(record, pipeline.Recorded), nil
}

// contradicted ends with err for content that a user's checksum file contradicts.
func (w *work) contradicted(ctx context.Context, record pipeline.Record, err error) (pipeline.Result, error) {
	if e, ok := errors.AsType[*pipeline.ContradictionError](err); ok {
		record.Checks = append(slices.Clone(record.Checks), e.Check)
	}
	result := outcomeOf(record, pipeline.Mismatch)
	result.Saved = false
	w.Log.LogAttrs(ctx, slog.LevelError, "content is not what a checksum file says", append(attrs(record.Source), slog.String("reason", result.Reason))...)
	w.forget(ctx, w.bucket, record.Source)
	return result, err
}

// written returns errAgain, which leads to another look, if a write failed because the context has ended: it
// may take effect all the same. Otherwise it returns err.
func (w *work) written(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errAgain
	}
	return err
}

// confirm returns errAgain if the object is no longer in the state that was seen before.
func (w *work) confirm(ctx context.Context, o pipeline.Object, gone bool) error {
	now, is, err := w.current(ctx)
	if err == nil && (gone != (is != nil) || !gone && !now.SameVersion(o)) {
		return errAgain
	}
	return err
}

// gone removes the record of an object that is gone, or that no longer is one: in a folder, a link that leads out may
// take the place of a file.
func (w *work) gone(ctx, late context.Context, s sight, selected bool) (pipeline.Result, error) {
	result := pipeline.Result{Outcome: pipeline.Kept, Record: pipeline.Record{Source: w.event.Object}}
	deleted := w.event.Kind == pipeline.Deleted
	if !w.KeepRecords && (s.record != nil || deleted) {
		w.wrote = true
		removed, err := w.bucket.Records.Remove(ctx, w.key, s.seen)
		if err != nil {
			return pipeline.Result{}, w.written(ctx, err)
		}
		switch {
		case removed:
			result.Outcome = pipeline.Removed
			return result, w.confirm(late, w.key, true)
		case s.record != nil:
			return pipeline.Result{}, errAgain // another worker removed it, before the object may have come back
		}
	}
	if pipeline.Classify(s.gone) == pipeline.ClassPermanent && !deleted {
		return pipeline.Result{}, s.gone // no object can have the key
	}
	switch {
	case !selected:
		return pipeline.Result{}, fmt.Errorf("%s is %w", w.key, pipeline.ErrFiltered)
	case s.record == nil && !deleted:
		w.forget(ctx, w.bucket, pipeline.Object{Bucket: w.key.Bucket, Key: w.key.Key, Size: w.event.Object.Size})
		return pipeline.Result{}, fmt.Errorf("%s: %w", w.key, pipeline.ErrMissing)
	}
	return result, nil
}

// remove removes the record of another version, which would look like a record of the current content. A
// record of exactly the current version stays: it shows what the content once was.
func (w *work) remove(ctx, late context.Context, s sight) error {
	if !s.outdated() {
		return nil
	}
	w.wrote = true
	if _, err := w.bucket.Records.Remove(ctx, w.key, s.seen); err != nil {
		return w.written(ctx, err)
	}
	return w.confirm(late, s.object, false)
}

// refuse ends with ErrMismatch for content that gets no record.
func (w *work) refuse(ctx, late context.Context, s sight, record pipeline.Record) (pipeline.Result, error) {
	if err := w.remove(ctx, late, s); err != nil {
		return pipeline.Result{}, w.keep(record, err)
	}
	if err := w.confirm(late, record.Source, false); err != nil {
		return pipeline.Result{}, w.keep(record, err)
	}
	w.forget(ctx, w.bucket, record.Source)
	result := outcomeOf(record, pipeline.Mismatch)
	result.Saved = false
	return result, pipeline.Permanent(fmt.Errorf("%s: %w: %s", w.key, pipeline.ErrMismatch, result.Reason))
}

// keep keeps a record that could not be written, and returns the error that prevented it.
func (w *work) keep(record pipeline.Record, err error) error {
	if pipeline.Classify(err) == pipeline.ClassTransient {
		w.unsaved.keep(record)
	}
	return err
}

// outcomeOf returns the result for a record that exists or is about to be written.
func outcomeOf(r pipeline.Record, usual pipeline.Outcome) pipeline.Result {
	if r.Mismatched() {
		return pipeline.Result{Outcome: pipeline.Mismatch, Record: r, Saved: true, Reason: mismatches(r.Checks)}
	}
	return pipeline.Result{Outcome: usual, Record: r}
}
