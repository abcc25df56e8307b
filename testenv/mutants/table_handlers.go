package main

// handlerMutants break what is done with an event.
var handlerMutants = []mutant{
	{
		name: "ack-before-record",
		what: "the record is written in the background, and the message is acknowledged meanwhile",
		changes: []change{{
			file: "handlers/reconcile.go",
			old:  `	if err := w.bucket.Records.Save(ctx, record, seen); err != nil {`,
			new: `	go func(ctx context.Context) { _ = w.bucket.Records.Save(ctx, record, seen) }(context.WithoutCancel(ctx))
	if err := ctx.Err(); err != nil {`,
		}},
	},
	{
		name: "no-look-after-write",
		what: "a worker does not look at the object again after it wrote the record",
		changes: []change{{
			file: "handlers/reconcile.go",
			old: `	w.forget(late, w.bucket, record.Source)
	if err := w.confirm(late, record.Source, false); err != nil {
		return pipeline.Result{}, err
	}
`,
			new: `	w.forget(late, w.bucket, record.Source)
`,
		}},
	},
	{
		name: "look-ends-with-the-lease",
		rare: true,
		what: "the look after a write is cancelled with the lease, although the write may still take effect",
		changes: []change{{
			file: "handlers/reconcile.go",
			old:  `	late, cancel := lasting(ctx, lastLook)`,
			new:  `	late, cancel := context.WithCancel(ctx)`,
		}},
	},
	{
		name: "known-without-look",
		what: "a worker that finds the record of the event's version does not look whether that is still the current one",
		changes: []change{{
			file: "handlers/reconcile.go",
			old: `	if err == nil {
		s.object, s.gone, err = w.current(ctx)
	}
`,
			new: `	if err == nil && s.record != nil && s.record.Covers(w.event.Object, w.Algorithms) {
		s.object = s.record.Source
	} else if err == nil {
		s.object, s.gone, err = w.current(ctx)
	}
`,
		}},
	},
	{
		name: "lying-event-believed",
		what: "an event of a version that is not the current one counts as overwritten",
		changes: []change{{
			file: "handlers/reconcile.go",
			old: `	case s.gone != nil:
		return w.gone(ctx, late, s, selected)
`,
			new: `	case s.gone != nil:
		return w.gone(ctx, late, s, selected)
	case w.event.Object.ETag != "" && w.event.Object.ETag != s.object.ETag:
		return pipeline.Result{}, fmt.Errorf("%s was overwritten: %w", w.key, pipeline.ErrMissing)
`,
		}},
	},
	{
		name: "object-before-record",
		what: "a worker looks at the object first and at the record then, so that it may replace a newer record",
		changes: []change{{
			file: "handlers/reconcile.go",
			old: `	s, err := w.record(ctx)
`,
			new: `	object, gone, failed := w.current(ctx)
	s, err := w.record(ctx)
	err = cmp.Or(err, failed)
`,
		}, {
			file: "handlers/reconcile.go",
			old:  `		s.object, s.gone, err = w.current(ctx)`,
			new:  `		s.object, s.gone = object, gone`,
		}},
	},
	{
		name: "no-look-after-remove",
		what: "a worker does not look at the key again after it removed the record of a deleted object",
		changes: []change{{
			file: "handlers/reconcile.go",
			old:  `			return result, w.confirm(late, w.key, true)`,
			new:  `			return result, nil`,
		}},
	},
	{
		name: "delete-event-believed",
		what: "a delete event removes the record without a look whether the object is there",
		changes: []change{{
			file: "handlers/reconcile.go",
			old: `	case s.gone != nil:
		return w.gone(ctx, late, s, selected)
`,
			new: `	case s.gone != nil, w.event.Kind == pipeline.Deleted:
		return w.gone(ctx, late, s, selected)
`,
		}, {
			file: "handlers/reconcile.go",
			old:  `			return result, w.confirm(late, w.key, true)`,
			new:  `			return result, nil`,
		}},
	},
	{
		name: "record-outlives-object",
		what: "the flag that keeps records of deleted objects is read the wrong way round",
		changes: []change{{
			file: "handlers/reconcile.go",
			old:  `	if !w.KeepRecords && (`,
			new:  `	if w.KeepRecords && (`,
		}},
	},
	{
		name: "missing-leaves-a-record",
		what: "a created event of an object that is gone does not remove its record",
		changes: []change{{
			file: "handlers/reconcile.go",
			old:  `(s.record != nil || deleted)`,
			new:  `deleted`,
		}},
	},
	{
		name: "one-reading-of-the-key",
		lie:  "key-raw",
		what: "only the first reading of an event's key is handled",
		changes: []change{{
			file: "handlers/handlers.go",
			old:  `	if e.OtherKey != "" {`,
			new:  `	if e.OtherKey != "" && err != nil && !isAbsent(err) {`,
		}},
	},
	{
		name: "superseded-by-sequencer",
		what: "an event counts as done when the record has its sequencer or a newer one, whatever the versions are",
		changes: []change{{
			file: "handlers/reconcile.go",
			old: `	switch {
	case s.gone != nil:`,
			new: `	switch {
	case s.record != nil && s.record.Source.Sequencer >= w.event.Object.Sequencer && w.event.Object.Sequencer != "":
		return pipeline.Result{}, fmt.Errorf("%s has the record of this event or a newer one: %w", w.key, pipeline.ErrMissing)
	case s.gone != nil:`,
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
			file: "handlers/reconcile.go",
			old: `	w.wrote = true
	if err := w.bucket.Records.Save(ctx, record, seen); err != nil {`,
			new: `	w.wrote = true
	if err := w.Observer.Publish(ctx, w.Publish, outcomeOf(record, pipeline.Recorded)); err != nil {
		return pipeline.Result{}, w.keep(record, err)
	}
	if err := w.bucket.Records.Save(ctx, record, seen); err != nil {`,
		}},
	},
	{
		name: "loop-guard-off",
		what: "a record that looks like an object gets a record of its own",
		changes: []change{{
			file: "handlers/handlers.go",
			old: `	if b.Records.IsRecord(e.Object.Key) {
		return fmt.Errorf("%s %w", e.Object, pipeline.ErrOwnRecord)
	}
`,
			new: ``,
		}, {
			file: "adapters/blobstore/open.go",
			old:  `	if err := ownRecord(metadata, key); err != nil {`,
			new:  `	if err := ownRecord(metadata, key); err != nil && !mayBeRecord(key) {`,
		}},
	},
}
