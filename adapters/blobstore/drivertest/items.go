package drivertest

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// oddKeys sort in other ways where a store compares folders, characters of UTF-16 or letters
// instead of bytes. None is the folder of another.
var oddKeys = []string{
	"a-", "a/b", "a.b", "a b", "a+b", "a%25", "%zz", "A", "Z/z", "a0", "aa/", "é", "e\u0301", "日本/語", "\U0001F600", "\uFB01x",
	"\x01ctl", "tab\tx", "new\nline", "~", "\u2028x", "<x>&amp;", "quote'\"", "back\\slash", "dir/sub/x", "dir-/x", "dir/sub-/x",
	"dir/sub.d/y", "photos/1.jpg", "photos/10.jpg", "photos/2.jpg",
}

// TestItems checks that ranges divide the items of a bucket, whatever its keys are: each item is in one range, and all
// come in the order of bytes.
func TestItems(t *testing.T, h pipelinetest.Store) {
	t.Helper()
	store := h.Open(t).Source.(*blobstore.Store)
	var keys []string
	for _, key := range oddKeys {
		if h.Holds == nil || h.Holds(key) {
			h.Put(t, key, "content of "+key)
			keys = append(keys, key)
		}
	}
	var records []string
	for _, key := range []string{"a-", "photos/1.jpg", "photos/2.jpg"} {
		o, err := store.Stat(t.Context(), pipeline.Object{Bucket: h.Name, Key: key})
		if err == nil {
			err = pipelinetest.Save(t.Context(), store.Bucket().Records, Record(o))
		}
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, key)
	}
	slices.Sort(keys)
	slices.Sort(records)

	whole := itemsOf(t, store, sweep.Range{})
	named := func(items []sweep.Item) []sweep.Item {
		return slices.DeleteFunc(items, func(i sweep.Item) bool { return strings.Contains(i.Object.Key, "\uFFFD") })
	}
	var objects, recorded, positions []string
	for _, i := range whole {
		positions = append(positions, i.At)
		switch {
		case strings.Contains(i.Object.Key, "\uFFFD"): // the store cannot tell its key
			objects = append(objects, strings.ReplaceAll(i.Object.Key, "\uFFFD", "\x01"))
		case i.Record:
			recorded = append(recorded, i.Object.Key)
		case !strings.HasSuffix(i.At, "/") || slices.Contains(oddKeys, i.At): // some stores list folders
			objects = append(objects, i.At)
			if now, err := store.Stat(t.Context(), i.Object); err == nil && (now.Size != i.Object.Size || now.ETag != i.Object.ETag) {
				t.Errorf("%q: listed %+v, it is %+v", i.At, i.Object, now)
			}
			if i.Modified.IsZero() {
				t.Errorf("%q: it is not known when it was modified", i.At)
			}
		}
	}
	slices.Sort(recorded) // by the keys of their objects
	if diff := cmp.Diff(keys, objects); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(records, recorded); diff != "" {
		t.Errorf("objects that have records (-want +got):\n%s", diff)
	}
	if !slices.IsSorted(positions) || len(slices.Compact(slices.Clone(positions))) != len(positions) {
		t.Errorf("positions are not in order: %q", positions)
	}

	whole = named(whole) // it is not known in which range the others are
	bounds := []string{"\x01", "a", "a/", "b\uFFFC", "photos/1", "\uFFFC"}
	for _, at := range positions {
		bounds = append(bounds, at, at+"x")
	}
	slices.Sort(bounds)
	bounds = slices.Compact(bounds)
	var parts []sweep.Item
	after := ""
	for _, at := range append(bounds, "") {
		parts = append(parts, itemsOf(t, store, sweep.Range{After: after, Through: at})...)
		after = at
	}
	if diff := cmp.Diff(whole, named(parts)); diff != "" {
		t.Errorf("items of all ranges (-whole +parts):\n%s", diff)
	}
	for n := 0; n < len(bounds); n += 3 {
		at := bounds[n]
		halves := append(itemsOf(t, store, sweep.Range{Through: at}), itemsOf(t, store, sweep.Range{After: at})...)
		if diff := cmp.Diff(whole, named(halves)); diff != "" {
			t.Errorf("items up to and after %q (-whole +halves):\n%s", at, diff)
		}
	}
}

// itemsOf returns the items of a range, with those that stand for folders.
func itemsOf(t *testing.T, store *blobstore.Store, r sweep.Range) []sweep.Item {
	t.Helper()
	var items []sweep.Item
	for i, err := range store.Items(t.Context(), r) {
		if err != nil && !strings.HasSuffix(i.At, "/") && !strings.Contains(i.Object.Key, "\uFFFD") {
			t.Errorf("%+v: %q: %v", r, i.At, err)
		}
		items = append(items, i)
	}
	return items
}
