package main

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	gcs "google.golang.org/api/storage/v1"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// clientWithoutTraces returns an HTTP client that leaves no connection behind.
func clientWithoutTraces(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestServeOnGCS follows an object on Google Cloud Storage from the notification on
// Pub/Sub to the record, and compares the record with the output of sum.
func TestServeOnGCS(t *testing.T) {
	server := awsenv.StartFakeGCS(t)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	api, err := gcs.NewService(t.Context(), option.WithHTTPClient(clientWithoutTraces(t)), option.WithEndpoint(server.URL+"/storage/v1/"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Buckets.Insert("test", &gcs.Bucket{Name: "photos"}).Do(); err != nil {
		t.Fatal(err)
	}
	put := func(content string) *gcs.Object {
		o, err := api.Objects.Insert("photos", &gcs.Object{Name: "2025/a b.jpg"}).Media(strings.NewReader(content), googleapi.ChunkSize(0)).Do()
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	late, now := put("late\n"), put("hello\n")
	finalized := func(o *gcs.Object) string {
		return fmt.Sprintf(`{"message":{"attributes":{"eventType":"OBJECT_FINALIZE","bucketId":"photos","objectId":%q,"objectGeneration":"%d"},"data":""}}`, o.Name, o.Generation)
	}
	// In-memory topics last as long as the process, and the test may run several times.
	id := rand.Text()
	queue, results := "mem://events-"+id, "mem://results-"+id
	events, announced := openTopic(t, queue), subscribeResults(t, results)
	s := serve(t, nil, "--queue", queue, "--results", results, "--bucket", "gs://photos", "--algorithms", "md5,sha256")
	send(t, events, finalized(late)) // it was overwritten: the current version gets its record
	e, data := announced.next(cloudevents.TypeRecorded)
	if data.Key != now.Name || data.VersionID != fmt.Sprint(now.Generation) ||
		fmt.Sprint(data.VerifiedAgainst) != "[{md5hash md5 match b1946ac92492d2347c6235b4d2611184 b1946ac92492d2347c6235b4d2611184 } {crc32c crc32c match 353dd8be 353dd8be }]" {
		t.Errorf("event %s", e)
	}
	send(t, events, finalized(now))
	s.until("outcome=current")
	r, err := api.Objects.Get("photos", "2025/a b.jpg.md5").Download()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if line, err := io.ReadAll(r.Body); err != nil || string(line) != "b1946ac92492d2347c6235b4d2611184  a b.jpg\n" {
		t.Errorf("the record is %q, %v", line, err)
	}
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	if got := sumRun(t, "", "gs://photos/2025/"); got.Stdout != "b1946ac92492d2347c6235b4d2611184  2025/a b.jpg\n" || got.Status != exitOK {
		t.Errorf("sum: %+v", got)
	}
}

// TestServeOnAzure expects that a wrong MD5 from the uploader, which Azure stores, shows.
func TestServeOnAzure(t *testing.T) {
	server := awsenv.StartAzurite(t)
	t.Setenv("AZURE_STORAGE_ACCOUNT", awsenv.AzuriteAccount)
	t.Setenv("AZURE_STORAGE_KEY", awsenv.AzuriteKey)
	credential, err := container.NewSharedKeyCredential(awsenv.AzuriteAccount, awsenv.AzuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	client, err := container.NewClientWithSharedKeyCredential(server.URL+"/"+awsenv.AzuriteAccount+"/photos", credential,
		&container.ClientOptions{ClientOptions: policy.ClientOptions{Transport: clientWithoutTraces(t)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	put := func(key, content, claimed string) string {
		ctx, sum := context.Background(), md5.Sum([]byte(claimed))
		blobs := client.NewBlockBlobClient(key)
		if _, err := blobs.Upload(ctx, streaming.NopCloser(bytes.NewReader([]byte(content))), nil); err != nil {
			t.Fatal(err)
		}
		out, err := blobs.SetHTTPHeaders(ctx, blob.HTTPHeaders{BlobContentMD5: sum[:]}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf(`[{"id":"1","eventType":"Microsoft.Storage.BlobCreated","subject":"/blobServices/default/containers/photos/blobs/%s",
			"data":{"api":"PutBlob","eTag":%q,"sequencer":"0000000000000442000000000002896%d"}}]`, key, strings.Trim(string(*out.ETag), `"`), len(key))
	}
	good, rotten := put("dir/good", "hello\n", "hello\n"), put("rotten", "jello\n", "hello\n")
	bucket := "azblob://photos?protocol=http&domain=" + strings.TrimPrefix(server.URL, "http://")
	// In-memory topics last as long as the process, and the test may run several times.
	id := rand.Text()
	queue, results := "mem://events-"+id, "mem://results-"+id
	events, announced := openTopic(t, queue), subscribeResults(t, results)
	openTopic(t, "mem://dead-"+id)
	s := serve(t, nil, "--queue", queue, "--results", results, "--dead-letter", "mem://dead-"+id, "--bucket", bucket)
	send(t, events, good)
	e, data := announced.next(cloudevents.TypeRecorded)
	if data.Key != "dir/good" || fmt.Sprint(data.VerifiedAgainst) != "[{content-md5 md5 match b1946ac92492d2347c6235b4d2611184 b1946ac92492d2347c6235b4d2611184 }]" {
		t.Errorf("event %s", e)
	}
	send(t, events, rotten)
	if e, data := announced.next(cloudevents.TypeMismatch); data.Key != "rotten" || *data.Recorded || !strings.Contains(data.Reason, "content-md5 says md5 b1946ac9") {
		t.Errorf("event %s", e)
	}
	s.until("level=ERROR", "message dead-lettered")
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	if got := sumRun(t, "", strings.Replace(bucket, "photos?", "photos/dir/?", 1)); got.Stdout != "b1946ac92492d2347c6235b4d2611184  dir/good\n" || got.Status != exitOK {
		t.Errorf("sum: %+v", got)
	}
}
