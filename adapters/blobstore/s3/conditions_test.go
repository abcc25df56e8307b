package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// A store without conditional writes is used, with a warning.
func TestStoreWithoutConditions(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	for name, refuses := range map[string]bool{"refuses": true, "ignores": false} {
		t.Run(name, func(t *testing.T) {
			b := drivertest.MakeS3Bucket(t, server, false)
			// The conditions are signed, so that they cannot be taken away on the way:
			// a store of another kind is needed.
			store := new(plainStore)
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				if refuses && r.Method != http.MethodGet && r.Header.Get("If-Match")+r.Header.Get("If-None-Match") != "" {
					drivertest.Answer(w, 501, "NotImplemented")
					return
				}
				store.ServeHTTP(w, r)
			})
			var log bytes.Buffer
			records := b.Through(proxy).Open(t, blobstore.Config{Log: slog.New(slog.NewTextHandler(&log, nil))}).Bucket().Records
			_, before, _ := records.Lookup(t.Context(), version(b, "", "").Source)
			for _, v := range []pipeline.Record{version(b, "02", "b"), version(b, "03", "b"), version(b, "04", "c")} {
				if err := pipelinetest.Save(t.Context(), records, v); err != nil {
					t.Errorf("%s: %v", v.Source.Sequencer, err)
				}
			}
			if err := records.Save(t.Context(), version(b, "01", "a"), before); !errors.Is(err, pipeline.ErrChanged) {
				t.Errorf("a write after others: %v, want ErrChanged", err)
			}
			if got, _, err := records.Lookup(t.Context(), version(b, "", "").Source); err != nil || got.Source.Sequencer != "04" {
				t.Errorf("the record is %+v, %v", got, err)
			}
			if removed, err := pipelinetest.Remove(t.Context(), records, version(b, "05", "").Source); err != nil || !removed {
				t.Errorf("Remove: %v, %v", removed, err)
			}
			if n := strings.Count(log.String(), "conditional writes"); n != 1 {
				t.Errorf("%d warnings:\n%s", n, &log)
			}
		})
	}
}

// Where the record was deleted, another write is under way: the store refuses the worker's write for a
// moment. The worker does not write without a condition then, which could undo the other write.
func TestConflictOverDeleteMarker(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, true)
	plain := b.Open(t, blobstore.Config{}).Bucket().Records
	if err := pipelinetest.Save(t.Context(), plain, version(b, "01", "a")); err != nil {
		t.Fatal(err)
	}
	if removed, err := pipelinetest.Remove(t.Context(), plain, version(b, "02", "").Source); err != nil || !removed {
		t.Fatalf("Remove: %v, %v", removed, err)
	}
	conflicts, last := 0, false
	proxy := b.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		conditional := r.Header.Get("If-None-Match")+r.Header.Get("If-Match") != ""
		switch {
		case r.Method != http.MethodPut, strings.Contains(r.URL.Path, "/.bucketsum/"):
		case conditional && conflicts < 4:
			conflicts, last = conflicts+1, true
			drivertest.Answer(w, 409, "ConditionalRequestConflict")
			return
		case last && !conditional:
			t.Error("a write without a condition follows a conflict")
		default:
			last = false
		}
		next.ServeHTTP(w, r)
	})
	records := b.Through(proxy).Open(t, blobstore.Config{}).Bucket().Records
	err := pipelinetest.Save(t.Context(), records, version(b, "03", "c"))
	for errors.Is(err, pipeline.ErrChanged) {
		err = pipelinetest.Save(t.Context(), records, version(b, "03", "c"))
	}
	if err != nil {
		t.Error(err)
	}
	if conflicts != 4 {
		t.Errorf("%d conflicts, want 4", conflicts)
	}
}

