package main

// passMutants break what a pass does with one object. The simulator handles events only, so that the ordinary tests have
// to kill them.
var passMutants = []mutant{
	{
		name: "stale-record-is-ok", pass: true,
		what: "a record of another version counts as that of the object",
		changes: []change{{
			file: "handlers/fixity.go",
			old:  `	case !isUnmodified(v.bucket, v.record.Source, v.object):`,
			new:  `	case !isUnmodified(v.bucket, v.record.Source, v.record.Source):`,
		}},
	},
	{
		name: "damage-is-not-read-twice", pass: true,
		what: "content that differs from its record is not read a second time, so that damage on the way is a mismatch",
		changes: []change{{
			file: "handlers/fixity.go",
			old:  `	content, err := c.read(ctx, v.bucket, v.object, known)`,
			new:  `	content, err := c.read(ctx, v.bucket, v.object, nil)`,
		}},
	},
	{
		name: "mismatch-is-not-confirmed", pass: true,
		what: "what a verification finds is reported without another look, so that an overwrite during it is a mismatch",
		changes: []change{{
			file: "handlers/fixity.go",
			old:  `	if state != sweep.OK {`,
			new:  `	if state == "" {`,
		}},
	},
	{
		name: "record-is-not-looked-at-again", pass: true,
		what: "a verification looks at the object again, and not at its record, so that an upload that is being handled has no record",
		changes: []change{{
			file: "handlers/fixity.go",
			old: `	if v.options.Against {
		return nil
	}
	record, _, err := v.bucket.Records.Lookup(ctx, v.object)
`,
			new: `	if v.options.Against || v.bucket.Records != nil {
		return nil
	}
	record, _, err := v.bucket.Records.Lookup(ctx, v.object)
`,
		}},
	},
	{
		name: "time-of-change-decides", pass: true,
		what: "in a folder, content that changed under the same modification time and size is of another version",
		changes: []change{{
			file: "handlers/fixity.go",
			old:  `	return a.SameVersion(b) || bucket.Unmodified != nil && bucket.Unmodified(a, b)`,
			new:  `	return a.SameVersion(b)`,
		}},
	},
	{
		name: "claims-are-not-verified", pass: true,
		what: "a verification compares content with its record only, not with what the store claims",
		changes: []change{{
			file: "handlers/fixity.go",
			old:  `slices.Concat(known.failed(content.Digests), content.Checks)`,
			new:  `known.failed(content.Digests)`,
		}},
	},
	{
		name: "unreadable-at-once", pass: true,
		what: "a store that is slow for a second makes an object unreadable",
		changes: []change{{
			file: "handlers/examine.go",
			old:  `		case class == pipeline.ClassTransient && n < examinations:`,
			new:  `		case class == pipeline.ClassTransient && n < examinations-examinations:`,
		}},
	},
	{
		name: "orphan-without-look", pass: true,
		what: "a record whose object was not listed just before counts as orphaned without a look at the object",
		changes: []change{{
			file: "handlers/orphan.go",
			old: `		_, err := t.bucket.Source.Stat(ctx, t.Object)
`,
			new: `		_, _, err := t.bucket.Records.Lookup(ctx, t.Object)
		if err == nil {
			return true, nil
		}
`,
		}},
	},
	{
		name: "backfill-reads-all", pass: true,
		what: "a backfill reads an object that has its record",
		changes: []change{{
			file: "handlers/backfill.go",
			old:  `	case !isUnmodified(b, record.Source, t.Object):`,
			new:  `	case isUnmodified(b, record.Source, t.Object) || !isUnmodified(b, record.Source, t.Object):`,
		}},
	},
	{
		name: "backfill-reads-unpinned", pass: true,
		what: "a backfill reads whatever version there is, although the listing named one: bytes for nothing",
		changes: []change{{
			file: "handlers/reconcile.go",
			old:  `		o, seen = w.event.Object, w.looked.seen`,
			new:  `		seen = w.looked.seen`,
		}},
	},
	{
		name: "backfill-writes-over-what-it-did-not-see", pass: true,
		what: "a backfill forgets what it saw of the record, so that it cannot replace one of an older version at once",
		changes: []change{{
			file: "handlers/backfill.go",
			old: `	case !isUnmodified(b, record.Source, t.Object):
		before = &looked{seen}`,
			new: `	case !isUnmodified(b, record.Source, t.Object):
		before = &looked{}`,
		}},
	},
	{
		name: "backfill-is-silent-after-a-crash", pass: true,
		what: "a record that a run of the pass wrote before it died is not announced by the next run",
		changes: []change{{
			file: "handlers/backfill.go",
			old:  `record.ComputedAt.After(x.plan.Created)`,
			new:  `record.ComputedAt.After(time.Now())`,
		}},
	},
	{
		name: "fresh-objects-are-read", pass: true,
		what: "a pass over objects that were not verified for some time reads those that were, too",
		changes: []change{{
			file: "handlers/fixity.go",
			old:  `	return !last.Before(v.options.VerifiedBefore)`,
			new:  `	return last.After(time.Now())`,
		}},
	},
	{
		name: "renewal-changes-the-record", pass: true,
		what: "a verification saves what it read instead of the record with the time of the verification",
		changes: []change{{
			file: "handlers/fixity.go",
			old:  `	renewed := *v.record`,
			new:  `	renewed := *v.content`,
		}},
	},
	{
		name: "shards-wait-for-each-other", pass: true,
		what: "a worker runs the shards of one bucket one after the other",
		changes: []change{{
			file: "pipeline/dedupe.go",
			old:  `		if e.Shard != nil {`,
			new:  `		if e.Shard != nil && e.Object.Key != "" {`,
		}},
	},
}
