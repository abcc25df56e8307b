package main

// sweepMutants break the shards and reports of passes over existing objects.
var sweepMutants = []mutant{
	{
		name: "report-without-condition", pass: true,
		what: "a worker that finds another report in the place of its own continues with its own shards",
		changes: []change{{
			file: "pipeline/sweep/shard.go",
			old:  `		return x.report(ctx, s) // the report that was there first names the shards that follow`,
			new:  `		return report, h, nil`,
		}},
	},
	{
		name: "next-shards-after-ack", pass: true,
		what: "a message is acknowledged before the queue has the shards that follow",
		changes: []change{{
			file: "pipeline/sweep/worker.go",
			old: `		if err := w.Send(ctx, next); err != nil {
			return fmt.Errorf("%s: send the shard that follows to the queue: %w", next, err)
		}`,
			new: `		_ = w.Send(ctx, next)`,
		}},
	},
	{
		name: "stored-report-ends-shard", pass: true,
		what: "a worker that finds the report of its shard does not send the shards that follow, which the first worker may not have sent",
		changes: []change{{
			file: "pipeline/sweep/worker.go",
			old: `	if errors.Is(err, pipeline.ErrNotFound) {
		head, err = w.run(ctx, x, plan, s)
	}`,
			new: `	if err == nil {
		return nil
	}
	if errors.Is(err, pipeline.ErrNotFound) {
		head, err = w.run(ctx, x, plan, s)
	}`,
		}},
	},
	{
		name: "listing-error-is-end", pass: true,
		what: "a listing that fails counts as one that has ended",
		changes: []change{{
			file: "pipeline/sweep/list.go",
			old:  `			s.listErr = fmt.Errorf("list bucket %s after %q: %w", s.Bucket, last, failed)`,
			new:  `			s.listed = fmt.Errorf("list bucket %s after %q: %w", s.Bucket, last, failed) != nil`,
		}},
	},
	{
		name: "cut-is-end", pass: true,
		what: "a shard that is cut counts as complete",
		changes: []change{{
			file: "pipeline/sweep/run.go",
			old:  `s.end.Done = err == nil && (s.listed || in.Through != "" && s.end.At == in.Through)`,
			new:  `s.end.Done = err == nil`,
		}},
	},
	{
		name: "rows-behind-a-gap", pass: true,
		what: "rows behind an item without one are told, so that the report leaves the item out",
		changes: []change{{
			file: "pipeline/sweep/run.go",
			old: `			ended = t
			break`,
			new: `			ended = t
			continue`,
		}},
	},
	{
		name: "unfinished-object-dropped", pass: true,
		what: "the shard that continues an unfinished object is not sent",
		changes: []change{{
			file: "pipeline/sweep/shard.go",
			old:  `		if next = append(next, alone); end.Unfinished != in.Through {`,
			new:  `		if end.Unfinished != in.Through {`,
		}},
	},
	{
		name: "shard-outside-of-plan", pass: true,
		what: "a worker runs whatever shard a message names",
		changes: []change{{
			file: "pipeline/sweep/worker.go",
			old:  `plan.Pass != s.Pass || !plan.has(s)`,
			new:  `plan.Pass != s.Pass`,
		}},
	},
	{
		name: "parts-share-a-report", pass: true,
		what: "the report of a forged part of a range has the name of the whole one's",
		changes: []change{{
			file: "pipeline/sweep/names.go",
			old:  `shortHash(s.Bucket, s.After, s.Through)`,
			new:  `shortHash(s.Bucket, s.After)`,
		}},
	},
	{
		name: "silence-is-completion", pass: true,
		what: "a pass whose workers have given a shard up counts as complete",
		changes: []change{{
			file: "pipeline/sweep/watch.go",
			old:  `			return w.silent()`,
			new:  `			clear(w.open)`,
		}},
	},
	{
		name: "prefix-without-last-characters", pass: true,
		what: "the range of a prefix ends before keys whose next character is a large one",
		changes: []change{{
			file: "pipeline/sweep/select.go",
			old:  `			r.Through = rest + string(next) // it may be a key without the prefix itself`,
			new:  `			r.Through = rest + string(last) + string(next)`,
		}},
	},
}
