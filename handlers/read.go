package handlers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// read digests the object. It reads content that differs from a claim of its store, or from the digests that are
// known of it, a second time, because the content may be wrong in the store or damaged on its way. It also reads an
// object a second time whose parts have other sizes than assumed, once the sizes are known.
func (c Config) read(ctx context.Context, b pipeline.Bucket, o pipeline.Object, known known) (pipeline.Record, error) {
	var until time.Time // the end of the slice, which both readings share
	record, first, err := c.digest(ctx, b, o, &until, nil)
	if err != nil {
		return pipeline.Record{}, err
	}
	if first == nil {
		reason := cmp.Or(mismatches(record.Checks), mismatches(known.failed(record.Digests)), misread(record.Checks))
		if reason == "" {
			return record, nil
		}
		// The checkpoint may contain the damage.
		c.forget(ctx, b, record.Source)
		first = &earlier{Digests: record.Digests, Reason: reason}
		if record, _, err = c.digest(ctx, b, record.Source, &until, first); err != nil {
			return pipeline.Record{}, err
		}
	}
	if maps.Equal(first.Digests, record.Digests) {
		return record, nil
	}
	if wrong := cmp.Or(mismatches(record.Checks), mismatches(known.failed(record.Digests))); wrong != "" {
		c.forget(ctx, b, record.Source)
		return pipeline.Record{}, fmt.Errorf("read %s twice: it differs from itself, and from what is known of it: %s", o, wrong)
	}
	c.Log.LogAttrs(ctx, slog.LevelWarn, "content was damaged on its way and is right the second time",
		append(attrs(record.Source), slog.String("reason", first.Reason))...)
	return record, nil
}

// digest reads the object once and compares it with the claims of its store. The first reading resumes
// at the checkpoint if there is one. The second reading gets in first what the first one found, and
// starts at the beginning. If the checkpoint belongs to a second reading, digest returns its first. The
// slice ends at until, which the first reading sets when it begins.
func (c Config) digest(ctx context.Context, b pipeline.Bucket, o pipeline.Object, until *time.Time, first *earlier) (pipeline.Record, *earlier, error) {
	r, err := c.begin(ctx, b, o, first)
	if err != nil {
		return pipeline.Record{}, nil, err
	}
	// A Close that fails after the last byte does not change the digest.
	defer r.Close()
	if c.Resume.Slice > 0 && until.IsZero() {
		*until = time.Now().Add(c.Resume.Slice)
	}
	r.until = *until
	began := r.verifier.digests.Size()
	err = r.copy(ctx)
	if c.bytesRead != nil {
		*c.bytesRead += r.verifier.digests.Size() - began
	}
	if err != nil {
		return pipeline.Record{}, nil, fmt.Errorf("read %s: %w", o, err)
	}
	read, size := r.Object(), r.verifier.digests.Size()
	if read.Size != pipeline.UnknownSize && read.Size != size {
		return pipeline.Record{}, nil, fmt.Errorf("read %s: got %d bytes of %d", o, size, read.Size)
	}
	read.Size, read.Sequencer = size, o.Sequencer
	checks, err := r.verifier.checks(ctx, read)
	if err != nil {
		return pipeline.Record{}, nil, err
	}
	return pipeline.Record{Source: read, Digests: r.verifier.digests.Sums(), ComputedAt: time.Now(), Checks: checks}, r.earlier, nil
}
