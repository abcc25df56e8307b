package pipeline

import (
	"context"
	"errors"
	"maps"
	"slices"
)

// Recorders returns a Recorder that keeps every record in all of the given ones, at least one. A record
// exists when all of them have it.
func Recorders(all ...Recorder) Recorder {
	if len(all) == 1 {
		return all[0]
	}
	return recorders(all)
}

type recorders []Recorder

// Lookup returns the record with the digests that all of them agree on. If some of them have no record, or
// one of another version, it returns a record without digests.
func (all recorders) Lookup(ctx context.Context, o Object) (Record, Seen, error) {
	var found *Record
	seen := make([]Seen, len(all))
	missing := 0
	var none error
	var files []UserFile
	for i, r := range all {
		record, saw, err := r.Lookup(ctx, o)
		seen[i] = saw
		files = append(files, record.UserFiles...)
		switch {
		case errors.Is(err, ErrNotFound):
			missing++
			none = err
		case err != nil:
			return Record{}, nil, err
		case found == nil:
			record.Digests = maps.Clone(record.Digests)
			found = &record
		case record.Source.SameVersion(found.Source):
			maps.DeleteFunc(found.Digests, func(alg, value string) bool { return record.Digests[alg] != value })
		default:
			found.Digests = nil
		}
	}
	if found == nil {
		return Record{UserFiles: files}, seen, none
	}
	if missing > 0 {
		found.Digests = nil
	}
	found.UserFiles = files
	return *found, seen, nil
}

// Save saves in all of them, even if some fail.
func (all recorders) Save(ctx context.Context, r Record, seen Seen) error {
	var errs []error
	for i, one := range all {
		errs = append(errs, one.Save(ctx, r, of(seen, i)))
	}
	return errors.Join(errs...)
}

// of returns what the recorder i saw.
func of(seen Seen, i int) Seen {
	if all, ok := seen.([]Seen); ok {
		return all[i]
	}
	return nil
}

// Remove removes from all of them, even if some fail.
func (all recorders) Remove(ctx context.Context, o Object, seen Seen) (bool, error) {
	removed := false
	var errs []error
	for i, one := range all {
		done, err := one.Remove(ctx, o, of(seen, i))
		removed = removed || done
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// IsRecord reports whether the key is the key of a record of any of them.
func (all recorders) IsRecord(key string) bool {
	return slices.ContainsFunc(all, func(one Recorder) bool { return one.IsRecord(key) })
}
