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
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// tagsOf returns the tags of an object.
func tagsOf(t *testing.T, b drivertest.S3Bucket, key string) map[string]string {
	t.Helper()
	out, err := b.Client.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: &b.Name, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	tags := make(map[string]string)
	for _, tag := range out.TagSet {
		tags[*tag.Key] = *tag.Value
	}
	return tags
}

func tag(t *testing.T, b drivertest.S3Bucket, key string, tags map[string]string) {
	t.Helper()
	set := &types.Tagging{TagSet: []types.Tag{}}
	for name, value := range tags {
		set.TagSet = append(set.TagSet, types.Tag{Key: &name, Value: &value})
	}
	if _, err := b.Client.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: &b.Name, Key: &key, Tagging: set}); err != nil {
		t.Fatal(err)
	}
}

func tagging(algorithms ...string) blobstore.Config {
	return blobstore.Config{Algorithms: algorithms, Records: blobstore.RecordOptions{To: []string{blobstore.ToTags}}}
}

var tagged = time.Date(2025, 3, 14, 15, 9, 26, 535_000_000, time.UTC)

func tagRecord(o pipeline.Object, sequencer string, algorithms ...string) pipeline.Record {
	o.Sequencer = sequencer
	r := pipeline.Record{Source: o, ComputedAt: tagged, Digests: make(map[string]string)}
	for _, alg := range algorithms {
		r.Digests[alg] = strings.Repeat("0a", digest.Size(alg))
	}
	return r
}

func save(t *testing.T, r pipeline.Recorder, record pipeline.Record) {
	t.Helper()
	if err := pipelinetest.Save(t.Context(), r, record); err != nil {
		t.Fatal(err)
	}
}

func lookup(t *testing.T, r pipeline.Recorder, o pipeline.Object) pipeline.Record {
	t.Helper()
	record, _, err := r.Lookup(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

func TestTags(t *testing.T) {
	for name, start := range map[string]func(testing.TB) awsenv.Server{"moto": awsenv.StartMoto, "versitygw": awsenv.StartVersitygw} {
		for _, versioned := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " versioned ", versioned), func(t *testing.T) {
				b := drivertest.MakeS3Bucket(t, start(t), versioned)
				records := b.Open(t, tagging("md5", "sha512")).Bucket().Records
				o := b.Put(t, "dir/a", "hello")
				tag(t, b, o.Key, map[string]string{"owner": "x", "bucketsum-is": "not ours"})
				named := pipeline.Object{Bucket: b.Name, Key: o.Key, Size: pipeline.UnknownSize}
				if _, _, err := records.Lookup(t.Context(), o); !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("without a record: %v", err)
				}
				want := tagRecord(o, "0A", "md5", "sha512")
				want.Checks = []pipeline.Check{
					{Name: "md5chksum", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Mismatch}},
					{Name: "etag", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Match}},
				}
				save(t, records, want)
				if diff := cmp.Diff(want, lookup(t, records, o)); diff != "" {
					t.Errorf("Lookup (-want +got):\n%s", diff)
				}
				if got := lookup(t, records, named); !got.Source.SameVersion(o) || got.Source.VersionID != o.VersionID {
					t.Errorf("Lookup of the current one: %+v", got.Source)
				}
				tags := tagsOf(t, b, o.Key)
				if tags["owner"] != "x" || tags["bucketsum-is"] != "not ours" || tags["bucketsum:md5"] != want.Digests["md5"] || len(tags) != 6 {
					t.Errorf("tags %v", tags)
				}

				// The tags of a copy name another object, so they are no record of the copy.
				if _, err := b.Client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &b.Name, Key: aws.String("copy"), CopySource: aws.String(b.Name + "/dir/a")}); err != nil {
					t.Fatal(err)
				}
				if _, _, err := records.Lookup(t.Context(), pipeline.Object{Bucket: b.Name, Key: "copy"}); !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("a copy has the record of another object: %v", err)
				}
				// The record of the old content is not one of the new.
				next := b.Put(t, o.Key, "next")
				if _, _, err := records.Lookup(t.Context(), named); !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("after it was overwritten: %v", err)
				}
				save(t, records, tagRecord(next, "0B", "md5"))
				if versioned {
					if got := lookup(t, records, o); got.Digests["sha512"] == "" || got.Source.VersionID != o.VersionID {
						t.Errorf("the old version has the record %+v", got)
					}
				}
				// A program may write new content with the tags that it has read before.
				third := b.Put(t, o.Key, "third")
				tag(t, b, o.Key, tags)
				if got, _, err := records.Lookup(t.Context(), named); err == nil && got.Source.SameVersion(third) {
					t.Errorf("the tags of another version are the record %+v", got)
				}
				b.Delete(t, o.Key, "")
				if _, _, err := records.Lookup(t.Context(), named); !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("after it was deleted: %v", err)
				}
				if err := pipelinetest.Save(t.Context(), records, tagRecord(named, "0C", "md5")); !errors.Is(err, pipeline.ErrNotFound) {
					t.Errorf("Save after it was deleted: %v", err)
				}
				if removed, err := pipelinetest.Remove(t.Context(), records, named); removed || err != nil {
					t.Errorf("Remove: %v, %v", removed, err)
				}
				if records.IsRecord("dir/a.md5") {
					t.Error("a user's file is taken for a record")
				}
			})
		}
	}
}

