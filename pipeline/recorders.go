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

// Lookup returns the record with the digests that all of them agree on. If they have records of
// different versions, it returns the newest one without digests.
func (all recorders) Lookup(ctx context.Context, o Object) (Record, error) {
	var found Record
	for i, r := range all {
		record, err := r.Lookup(ctx, o)
		switch {
		case err != nil:
			return Record{}, err
		case i == 0:
			found = record
			found.Digests = maps.Clone(record.Digests)
		case record.Source.SameVersion(found.Source):
			maps.DeleteFunc(found.Digests, func(alg, value string) bool { return record.Digests[alg] != value })
		default:
			if CompareSequencers(record.Source.Sequencer, found.Source.Sequencer) > 0 {
				found = record
			}
			found.Digests = nil
		}
	}
	return found, nil
}

// Save saves in all of them, even if some fail.
func (all recorders) Save(ctx context.Context, r Record) error {
	var errs []error
	for _, one := range all {
		errs = append(errs, one.Save(ctx, r))
	}
	return errors.Join(errs...)
}

// Remove removes from all of them, even if some fail.
func (all recorders) Remove(ctx context.Context, o Object) (bool, error) {
	removed := false
	var errs []error
	for _, one := range all {
		done, err := one.Remove(ctx, o)
		removed = removed || done
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// IsRecord reports whether the key is the key of a record of any of them.
func (all recorders) IsRecord(key string) bool {
	return slices.ContainsFunc(all, func(one Recorder) bool { return one.IsRecord(key) })
}
