package handlers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// checkVersions returns why a pass cannot be about every version.
func checkVersions(p sweep.Plan) error {
	o := p.Options
	if o.Versions && (p.Command != sweep.Verify || o.RecordsOnly || o.Against || !o.VerifiedBefore.IsZero()) {
		return fmt.Errorf("pass %s is about every version, and a record or a list is of the current ones only", p.Pass)
	}
	return nil
}

// verifyVersion verifies one version. The current one is compared with its record, as in a pass about current versions.
// If it is not the current one by now, the pass is still about it: the version that came after it is for the next pass.
func (x *examiner) verifyVersion(ctx context.Context, t *item) (sweep.Row, error) {
	if t.Record {
		return x.orphan(ctx, t)
	}
	if t.Noncurrent {
		return x.noncurrent(ctx, t)
	}
	current := *t
	current.Object.VersionID = "" // a record may name another version with the same content
	row, err := x.verify(ctx, &current)
	t.bytes = current.bytes
	listed := t.Object.VersionID
	switch {
	case errors.Is(err, pipeline.ErrMissing), row.VersionID != "" && row.VersionID != listed:
		return x.noncurrent(ctx, t)
	case listed == "null": // its row is that of an object without versions
	case row.State != "":
		row.VersionID = listed
	}
	return row, err
}

// noncurrent verifies a version that is not current: its content is compared with what its store states about it.
func (x *examiner) noncurrent(ctx context.Context, t *item) (sweep.Row, error) {
	if t.Archived {
		return t.past(t.Object, sweep.Archived, ""), nil
	}
	began := time.Now()
	c, b := x.Config, t.bucket
	c.bytesRead = &t.bytes
	b.Source = versionSource{b.Source, t.Object.VersionID}
	if b.Checkpoints != nil {
		b.Checkpoints = versionCheckpoints{b.Checkpoints, t.Object.VersionID}
	}
	content, err := c.read(ctx, b, t.Object, nil)
	if errors.Is(err, pipeline.ErrNotFound) && pipeline.Classify(err) != pipeline.ClassPermanent {
		err = fmt.Errorf("%w: %w", pipeline.ErrMissing, err) // it was deleted meanwhile
	}
	if err != nil {
		return sweep.Row{}, err
	}
	c.forget(ctx, b, content.Source)
	state, reason := sweep.OK, uncompared(content.Checks)
	if wrong := mismatches(content.Checks); wrong != "" {
		state, reason = sweep.Mismatch, wrong
	}
	row := t.past(content.Source, state, reason)
	row.Checksums = content.Digests
	if state == sweep.OK && reason == "" {
		row.VerifiedAt = moment(content.ComputedAt)
	}
	if state == sweep.Mismatch {
		event := pipeline.Event{Kind: pipeline.Sweep, Object: t.Object, ID: x.plan.Pass, Name: string(x.plan.Command)}
		if err := c.announce(ctx, event, began, pipeline.Result{Outcome: pipeline.Mismatch, Record: content, Reason: reason}); err != nil {
			return row, fmt.Errorf("%w: %s: %w", errUnannounced, reason, err)
		}
	}
	return row, nil
}

// past returns the row of a version that is not current.
func (t *item) past(o pipeline.Object, s sweep.State, reason string) sweep.Row {
	row := t.row(o, s, reason)
	row.VersionID, row.Noncurrent = t.Object.VersionID, true
	return row
}

// uncompared says why no claim about the content was checked; empty if one was.
func uncompared(checks []pipeline.Check) string {
	var unchecked []string
	for _, c := range checks {
		if c.Outcome == digest.Match {
			return ""
		}
		if c.Outcome == digest.Unchecked {
			unchecked = append(unchecked, c.Name+": "+c.Reason)
		}
	}
	if len(unchecked) == 0 {
		return "read; its store states no checksum to compare with"
	}
	return "read; what its store states could not be compared: " + strings.Join(unchecked, "; ")
}

// versionSource opens one version, also a second time: an opened object has no id if its version is the one that S3 calls
// "null", so that it would be taken for the current one.
type versionSource struct {
	pipeline.Source
	version string
}

// Open implements pipeline.Source.
func (s versionSource) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	o.VersionID = s.version
	return s.Source.Open(ctx, o)
}

// OpenAt implements pipeline.Source.
func (s versionSource) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	o.VersionID = s.version
	return s.Source.OpenAt(ctx, o, offset)
}

// versionCheckpoints keeps the checkpoints of one version apart from those of other versions of its key, which may be
// read at the same time.
type versionCheckpoints struct {
	pipeline.Checkpoints
	version string
}

func (c versionCheckpoints) of(o pipeline.Object) pipeline.Object {
	o.Key += "\x00" + c.version // it is only hashed
	return o
}

// Load implements pipeline.Checkpoints.
func (c versionCheckpoints) Load(ctx context.Context, o pipeline.Object) ([]byte, error) {
	return c.Checkpoints.Load(ctx, c.of(o))
}

// Save implements pipeline.Checkpoints.
func (c versionCheckpoints) Save(ctx context.Context, o pipeline.Object, state []byte) error {
	return c.Checkpoints.Save(ctx, c.of(o), state)
}

// Delete implements pipeline.Checkpoints.
func (c versionCheckpoints) Delete(ctx context.Context, o pipeline.Object) error {
	return c.Checkpoints.Delete(ctx, c.of(o))
}