// What a store can do is probed both ways, so that a store is not taken at its refusals alone.
func TestProbe(t *testing.T) {
	const nothing = "If-None-Match no; If-Match no; conditional deletes no"
	match := func(r *http.Request) string { return r.Header.Get("If-Match") }
	// honours judges as S3 does, with ETags in the form that the store wants.
	honours := func(r *http.Request, tag, form string) int {
		if m := match(r); m != "" && (tag == "" || m != strings.ReplaceAll(form, "TAG", tag)) || r.Header.Get("If-None-Match") != "" && tag != "" {
			return http.StatusPreconditionFailed
		}
		return 0
	}
	for name, test := range map[string]struct {
		judge func(r *http.Request, tag string) int
		says  string
	}{
		"S3": {func(r *http.Request, tag string) int { return honours(r, tag, `"TAG"`) },
			"If-None-Match yes; If-Match yes; conditional deletes yes"},
		"takes bare ETags": {func(r *http.Request, tag string) int { return honours(r, tag, "TAG") },
			"If-None-Match yes; If-Match yes, bare ETag; conditional deletes yes, bare ETag"},
		"ignores the condition of a DELETE": {func(r *http.Request, tag string) int {
			if r.Method == http.MethodDelete {
				return 0
			}
			return honours(r, tag, `"TAG"`)
		}, "If-None-Match yes; If-Match yes; conditional deletes no"},
		"takes no If-Match at all": {func(r *http.Request, tag string) int {
			if match(r) != "" {
				return http.StatusPreconditionFailed
			}
			return honours(r, tag, "")
		}, "If-None-Match yes; If-Match no; conditional deletes no"},
		"ignores bare ETags and refuses quoted ones": {func(r *http.Request, tag string) int {
			if strings.HasPrefix(match(r), `"`) {
				return http.StatusPreconditionFailed
			}
			return 0
		}, nothing},
		"refuses If-None-Match": {func(r *http.Request, tag string) int {
			if r.Header.Get("If-None-Match") != "" {
				return http.StatusPreconditionFailed
			}
			return honours(r, tag, `"TAG"`)
		}, "If-None-Match no; If-Match yes; conditional deletes yes"},
		"does not understand conditions": {func(r *http.Request, tag string) int {
			if match(r)+r.Header.Get("If-None-Match") != "" {
				return http.StatusBadRequest
			}
			return 0
		}, nothing},
		"ignores them": {nil, nothing},
		"may not be probed": {func(r *http.Request, tag string) int {
			if strings.Contains(r.URL.Path, "/.bucketsum/") {
				return http.StatusForbidden
			}
			return honours(r, tag, `"TAG"`)
		}, "not known, because this program may not write below .bucketsum/checkpoints/; assumed: If-None-Match yes; If-Match yes; conditional deletes yes"},
	} {
		t.Run(name, func(t *testing.T) {
			fake := &plainStore{judge: test.judge}
			server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { fake.ServeHTTP(w, r) })
			b := drivertest.S3Bucket{Server: server, Name: "test"}
			store := b.Open(t, blobstore.Config{})
			says, err := store.Conditions(t.Context())
			if err != nil || says != test.says {
				t.Errorf("got %q, %v\nwant %q", says, err, test.says)
			}
			if len(fake.objects) > 0 {
				t.Errorf("the probe has left %v", slices.Collect(maps.Keys(fake.objects)))
			}
			// Records are written, replaced and removed whatever the store can do.
			records := store.Bucket().Records
			for _, v := range []pipeline.Record{version(b, "01", "a"), version(b, "02", "b"), version(b, "03", "b")} {
				if err := pipelinetest.Save(t.Context(), records, v); err != nil {
					t.Fatal(err)
				}
			}
			if got, _, err := records.Lookup(t.Context(), version(b, "", "").Source); err != nil || got.Source.Sequencer != "03" {
				t.Errorf("the record is %+v, %v", got, err)
			}
			if removed, err := pipelinetest.Remove(t.Context(), records, version(b, "04", "").Source); err != nil || !removed {
				t.Errorf("Remove: %v, %v", removed, err)
			}
		})
	}
}

// A probe leaves no object, no version and no delete marker.
func TestProbeLeavesNothing(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	for _, versioned := range []bool{false, true} {
		b := drivertest.MakeS3Bucket(t, server, versioned)
		const want = "If-None-Match yes; If-Match yes; conditional deletes yes"
		if says, err := b.Open(t, blobstore.Config{}).Conditions(t.Context()); err != nil || says != want {
			t.Errorf("versioned %t: got %q, %v, want %q", versioned, says, err, want)
		}
		b.WantNoVersions(t, ".bucketsum/")
	}
}

// A worker probes a bucket once, however many records it writes at the same time; and again if
// the store refuses a condition that holds.
func TestProbeAgain(t *testing.T) {
	var probes, form atomic.Value
	probes.Store(0)
	form.Store(`"TAG"`)
	fake := &plainStore{judge: func(r *http.Request, tag string) int {
		none, match := r.Header.Get("If-None-Match"), r.Header.Get("If-Match")
		if none != "" && tag == "" && strings.Contains(r.URL.Path, "/.bucketsum/") {
			probes.Store(probes.Load().(int) + 1)
		}
		if match != "" && match != strings.ReplaceAll(form.Load().(string), "TAG", tag) || none != "" && tag != "" {
			return http.StatusPreconditionFailed
		}
		return 0
	}}
	server := unreached.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) { fake.ServeHTTP(w, r) })
	b := drivertest.S3Bucket{Server: server, Name: "test"}
	records := b.Open(t, blobstore.Config{}).Bucket().Records
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			r := version(b, "01", "a")
			r.Source.Key = fmt.Sprint("object ", i)
			if err := pipelinetest.Save(t.Context(), records, r); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := probes.Load(); n != 1 {
		t.Errorf("%d probes, want 1", n)
	}
	save := func(r pipeline.Record) {
		t.Helper()
		err := pipelinetest.Save(t.Context(), records, r)
		if errors.Is(err, pipeline.ErrChanged) { // the caller looks again
			err = pipelinetest.Save(t.Context(), records, r)
		}
		if err != nil {
			t.Error(err)
		}
	}
	for _, f := range []string{"TAG", `"TAG"`} { // the store is updated, and updated again
		form.Store(f)
		save(version(b, "02"+f, f))
		save(version(b, "03"+f, f+"2"))
	}
	if n := probes.Load(); n != 3 {
		t.Errorf("%d probes, want 3", n)
	}
}