func TestTagsAreWrittenOnce(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := drivertest.MakeS3Bucket(t, server, false)
	var mu sync.Mutex
	puts := 0
	records := b.Through(server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut {
			mu.Lock()
			puts++
			mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})).Open(t, tagging("md5", "sha1")).Bucket().Records
	o := b.Put(t, "a", "hello")
	for _, step := range []struct {
		name   string
		record pipeline.Record
		puts   int
	}{
		{"first", tagRecord(o, "02", "md5"), 1},
		{"again", tagRecord(o, "02", "md5"), 1},
		{"from an older event", tagRecord(o, "01", "md5"), 1},
		{"from an unknown event", tagRecord(o, "", "md5"), 1},
		{"another algorithm, from an older event", tagRecord(o, "01", "sha1"), 2},
		{"from a newer event", tagRecord(o, "03", "md5"), 2},
	} {
		save(t, records, step.record)
		if puts != step.puts {
			t.Errorf("%s: %d requests, want %d", step.name, puts, step.puts)
		}
	}
	if got := lookup(t, records, o); got.Source.Sequencer != "01" || len(got.Digests) != 2 {
		t.Errorf("recorded %+v", got)
	}
	newer := o
	newer.ETag = "e2"
	save(t, records, tagRecord(newer, "04", "md5"))
	if got := lookup(t, records, o); got.Source.ETag != "e2" || len(got.Digests) != 1 {
		t.Errorf("recorded %+v", got)
	}
}

// If a newer reading checked nothing, the outcomes of an older one are dropped.
func TestTagsOfWhatWasChecked(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	records := b.Open(t, tagging("md5")).Bucket().Records
	o := b.Put(t, "a", "hello")
	checked := tagRecord(o, "01", "md5")
	checked.Checks = []pipeline.Check{{Name: "etag", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Match}}}
	save(t, records, checked)
	for _, step := range []struct {
		name string
		at   time.Time
		want []pipeline.Check
	}{
		{"the same reading", tagged, checked.Checks},
		{"an older one", tagged.Add(-time.Second), checked.Checks},
		{"a newer one", tagged.Add(2 * time.Second), nil},
	} {
		unchecked := tagRecord(o, "01", "md5")
		unchecked.ComputedAt = step.at
		save(t, records, unchecked)
		if diff := cmp.Diff(step.want, lookup(t, records, o).Checks); diff != "" {
			t.Errorf("%s: checks (-want +got):\n%s", step.name, diff)
		}
		save(t, records, checked)
	}
}

func TestTagsAtTheLimit(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	records := b.Open(t, tagging("md5", "sha1")).Bucket().Records
	o := b.Put(t, "a", "hello")
	own := make(map[string]string)
	for i := range 8 {
		own[fmt.Sprint("own-", i)] = "x"
	}
	tag(t, b, o.Key, own)
	err := pipelinetest.Save(t.Context(), records, tagRecord(o, "01", "md5", "sha1"))
	if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "11 tags") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(own, tagsOf(t, b, o.Key)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	save(t, records, tagRecord(o, "01", "md5")) // the tenth
	got := tagsOf(t, b, o.Key)
	if len(got) != 10 {
		t.Errorf("tags %v", got)
	}
	for name := range own {
		if got[name] != "x" {
			t.Errorf("%s is lost", name)
		}
	}
	odd := o
	for _, etag := range []string{"a b", `"`, strings.Repeat("e", 250)} {
		odd.ETag = etag
		if err := pipelinetest.Save(t.Context(), records, tagRecord(odd, "02", "md5")); pipeline.Classify(err) != pipeline.ClassPermanent {
			t.Errorf("ETag %q: %v", etag, err)
		}
	}
	many := tagRecord(o, "03", "md5")
	for range 20 {
		many.Checks = append(many.Checks, pipeline.Check{Name: "x-amz-checksum-crc64nvme", Algorithm: "crc64nvme", Verdict: digest.Verdict{Outcome: digest.Match}})
	}
	tag(t, b, o.Key, nil)
	save(t, records, many)
	if n := len(lookup(t, records, o).Checks); n < 3 || n > 6 {
		t.Errorf("%d checks are remembered", n)
	}
}

