package pipeline_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

// keeper keeps one record.
type keeper struct {
	record  pipeline.Record
	err     error
	removes bool
	saved   int
	suffix  string
}

func (k *keeper) Lookup(context.Context, pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	return k.record, k, k.err
}

func (k *keeper) Save(_ context.Context, r pipeline.Record, seen pipeline.Seen) error {
	if seen != nil && seen != pipeline.Seen(k) {
		return errors.New("it is what another recorder saw")
	}
	k.saved++
	k.record = r
	return k.err
}

func (k *keeper) Remove(_ context.Context, _ pipeline.Object, seen pipeline.Seen) (bool, error) {
	if seen != pipeline.Seen(k) {
		return false, errors.New("it is what another recorder saw")
	}
	return k.removes, k.err
}

func (k *keeper) IsRecord(key string) bool { return key == "a"+k.suffix }

func TestRecordersLookup(t *testing.T) {
	record := func(version, sequencer string, digests ...string) pipeline.Record {
		r := pipeline.Record{Source: pipeline.Object{Key: "a", VersionID: version, Sequencer: sequencer}, Digests: map[string]string{}}
		for _, d := range digests {
			r.Digests[d] = d
		}
		return r
	}
	down := errors.New("503")
	file := pipeline.Record{UserFiles: []pipeline.UserFile{{Key: "a.md5", Algorithm: "md5"}}}
	withFile := pipeline.Record{Source: record("v1", "01").Source, UserFiles: file.UserFiles}
	for name, tc := range map[string]struct {
		first, second keeper
		want          pipeline.Record
		err           error
	}{
		"same":            {keeper{record: record("v1", "01", "md5")}, keeper{record: record("v1", "02", "md5")}, record("v1", "01", "md5"), nil},
		"in common":       {keeper{record: record("v1", "01", "md5", "sha1")}, keeper{record: record("v1", "01", "md5", "crc32c")}, record("v1", "01", "md5"), nil},
		"second missing":  {keeper{record: record("v1", "01", "md5")}, keeper{err: pipeline.ErrNotFound}, pipeline.Record{Source: record("v1", "01").Source}, nil},
		"first missing":   {keeper{err: pipeline.ErrNotFound}, keeper{record: record("v1", "01", "md5")}, pipeline.Record{Source: record("v1", "01").Source}, nil},
		"both missing":    {keeper{err: pipeline.ErrNotFound}, keeper{err: pipeline.ErrNotFound}, pipeline.Record{}, pipeline.ErrNotFound},
		"user's file":     {keeper{record: file, err: pipeline.ErrNotFound}, keeper{err: pipeline.ErrNotFound}, file, pipeline.ErrNotFound},
		"file and record": {keeper{record: file, err: pipeline.ErrNotFound}, keeper{record: record("v1", "01", "md5")}, withFile, nil},
		"one is down":     {keeper{err: down}, keeper{record: record("v1", "01", "md5")}, pipeline.Record{}, down},
		"of two versions": {keeper{record: record("v1", "01", "md5")}, keeper{record: record("v2", "02", "md5")}, pipeline.Record{Source: record("v1", "01").Source}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := pipeline.Recorders(&tc.first, &tc.second).Lookup(t.Context(), pipeline.Object{})
			if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Errorf("got %v, want %v", err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecordersTryAll(t *testing.T) {
	first, second := &keeper{err: pipeline.ErrChanged, suffix: ".md5"}, &keeper{err: errors.New("503"), removes: true, suffix: ".sum"}
	r := pipeline.Recorders(first, second)
	both := []pipeline.Seen{first, second}
	if err := r.Save(t.Context(), pipeline.Record{}, both); pipeline.Classify(err) != pipeline.ClassTransient || first.saved != 1 || second.saved != 1 {
		t.Errorf("Save: %v", err)
	}
	if removed, err := r.Remove(t.Context(), pipeline.Object{}, both); !removed || pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("Remove: %v, %v", removed, err)
	}
	second.err = nil
	if err := r.Save(t.Context(), pipeline.Record{}, nil); !errors.Is(err, pipeline.ErrChanged) {
		t.Errorf("Save: %v", err)
	}
	if !r.IsRecord("a.md5") || !r.IsRecord("a.sum") || r.IsRecord("a") {
		t.Error("IsRecord")
	}
	if pipeline.Recorders(first) != pipeline.Recorder(first) {
		t.Error("one recorder is wrapped")
	}
}
