package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	s3driver "github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/adapters/inventory"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// TestInventoryByQueue: two workers, of which one is killed, read the inventory themselves. Each object of the inventory
// has one row and its record; the others are not touched.
func TestInventoryByQueue(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers and workers")
	}
	t.Parallel()
	var keys []string
	for n := range 300 {
		keys = append(keys, fmt.Sprintf("%02d/%d.jpg", n%10, n))
	}
	t.Run("CSV in a bucket of the workers, SQS and S3", func(t *testing.T) {
		server := awsenv.StartMoto(t)
		client := s3.New(s3.Options{
			Region: awsenv.Region, BaseEndpoint: &server.URL, UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(awsenv.AccessKey, awsenv.SecretKey, ""),
		})
		for _, bucket := range []string{"photos", "lists"} {
			if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
				t.Fatal(err)
			}
		}
		for _, key := range append(keys, "unlisted") {
			if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: &key, Body: bytes.NewReader(contentOf(key))}); err != nil {
				t.Fatal(err)
			}
		}
		dir := t.TempDir()
		s3Inventory(t, dir, "photos", append(keys, "gone"), 120)
		uploadFolder(t, dir, func(key string, content []byte) error {
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lists"), Key: &key, Body: bytes.NewReader(content)})
			return err
		})
		at := "?use_path_style=true&region=" + awsenv.Region + "&endpoint=" + server.URL
		urls := sqsServer(t, "awssqs", "").urls(t, "objects")
		testInventoryByQueue(t, keys, "s3://photos"+at, "file://"+t.TempDir(), "s3://lists/lists/2026-11-29T01-00Z/manifest.json"+at, urls.queue,
			"--queue", urls.queue, "--dead-letter", urls.deadLetters, "--slice", "1s", "--bucket", "s3://lists"+at)
	})
	t.Run("Parquet beside the reports, JetStream and folders", func(t *testing.T) {
		bucket, put := folderBucket(t)
		for _, key := range append(keys, "unlisted") {
			put(key)
		}
		reports := t.TempDir()
		manifest := parquetInventory(t, reports, "photos", keys)
		urls := jetstreamServer(t).urls(t, "objects")
		topic := strings.Split(urls.queue, "?")[0]
		testInventoryByQueue(t, keys, bucket, "file://"+reports, "file://"+manifest, topic,
			"--queue", urls.queue, "--dead-letter", urls.deadLetters, "--shards-to", topic)
	})
}

func testInventoryByQueue(t *testing.T, keys []string, bucket, reports, list, topic string, worker ...string) {
	work := func() *program.Process {
		return start(t, append([]string{"serve", "--listen", "off", "--bucket", "photos=" + bucket, "--reports", reports, "--concurrency", "8"}, worker...)...)
	}
	pass := func(name string) (out, log string, status int) {
		return sweepRun(t, "backfill", "--queue", topic, "--inventory", list, "--reports", reports, "--pass", name, "--format", "json", "photos="+bucket)
	}
	first := work()
	var out, log string
	var status int
	var coordinating sync.WaitGroup
	coordinating.Go(func() { out, log, status = pass("first") })
	first.Until(1, program.Contains("object handled"))
	second := work()
	go func() {
		for range second.Lines {
		}
	}()
	first.Kill()
	coordinating.Wait()
	rows := make(map[string][]sweep.Row)
	for line := range strings.Lines(out) {
		var r sweep.Row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows[r.Key] = append(rows[r.Key], r)
	}
	for _, key := range keys {
		if all := rows[key]; len(all) != 1 || all[0].Checksums["md5"] != md5Of(key) {
			t.Errorf("%s has the rows %+v, want one with the MD5 %s", key, all, md5Of(key))
		}
	}
	if status != exitOK || len(rows) != len(keys) {
		t.Errorf("backfill ends with %d, %d objects have rows, want %d:\n%s", status, len(rows), len(keys), log)
	}
	if out, log, status := pass("second"); status != exitOK || strings.Count(out, `"state":"ok"`) != len(keys) || strings.Contains(out, "bytes_read") {
		t.Errorf("the second pass ends with %d:\n%s%s", status, out, log)
	}
	if states, _ := verified(t, "photos="+bucket); states["unlisted"] != sweep.NoRecord {
		t.Errorf("an object that is not in the inventory is %s", states["unlisted"])
	}
}