// Invalid tags are not a record, and are replaced.
func TestTagsOfStrangers(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	records := b.Open(t, tagging("md5")).Bucket().Records
	o := b.Put(t, "a", "hello")
	save(t, records, tagRecord(o, "01", "md5"))
	good := tagsOf(t, b, "a")
	for name, spoil := range map[string]func(map[string]string){
		"no source":   func(tags map[string]string) { delete(tags, "bucketsum") },
		"no checksum": func(tags map[string]string) { delete(tags, "bucketsum:md5") },
		"malformed":   func(tags map[string]string) { tags["bucketsum:md5"] = "0a" },
		"empty":       func(tags map[string]string) { tags["bucketsum"] = "" },
		"size": func(tags map[string]string) {
			tags["bucketsum"] = strings.Replace(tags["bucketsum"], "size=5", "size=-5", 1)
		},
		"time": func(tags map[string]string) {
			tags["bucketsum"] = strings.Replace(tags["bucketsum"], "at=2025", "at=x", 1)
		},
	} {
		tags := maps.Clone(good)
		spoil(tags)
		tag(t, b, "a", tags)
		if got, _, err := records.Lookup(t.Context(), o); !errors.Is(err, pipeline.ErrNotFound) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
		save(t, records, tagRecord(o, "01", "md5"))
		if diff := cmp.Diff(good, tagsOf(t, b, "a")); diff != "" {
			t.Errorf("%s: tags (-want +got):\n%s", name, diff)
		}
	}
}

func TestTagsBesideSidecars(t *testing.T) {
	b := drivertest.MakeS3Bucket(t, awsenv.StartVersitygw(t), false)
	var log bytes.Buffer
	c := tagging("md5")
	c.Records.To = []string{blobstore.ToSidecar, blobstore.ToTags}
	c.Log = slog.New(slog.NewTextHandler(&log, nil))
	store := b.Open(t, c)
	records := store.Bucket().Records
	o := b.Put(t, "a", "hello")
	save(t, records, tagRecord(o, "01", "md5"))
	if got, ok := b.Get(t, "a.md5"); !ok || !strings.HasPrefix(got, "0a0a") || tagsOf(t, b, "a")["bucketsum:md5"] == "" {
		t.Errorf("sidecar %q, tags %v", got, tagsOf(t, b, "a"))
	}
	if !lookup(t, records, o).Covers(o, []string{"md5"}) || !records.IsRecord("a.md5") {
		t.Error("there is no record")
	}
	if !strings.Contains(log.String(), "no lock") {
		t.Errorf("log %s", &log)
	}
	tag(t, b, "a", nil)
	if lookup(t, records, o).Covers(o, []string{"md5"}) {
		t.Error("one of both is gone, and yet there is a record")
	}
	// In a bucket with tags alone, what looks like a sidecar is an object.
	var keys []string
	for o, err := range b.Open(t, tagging("md5")).List(t.Context()) {
		keys = append(keys, o.Key)
		if err != nil {
			t.Error(err)
		}
	}
	if !slices.Contains(keys, "a.md5") {
		t.Errorf("listed %q", keys)
	}
}

func TestTagsNeedS3(t *testing.T) {
	for _, to := range []string{blobstore.ToTags, "stone"} {
		c := blobstore.Config{Records: blobstore.RecordOptions{To: []string{to}}}
		if store, err := drivertest.Drivers.Open(t.Context(), "file://"+t.TempDir(), "inbox", c); err == nil {
			t.Errorf("%s: opened", to)
			store.Close()
		}
	}
}
