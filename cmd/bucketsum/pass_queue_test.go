package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	s3driver "github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// TestPassByQueue runs a backfill by two workers, of which one is killed in the middle. Each object has exactly one row
// and the right record. The events of uploads, on the same queue, are handled meanwhile. A second pass reads nothing.
func TestPassByQueue(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers and workers")
	}
	t.Parallel()
	for name, tc := range map[string]struct {
		objects int
		server  func(t *testing.T) queueServer
		bucket  func(t *testing.T) (url string, put func(key string))
		flags   func(u queueURLs) []string
	}{
		"SQS and S3": {
			200, func(t *testing.T) queueServer { return sqsServer(t, "awssqs", "") }, s3Bucket,
			func(queueURLs) []string { return []string{"--slice", "1s"} }, // so that shards are cut
		},
		"JetStream and a folder": {
			2000, jetstreamServer, folderBucket,
			func(u queueURLs) []string { return []string{"--shards-to", strings.Split(u.queue, "?")[0]} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			testPassByQueue(t, tc.objects, tc.server(t).urls(t, "objects"), tc.bucket, tc.flags)
		})
	}
}

func folderBucket(t *testing.T) (string, func(key string)) {
	dir := filepath.Join(t.TempDir(), "photos")
	return "file://" + dir, func(key string) {
		name := filepath.Join(dir, filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, contentOf(key), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
}

func s3Bucket(t *testing.T) (string, func(key string)) {
	server := awsenv.StartMoto(t)
	client := s3.New(s3.Options{
		Region: awsenv.Region, BaseEndpoint: &server.URL, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(awsenv.AccessKey, awsenv.SecretKey, ""),
	})
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("photos")}); err != nil {
		t.Fatal(err)
	}
	return "s3://photos?use_path_style=true&region=" + awsenv.Region + "&endpoint=" + server.URL, func(key string) {
		if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("photos"), Key: &key, Body: bytes.NewReader(contentOf(key))}); err != nil {
			t.Fatal(err)
		}
	}
}

func testPassByQueue(t *testing.T, objects int, urls queueURLs, bucket func(*testing.T) (string, func(string)), flags func(queueURLs) []string) {
	url, put := bucket(t)
	var keys []string
	for n := range objects {
		keys = append(keys, fmt.Sprintf("%02d/%d.jpg", n%40, n))
		put(keys[n])
	}
	drivers, quiet := bucketDrivers(s3driver.Options{}), slog.New(slog.DiscardHandler)
	store, err := drivers.Open(t.Context(), url, "photos", blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	at := "file://" + t.TempDir()
	reports, err := drivers.OpenReports(t.Context(), at, blobstore.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer reports.Close()
	queues := app.NewQueues(app.Config{Drivers: queueDrivers(quiet), Concurrency: 1, DrainTimeout: time.Second, Log: quiet})
	defer queues.Close()
	topicURL := strings.Replace(urls.queue, "consumer=workers", "", 1)
	topic, err := queues.Publisher(t.Context(), topicURL)
	if err != nil {
		t.Fatal(err)
	}

	work := func() *program.Process {
		return start(t, append([]string{"serve", "--listen", "off", "--queue", urls.queue, "--dead-letter", urls.deadLetters,
			"--bucket", "photos=" + url, "--reports", at, "--concurrency", "8"}, flags(urls)...)...)
	}
	pass := func() (sweep.Summary, map[string][]sweep.Row, error) {
		rows := make(map[string][]sweep.Row)
		p := &sweep.Pass{
			Command: sweep.Backfill, Options: sweep.Options{Exclude: []string{"fresh/**"}}, Buckets: []string{"photos"}, Reports: reports, Shards: 4,
			Open: func(context.Context, sweep.Plan, string) (sweep.Bucket, error) {
				return sweep.Bucket{Source: store, Keys: true, Examine: func(context.Context, sweep.Item) (sweep.Row, error) {
					return sweep.Row{}, errors.New("the coordinator examines nothing")
				}}, nil
			},
			Rows: func(all []sweep.Row) error {
				for _, r := range all {
					rows[r.Key] = append(rows[r.Key], r)
				}
				return nil
			},
		}
		summary, err := p.ByQueue(t.Context(), func(ctx context.Context, s pipeline.Shard) error {
			m, err := cloudevents.ShardMessage(ctx, s)
			if err != nil {
				return err
			}
			return topic.Publish(topicURL, m)
		})
		return summary, rows, err
	}

	first := work()
	var summary sweep.Summary
	var rows map[string][]sweep.Row
	var coordinating sync.WaitGroup
	coordinating.Go(func() { summary, rows, err = pass() })
	first.Until(1, program.Contains("object handled"))
	second := work()
	go func() {
		for range second.Lines {
		}
	}()
	first.Kill()
	for range first.Lines {
	}
	const fresh = 20
	for n := range fresh {
		key := fmt.Sprintf("fresh/%d", n)
		put(key)
		if err := topic.Publish(topicURL, message.NewMessage(watermill.NewUUID(), []byte(created("photos", key)))); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	coordinating.Wait()
	if err != nil || !summary.Complete {
		t.Fatalf("the pass ended with %+v, %v", summary, err)
	}
	for _, key := range keys[:objects] {
		if all := rows[key]; len(all) != 1 || all[0].State != sweep.Recorded && all[0].State != sweep.OK || all[0].Checksums["md5"] != md5Of(key) {
			t.Errorf("%s has the rows %+v, want one with the MD5 %s", key, all, md5Of(key))
		}
	}
	if len(rows) != objects {
		t.Errorf("%d objects have rows, want %d", len(rows), objects)
	}
	second.Poll("records of uploads", func() bool {
		for _, key := range keys[objects:] {
			if _, _, err := store.Bucket().Records.Lookup(t.Context(), pipeline.Object{Bucket: "photos", Key: key}); err != nil {
				return false
			}
		}
		return true
	})
	for _, key := range keys {
		r, _, err := store.Bucket().Records.Lookup(t.Context(), pipeline.Object{Bucket: "photos", Key: key})
		if err != nil || r.Digests["md5"] != md5Of(key) {
			t.Errorf("the record of %s is %+v, %v; want %s", key, r, err, md5Of(key))
		}
	}

	summary, _, err = pass()
	if err != nil || summary.Totals.Objects[sweep.OK] != int64(objects) || summary.Totals.Read != 0 {
		t.Errorf("the second pass ended with %+v, %v; want %d objects that are ok, and no byte read", summary, err, objects)
	}
}

func md5Of(key string) string {
	sum := md5.Sum(contentOf(key))
	return hex.EncodeToString(sum[:])
}
