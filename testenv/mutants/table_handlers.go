package main

// handlerMutants break what is done with an event.
var handlerMutants = []mutant{
	{
		name: "ack-before-record",
		what: "the record is written in the background, and the message is acknowledged meanwhile",
		changes: []change{{
			file: "handlers/checksum.go",
			old: `	if err := b.Records.Save(ctx, record); err != nil {
		if`,
			new: `	go func(ctx context.Context) { _ = b.Records.Save(ctx, record) }(context.WithoutCancel(ctx))
	if err := ctx.Err(); err != nil {
		if`,
		}},
	},
	{
		name: "no-look-after-write",
		what: "a worker does not look at the object again after it wrote the record",
		changes: []change{{
			file: "handlers/checksum.go",
			old: `	c.forget(ctx, b, record.Source)
	return c.confirm(ctx, b, result)
}`,
			new: `	c.forget(ctx, b, record.Source)
	return result, nil, nil
}`,
		}},
	},
	{
		name: "known-without-look",
		rare: true,
		what: "a worker that finds the record of its version does not look whether that is still the current one",
		changes: []change{{
			file: "handlers/checksum.go",
			old:  `		return c.confirm(ctx, b, outcomeOf(*known, pipeline.Current))`,
			new:  `		return outcomeOf(*known, pipeline.Current), nil, nil`,
		}},
	},
	{
		name: "no-look-after-remove",
		rare: true,
		what: "a worker does not look at the key again after it removed the record of a deleted object",
		changes: []change{{
			file: "handlers/tombstone.go",
			old: `	if s, err := exists(ctx, b, o); s != nil || err != nil {
		return pipeline.Result{}, s, err
	}
	if err != nil {`,
			new: `	if err != nil {`,
		}},
	},
	{
		name: "delete-event-believed",
		what: "a delete event removes the record without a look whether the object is there",
		changes: []change{{
			file: "handlers/tombstone.go",
			old: `	if s, err := exists(ctx, b, o); s != nil || err != nil {
		return pipeline.Result{}, s, err
	}
	if c.KeepRecords {`,
			new: `	if c.KeepRecords {`,
		}, {
			file: "handlers/tombstone.go",
			old: `	if s, err := exists(ctx, b, o); s != nil || err != nil {
		return pipeline.Result{}, s, err
	}
	if err != nil {`,
			new: `	if err != nil {`,
		}},
	},
	{
		name: "record-outlives-object",
		what: "the flag that keeps records of deleted objects is read the wrong way round",
		changes: []change{{
			file: "handlers/tombstone.go",
			old:  `	if c.KeepRecords {`,
			new:  `	if !c.KeepRecords {`,
		}},
	},
	{
		name: "superseded-by-sequencer",
		what: "an event counts as done when the record has its sequencer or a newer one, whatever the versions are",
		changes: []change{{
			file: "handlers/checksum.go",
			old: `	switch {
	case record.Covers(o, c.Algorithms) &&`,
			new: `	switch {
	case record.Source.Sequencer != "" && pipeline.CompareSequencers(record.Source.Sequencer, o.Sequencer) >= 0:
		return nil, false, fmt.Errorf("%s has the record of this event or a newer one: %w", o, pipeline.ErrChanged)
	case record.Covers(o, c.Algorithms) &&`,
		}},
	},
	{
		name: "foreign-checkpoint",
		what: "a checkpoint counts for every version of the object that has the same size",
		changes: []change{{
			file: "handlers/checkpoint.go",
			old:  `	return p.Object.SameVersion(o) && p.Object.Size == o.Size`,
			new:  `	return p.Object.Key == o.Key && p.Object.Size == o.Size`,
		}},
	},
	{
		name: "unpinned-read",
		what: "a resumed reading asks for the current version instead of the one that its checkpoint names",
		changes: []change{{
			file: "handlers/reading.go",
			old:  `	r, err := x.bucket.Source.OpenAt(ctx, o, p.Offset)`,
			new:  `	r, err := x.bucket.Source.OpenAt(ctx, pipeline.Object{Bucket: o.Bucket, Key: o.Key, Size: pipeline.UnknownSize}, p.Offset)`,
		}, {
			file: "handlers/reading.go",
			old: `	if !p.isOf(r.Object()) {
		err = errForeign
	}
	if err == nil {
		err = v.digests.Restore(p.State)
	}`,
			new: `	err = v.digests.Restore(p.State)`,
		}},
	},
	{
		name: "wrong-offset",
		what: "a resumed reading begins one byte after the byte at which its checkpoint ends",
		changes: []change{{
			file: "handlers/reading.go",
			old:  `	r, err := x.bucket.Source.OpenAt(ctx, o, p.Offset)`,
			new:  `	r, err := x.bucket.Source.OpenAt(ctx, o, p.Offset+1)`,
		}},
	},
	{
		name: "kept-record-of-another-version",
		what: "a record that could not be written is taken for the next version of its object",
		changes: []change{{
			file: "handlers/unsaved.go",
			old:  `	return r, ok && r.Source.SameVersion(o)`,
			new:  `	return r, ok`,
		}},
	},
	{
		name: "result-not-announced",
		what: "a result that cannot be published is logged and forgotten",
		changes: []change{{
			file: "handlers/handlers.go",
			old: `	if failed != nil {
		return fmt.Errorf("publish the result of %s: %w", e.Object, failed)
	}`,
			new: `	if failed != nil {
		c.Log.WarnContext(ctx, "result not published", "key", e.Object.Key, "err", failed)
	}`,
		}},
	},
	{
		name: "result-before-record",
		what: "the result is announced before the record is written",
		changes: []change{{
			file: "handlers/checksum.go",
			old: `	if err := b.Records.Save(ctx, record); err != nil {
		if`,
			new: `	if err := c.Observer.Publish(ctx, c.Publish, result); err != nil {
		return pipeline.Result{}, nil, c.unsaved.keep(record, err)
	}
	if err := b.Records.Save(ctx, record); err != nil {
		if`,
		}},
	},
	{
		name: "loop-guard-off",
		what: "a record that looks like an object gets a record of its own",
		changes: []change{{
			file: "handlers/handlers.go",
			old: `	case b.Records.IsRecord(e.Object.Key):
		return fmt.Errorf("%s %w", e.Object, pipeline.ErrOwnRecord)
`,
			new: ``,
		}, {
			file: "adapters/blobstore/open.go",
			old:  `	if err := ownRecord(metadata, key); err != nil {`,
			new:  `	if err := ownRecord(metadata, key); err != nil && !mayBeRecord(key) {`,
		}},
	},
}
