package handlers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// verify compares an object with its record, and its content with both, until a round ends in which neither
// changed.
func (x *examiner) verify(ctx context.Context, t *item) (sweep.Row, error) {
	if t.Record {
		return x.orphan(ctx, t)
	}
	x.listed.first(t.Object, t.At)
	if t.Archived && !x.options.RecordsOnly {
		return t.row(t.Object, sweep.Archived, ""), nil
	}
	o := t.Object
	for range maxRounds {
		v := &verification{examiner: x, item: t, object: o}
		row, now, err := v.round(ctx)
		if !errors.Is(err, pipeline.ErrChanged) {
			return row, err
		}
		o = now
	}
	return sweep.Row{}, fmt.Errorf("%s, or its record, changed %d times while it was verified", t.Object, maxRounds)
}

// verification is one round.
type verification struct {
	*examiner
	*item
	object  pipeline.Object  // the version that is verified
	record  *pipeline.Record // nil: none
	files   []pipeline.UserFile
	seen    pipeline.Seen
	content *pipeline.Record // what was read; nil: nothing
}

// round verifies one version. With ErrChanged it returns the object as it is now.
func (v *verification) round(ctx context.Context) (sweep.Row, pipeline.Object, error) {
	if err := v.look(ctx); err != nil {
		return v.changed(ctx, err)
	}
	state, reason := v.compare()
	if state == sweep.OK && v.isFresh() {
		return sweep.Row{}, v.object, nil
	}
	if v.options.RecordsOnly {
		if wrong := v.contradictedFiles(); wrong != "" {
			state, reason = sweep.Mismatch, wrong
		}
	} else {
		var err error
		if state, reason, err = v.readAndCompare(ctx, state, reason); err != nil {
			return v.changed(ctx, err)
		}
	}
	if state != sweep.OK {
		if err := v.confirm(ctx); err != nil {
			return v.changed(ctx, err)
		}
	} else if v.content != nil {
		v.renew(ctx)
	}
	row := v.found(state, reason)
	if state == sweep.Mismatch && v.plan.Command == sweep.Verify {
		return row, v.object, v.announceMismatch(ctx, row)
	}
	return row, v.object, nil
}

// changed ends a round with an error. If the object has changed or gone it looks where it is now.
func (v *verification) changed(ctx context.Context, err error) (sweep.Row, pipeline.Object, error) {
	if !errors.Is(err, pipeline.ErrChanged) && !errors.Is(err, pipeline.ErrNotFound) || pipeline.Classify(err) == pipeline.ClassPermanent {
		return sweep.Row{}, v.object, err
	}
	now, err := v.bucket.Source.Stat(ctx, pipeline.Object{Bucket: v.object.Bucket, Key: v.object.Key})
	if errors.Is(err, pipeline.ErrNotFound) {
		err = fmt.Errorf("%s: %w", v.object, pipeline.ErrMissing)
	}
	if err != nil {
		return sweep.Row{}, v.object, err
	}
	return sweep.Row{}, now, errAgain
}

// look looks at the record, and at the object if the listing does not tell its version.
func (v *verification) look(ctx context.Context) error {
	if v.options.Against {
		return nil
	}
	record, seen, err := v.bucket.Records.Lookup(ctx, v.object)
	switch {
	case err == nil:
		v.record = &record
	case !errors.Is(err, pipeline.ErrNotFound):
		return err
	}
	v.seen, v.files = seen, record.UserFiles
	if v.object.ETag == "" && v.object.VersionID == "" {
		v.object, err = v.bucket.Source.Stat(ctx, v.object)
		return err
	}
	return nil
}

// compare compares the record with the version of the object, without reading.
func (v *verification) compare() (sweep.State, string) {
	switch {
	case v.options.Against:
		return sweep.OK, ""
	case v.record == nil:
		return sweep.NoRecord, ""
	case !isUnmodified(v.bucket, v.record.Source, v.object):
		return sweep.Stale, ""
	}
	if lacks := missing(*v.record, v.Algorithms); lacks != "" {
		return sweep.NoRecord, lacks
	}
	if !v.options.RecordsOnly {
		return sweep.OK, ""
	}
	switch was, is := v.record.Source.Size, v.object.Size; {
	case is != pipeline.UnknownSize && was != is:
		return sweep.Mismatch, fmt.Sprintf("its record is of %d bytes, the object has %d", was, is)
	case v.record.Mismatched():
		return sweep.Mismatch, mismatches(v.record.Checks)
	}
	for _, claim := range v.Claims {
		if wrong := contradicts(claim, "its record", v.record.Digests); wrong != "" && !v.IgnoreClaims {
			return sweep.Mismatch, wrong
		}
	}
	return sweep.OK, ""
}

// contradicts says how a claim about the whole content differs from the digests of a source; empty if it does not.
func contradicts(claim pipeline.Claim, source string, digests map[string]string) string {
	recorded := digests[claim.Algorithm]
	if recorded == "" || !claim.WellFormed() {
		return ""
	}
	in64, err := digest.Base64(claim.Algorithm, recorded)
	if err != nil || claim.Value == recorded || claim.Value == in64 {
		return ""
	}
	return fmt.Sprintf("%s says %s %s, %s %s", claim.Name, claim.Algorithm, claim.Value, source, recorded)
}

