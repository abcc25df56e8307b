package drivertest

import (
	"bytes"
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// Container is a container on a test server, as its users see it.
type Container struct {
	awsenv.Server
	Name   string
	Client *container.Client
}

func MakeContainer(t testing.TB, server awsenv.Server) Container {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	credential, err := container.NewSharedKeyCredential(awsenv.AzuriteAccount, awsenv.AzuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	b := Container{server, "test-" + strings.ToLower(rand.Text()), nil}
	options := &container.ClientOptions{ClientOptions: policy.ClientOptions{Transport: &http.Client{Transport: transport}}}
	b.Client, err = container.NewClientWithSharedKeyCredential(server.URL+"/"+awsenv.AzuriteAccount+"/"+b.Name, credential, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Client.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b Container) Address() string {
	return "azblob://" + b.Name + "?protocol=http&domain=" + strings.TrimPrefix(b.URL, "http://")
}

// Put stores a blob and returns it as an event names it.
func (b Container) Put(t testing.TB, key, content string, set *blockblob.UploadOptions) pipeline.Object {
	t.Helper()
	out, err := b.Client.NewBlockBlobClient(key).Upload(context.WithoutCancel(t.Context()), streaming.NopCloser(bytes.NewReader([]byte(content))), set)
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return pipeline.Object{Bucket: b.Name, Key: key, Size: int64(len(content)), ETag: strings.Trim(string(*out.ETag), `"`)}
}

func (b Container) Get(t *testing.T, key string) (string, bool) {
	t.Helper()
	out, err := b.Client.NewBlobClient(key).DownloadStream(context.WithoutCancel(t.Context()), nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return "", false
	}
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return "", false
	}
	return readAll(t, key, out.Body), true
}

func (b Container) Delete(t *testing.T, key string) {
	t.Helper()
	if _, err := b.Client.NewBlobClient(key).Delete(t.Context(), nil); err != nil {
		t.Errorf("delete %q: %v", key, err)
	}
}

func (b Container) Keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for pages := b.Client.NewListBlobsFlatPager(nil); pages.More(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range page.Segment.BlobItems {
			keys = append(keys, *entry.Name)
		}
	}
	return keys
}

// Through returns the container behind another server, such as a proxy.
func (b Container) Through(s awsenv.Server) Container {
	b.Server = s
	return b
}

func (b Container) Open(t testing.TB, c blobstore.Config) *blobstore.Store {
	t.Helper()
	return OpenURL(t, b.Address(), b.Name, c)
}

func (b Container) Harness(layout blobstore.Layout) pipelinetest.Store {
	return pipelinetest.Store{
		Name: b.Name,
		Holds: func(key string) bool {
			for element := range strings.SplitSeq(key, "/") {
				if strings.HasSuffix(element, ".") {
					return false
				}
			}
			return !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
		},
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return b.Open(t, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { b.Put(t, key, content, nil) },
		Get:       b.Get,
		Delete:    b.Delete,
		Keys:      b.Keys,
	}
}
