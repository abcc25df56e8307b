package drivertest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestReports checks that a bucket keeps reports: each is written once, is read back as it was, and is never an
// object, nor cleaned up. url is empty for a bucket that ends with its store.
func TestReports(t *testing.T, url string) {
	t.Helper()
	open := func() *blobstore.Reports {
		t.Helper()
		if url == "" {
			url = "mem://"
		}
		r, err := Drivers.OpenReports(t.Context(), url, blobstore.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		return r
	}
	r := open()
	var _ sweep.Reports = r
	put := func(name string, data []byte) {
		t.Helper()
		if err := r.Put(t.Context(), name, data); err != nil {
			t.Error(err)
		}
	}
	_, err := r.Get(t.Context(), "pass/none")
	IsA(t, err, pipeline.ErrNotFound)
	if names := reportNames(t, r, "pass/"); names != nil {
		t.Errorf("an empty bucket has %q", names)
	}

	large := bytes.Repeat([]byte("0123456789abcdef"), 2<<20) // 32 MiB
	for name, data := range map[string][]byte{"pass/plan.json": []byte("{}"), "pass/a/1.jsonl.gz": large, "pass/a-b/2": []byte("2"), "pass-2/plan.json": []byte("x")} {
		put(name, data)
		for range 2 {
			IsA(t, r.Put(t.Context(), name, []byte("another")), pipeline.ErrChanged)
		}
		if got, err := r.Get(t.Context(), name); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: got %d bytes, %v, want %d", name, len(got), err, len(data))
		}
	}
	if got, want := reportNames(t, r, "pass/"), []string{"pass/a-b/2", "pass/a/1.jsonl.gz", "pass/plan.json"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, name := range []string{"", "/a", "a/", "a//b", "../a", "a/../b", ".a", "A", "ü", "a b", "a\x00", strings.Repeat("a", 901)} {
		_, get := r.Get(t.Context(), name)
		for _, err := range []error{r.Put(t.Context(), name, []byte("x")), get} {
			if pipeline.Classify(err) != pipeline.ClassPermanent {
				t.Errorf("name %.20q: got %v", name, err)
			}
		}
	}
	if err := r.Put(t.Context(), "pass/b", make([]byte, 32<<20+1)); pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("a report that is too large: got %v", err)
	}
	testOneWriter(t, r)

	if url == "mem://" {
		return
	}
	store := OpenURL(t, url, "inbox", blobstore.Config{})
	if err := store.CleanUp(t.Context()); err != nil {
		t.Error(err)
	}
	for o, err := range store.List(t.Context()) {
		t.Errorf("%q is listed as an object: %v", o.Key, err)
	}
	for i, err := range store.Items(t.Context(), sweep.Range{}) {
		t.Errorf("%q is an item: %v", i.At, err)
	}
	if !store.Bucket().Records.IsRecord(".bucketsum/passes/pass/plan.json") {
		t.Error("a report may become work")
	}
	if got := reportNames(t, open(), "pass/"); !slices.Contains(got, "pass/plan.json") {
		t.Errorf("after a clean-up: %q", got)
	}
}

// testOneWriter checks that of several writers of one report one succeeds.
func testOneWriter(t *testing.T, r *blobstore.Reports) {
	t.Helper()
	for n := range 5 {
		name := fmt.Sprintf("race/%d", n)
		errs := make([]error, 6)
		var group sync.WaitGroup
		for i := range errs {
			group.Go(func() { errs[i] = r.Put(t.Context(), name, fmt.Append(nil, i)) })
		}
		group.Wait()
		won := -1
		for i, err := range errs {
			switch {
			case err == nil && won >= 0:
				t.Errorf("%s: both %d and %d have written it", name, won, i)
			case err == nil:
				won = i
			case !errors.Is(err, pipeline.ErrChanged):
				t.Errorf("%s: %v", name, err)
			}
		}
		if got, err := r.Get(t.Context(), name); err != nil || string(got) != fmt.Sprint(won) {
			t.Errorf("%s: got %q, %v; %d has written it", name, got, err, won)
		}
	}
}

func reportNames(t *testing.T, r *blobstore.Reports, prefix string) []string {
	t.Helper()
	var names []string
	for name, err := range r.Names(t.Context(), prefix) {
		if err != nil {
			t.Errorf("%q: %v", name, err)
		}
		if strings.HasSuffix(name, "/") {
			t.Errorf("%q is a folder", name)
		}
		names = append(names, name)
	}
	return names
}
