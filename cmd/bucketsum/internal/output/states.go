package output

import "github.com/bucketsum/bucketsum/pipeline/sweep"

// worstFirst has the states in the order in which people need to see them.
var worstFirst = []sweep.State{
	sweep.Mismatch, sweep.Missing, sweep.Unreadable, sweep.Stale, sweep.NoRecord, sweep.Orphan, sweep.Moved, sweep.New,
	sweep.Archived, sweep.Recorded, sweep.OK,
}

// meaning says what a state is, to follow the number of objects, and what to do next.
func (p Pass) meaning(s sweep.State) (what, next string) {
	const record = "Run bucketsum backfill."
	list := p.List != ""
	switch s {
	case sweep.OK:
		switch {
		case list:
			return "as listed", ""
		case p.Command == sweep.Verify && p.Options.RecordsOnly:
			return "as recorded, by version and size", ""
		case p.Options.Versions:
			return "as recorded or claimed, or read without a claim", ""
		case p.Command == sweep.Verify:
			return "as recorded", ""
		case p.Command == sweep.Manifest:
			return "with a record", ""
		}
		return "had their record", ""
	case sweep.Recorded:
		return "have their record now", ""
	case sweep.Mismatch:
		switch {
		case list:
			return "other content than listed", "Restore them from a copy, or correct the list."
		case p.Command == sweep.Backfill:
			return "other content than recorded or claimed", "Restore them from a copy. If the content is right, correct or delete the checksum or the record that contradicts it."
		}
		if p.Options.Versions {
			return "other content than recorded or claimed", "Restore them from a copy. If the content of a current version is right, delete the record and run bucketsum backfill."
		}
		return "other content than recorded or claimed", "Restore them from a copy. If the content is right, delete the record or checksum file that contradicts it, and run bucketsum backfill."
	case sweep.Missing:
		return "listed, but not in the bucket", "Upload them again, or take them off the list."
	case sweep.Unreadable:
		return "could not be read", "Remove the causes, then begin a new pass."
	case sweep.Stale:
		return "changed since they were recorded", "If the change was meant, run bucketsum backfill. If not, restore them from a copy."
	case sweep.NoRecord:
		if p.Command == sweep.Backfill {
			return "without a record", "Do what the lines above say, then run bucketsum backfill again."
		}
		return "without a record", record
	case sweep.Orphan:
		return "records without their object", "Restore the objects if they are missed, or delete the records."
	case sweep.Moved:
		return "listed content under another name", "Correct the list, or rename the objects."
	case sweep.New:
		return "not in the list", "Add them to the list if they belong there."
	case sweep.Archived:
		return "cannot be read before they are restored", "Restore them from the archive, then begin a new pass."
	}
	return "of a state that this version does not know", "Use the version of bucketsum that ran the pass."
}