// parquetInventory writes an inventory of S3 in Parquet into a folder, of one file with many groups of rows.
func parquetInventory(t *testing.T, dir, bucket string, keys []string) string {
	t.Helper()
	type row struct {
		Bucket string `parquet:"bucket"`
		Key    string `parquet:"key"`
		Size   int64  `parquet:"size"`
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[row](&b, parquet.MaxRowsPerRowGroup(50))
	for _, key := range keys {
		if _, err := w.Write([]row{{bucket, key, 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "lists", "data", "1.parquet"), b.String())
	path := filepath.Join(dir, "lists", "2026", "manifest.json")
	put(t, path, fmt.Sprintf(`{"sourceBucket":%q,"fileFormat":"Parquet","fileSchema":"message s3.inventory {}","files":[{"key":"lists/data/1.parquet","size":%d}]}`, bucket, b.Len()))
	return path
}

// TestInventoryWorkerRefuses: a worker opens only inventories that lie where it is configured to read, and only as they
// were when the pass began. Everything else is a dead letter that says what to do.
func TestInventoryWorkerRefuses(t *testing.T) {
	f := newFlow(t, memServer(t).urls(t, "objects"))
	write(t, f.dir, "a", contentOf("a"))
	reports, foreign := t.TempDir(), t.TempDir()
	put(t, filepath.Join(foreign, "keys"), "a\n")
	if err := os.Symlink(foreign, filepath.Join(reports, "away")); err != nil {
		t.Fatal(err)
	}
	kept, err := bucketDrivers(s3driver.Options{}).OpenReports(t.Context(), "file://"+reports, blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	// plan writes the plan of a pass that reads a list below reports as it is now, or one at any other URL.
	plan := func(pass, list string) {
		p := sweep.Plan{Pass: pass, Command: sweep.Backfill, Buckets: map[string][]sweep.Range{"photos": {{}}}}
		p.Options.Inventory, p.InventoryAt = "etag:x 1", &sweep.InventoryAt{URL: list}
		if list == "" {
			p.InventoryAt = nil
		}
		if !strings.Contains(list, "://") && list != "" {
			v, err := inventory.Open(t.Context(), inventory.Config{Bucket: "photos", Name: list, From: kept.Beside(blobstore.Config{})})
			if err != nil {
				t.Fatal(err)
			}
			p.Options.Inventory, p.InventoryAt.URL = v.ID(), "file://"+reports+"/"+list
		}
		text, err := json.Marshal(p)
		if err == nil {
			err = kept.Put(t.Context(), "plans/"+pass+".json", text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	send := func(s pipeline.Shard, reason string) {
		m, err := cloudevents.ShardMessage(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		f.wantLetters[string(m.Payload)] = reason
		f.mustSend(string(m.Payload))
	}
	f.start("--reports", "file://"+reports, "--shards-to", f.urls.queue)
	const configure = "which lies in no bucket that this worker may read: name its bucket in a --bucket of the workers, or put it into the bucket of their --reports"
	for pass, tc := range map[string]struct{ list, reason string }{
		"foreign-bucket": {"s3://secrets/keys", "s3://secrets/keys, " + configure},
		"with-endpoint":  {"s3://secrets/keys?endpoint=http://127.0.0.1:1&region=x", "s3://secrets/keys, " + configure},
		"foreign-file":   {"file://" + foreign + "/keys", configure},
		"relative-file":  {"file://./keys", configure},
		"out-of-it":      {"file://" + reports + "/../" + filepath.Base(foreign) + "/keys", "it leads out of the bucket"},
		"encoded":        {"file://" + reports + "/%2e%2e/" + filepath.Base(foreign) + "/keys", "it leads out of the bucket"},
		"by-a-link":      {"file://" + reports + "/away/keys", "it leads out of the bucket"},
		"folder-itself":  {"file://" + reports + "/", configure},
		"private-memory": {"mem://photos/keys", configure},
		"no-place":       {"", "begin another pass with --queue and the URL of the inventory"},
		"gone":           {"file://" + reports + "/lists/keys", "not found"},
	} {
		plan(pass, tc.list)
		send(pipeline.Shard{Pass: pass, Bucket: "photos"}, tc.reason)
	}

	put(t, filepath.Join(reports, "keys"), "a\n")
	s3Inventory(t, reports, "photos", []string{"a", "b"}, 1)
	for _, pass := range []string{"replaced", "no-position"} {
		plan(pass, "keys")
	}
	send(pipeline.Shard{Pass: "no-position", Bucket: "photos", After: "a"}, `"a" is no position in an inventory`)
	f.until("waiting for dead letters", func() bool { return len(f.missing()) == 0 })
	put(t, filepath.Join(reports, "keys"), "a\nb\n")
	send(pipeline.Shard{Pass: "replaced", Bucket: "photos"}, "has changed since the pass began: begin another one")
	plan("vanished", "lists/2026-11-29T01-00Z/manifest.json")
	if err := os.Remove(filepath.Join(reports, "lists/data/0.csv.gz")); err != nil {
		t.Fatal(err)
	}
	send(pipeline.Shard{Pass: "vanished", Bucket: "photos"}, "put it back, or begin another pass with another inventory")
	f.until("waiting for dead letters", func() bool { return len(f.missing()) == 0 })
	if files, err := filepath.Glob(filepath.Join(f.dir, "*.md5")); err != nil || len(files) != 0 {
		t.Errorf("records were written: %q, %v", files, err)
	}
}