// isUnmodified reports whether users have left the object alone between two states.
func isUnmodified(bucket pipeline.Bucket, a, b pipeline.Object) bool {
	return a.SameVersion(b) || bucket.Unmodified != nil && bucket.Unmodified(a, b)
}

// isFresh reports whether the content was found right so lately that this pass leaves it out.
func (v *verification) isFresh() bool {
	if v.options.VerifiedBefore.IsZero() || v.record == nil {
		return false
	}
	last := v.record.ComputedAt
	if v.record.VerifiedAt.After(last) {
		last = v.record.VerifiedAt
	}
	return !last.Before(v.options.VerifiedBefore)
}

// readAndCompare reads the object. Content that differs from the record of its version, from a user's file, or from a claim is a
// mismatch; otherwise the state stays what it was.
func (v *verification) readAndCompare(ctx context.Context, state sweep.State, reason string) (sweep.State, string, error) {
	c := v.Config
	c.bytesRead = &v.bytes
	known := v.known()
	content, err := c.read(ctx, v.bucket, v.object, known)
	if err != nil {
		return state, reason, err
	}
	v.content = &content
	c.forget(ctx, v.bucket, content.Source)
	if wrong := mismatches(slices.Concat(known.failed(content.Digests), content.Checks)); wrong != "" {
		return sweep.Mismatch, wrong, nil
	}
	return state, reason, nil
}

// known returns what the record says of the version that is verified, and what the files of users say.
func (v *verification) known() known {
	var all known
	if v.record != nil && isUnmodified(v.bucket, v.record.Source, v.object) {
		all = recordSays(*v.record)
	}
	return append(all, filesSay(v.files)...)
}

// recordSays returns what a record says of the content.
func recordSays(r pipeline.Record) (all known) {
	for _, alg := range slices.Sorted(maps.Keys(r.Digests)) {
		all = append(all, pipeline.Check{Name: byRecord, Algorithm: alg, Verdict: digest.Verdict{Claimed: r.Digests[alg]}})
	}
	return all
}

// confirm returns ErrChanged or ErrNotFound if the object or its record is not what it was before. What is wrong is
// told only if nothing changed meanwhile: the work on an upload may be under way.
func (v *verification) confirm(ctx context.Context) error {
	now, err := v.bucket.Source.Stat(ctx, v.object)
	if err != nil {
		return err
	}
	was := v.object
	if v.content != nil {
		was = v.content.Source
	}
	if !isUnmodified(v.bucket, was, now) {
		return errAgain
	}
	if v.options.Against {
		return nil
	}
	record, _, err := v.bucket.Records.Lookup(ctx, v.object)
	none := errors.Is(err, pipeline.ErrNotFound)
	switch {
	case (none || err == nil) && !reflect.DeepEqual(record.UserFiles, v.files):
		return errAgain
	case none && v.record == nil:
		return nil
	case none:
		return errAgain
	case err != nil:
		return err
	case v.record == nil || !record.Source.SameVersion(v.record.Source) || !maps.Equal(record.Digests, v.record.Digests):
		return errAgain
	}
	return nil
}

// renew saves when the content was last found right, if the pass selects objects by that.
func (v *verification) renew(ctx context.Context) {
	if v.options.VerifiedBefore.IsZero() || v.record == nil {
		return
	}
	renewed := *v.record
	renewed.VerifiedAt = v.content.ComputedAt
	err := v.bucket.Records.Save(ctx, renewed, v.seen)
	if err != nil && !errors.Is(err, pipeline.ErrChanged) && ctx.Err() == nil {
		v.renewal.Do(func() {
			v.Log.LogAttrs(ctx, slog.LevelWarn, "the time of a verification could not be saved with its record, so that the object is verified again by the next pass; this is logged once",
				append(attrs(v.object), slog.Any("err", err))...)
		})
	}
}

// found returns the row.
func (v *verification) found(state sweep.State, reason string) sweep.Row {
	o := v.object
	if v.content != nil {
		o = v.content.Source
	}
	if state == sweep.NoRecord {
		reason = v.filesFound(reason)
	}
	row := v.row(o, state, reason)
	if v.record != nil {
		row = recorded(row, *v.record)
	}
	if v.content == nil {
		return row
	}
	row.Checksums = v.content.Digests
	for _, c := range v.known().failed(v.content.Digests) {
		if row.Expected == nil {
			row.Expected = make(map[string]string)
		}
		row.Expected[c.Algorithm] = cmp.Or(row.Expected[c.Algorithm], c.Claimed)
	}
	if state == sweep.OK {
		row.VerifiedAt = moment(v.content.ComputedAt)
	}
	return row
}

// announceMismatch announces that an object is not what its record or its store says.
func (v *verification) announceMismatch(ctx context.Context, row sweep.Row) error {
	result := pipeline.Result{Outcome: pipeline.Mismatch, Record: pipeline.Record{Source: v.object}, Reason: row.Reason}
	switch {
	case v.content != nil:
		result.Record = *v.content
		result.Record.Checks = slices.Concat(v.content.Checks, v.known().failed(v.content.Digests))
	case v.record != nil:
		result.Record, result.Saved = *v.record, true
	}
	event := pipeline.Event{Kind: pipeline.Sweep, Object: v.object, ID: v.plan.Pass, Name: string(v.plan.Command)}
	if err := v.Config.announce(ctx, event, time.Now(), result); err != nil {
		return fmt.Errorf("%w: %s: %w", errUnannounced, row.Reason, err)
	}
	return nil
}
