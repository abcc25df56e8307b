package blobstore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/freeport"
)

// azureContainer is a container on a test server as its users have it.
type azureContainer struct {
	awsenv.Server
	name   string
	client *container.Client
}

func makeContainer(t testing.TB, server awsenv.Server) azureContainer {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	credential, err := container.NewSharedKeyCredential(awsenv.AzuriteAccount, awsenv.AzuriteKey)
	if err != nil {
		t.Fatal(err)
	}
	b := azureContainer{server, "test-" + strings.ToLower(rand.Text()), nil}
	options := &container.ClientOptions{ClientOptions: policy.ClientOptions{Transport: &http.Client{Transport: transport}}}
	b.client, err = container.NewClientWithSharedKeyCredential(server.URL+"/"+awsenv.AzuriteAccount+"/"+b.name, credential, options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.client.Create(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b azureContainer) url() string {
	return "azblob://" + b.name + "?protocol=http&domain=" + strings.TrimPrefix(b.URL, "http://")
}

// put stores a blob and returns it as an event would name it.
func (b azureContainer) put(t testing.TB, key, content string, set *blockblob.UploadOptions) pipeline.Object {
	t.Helper()
	out, err := b.client.NewBlockBlobClient(key).Upload(context.WithoutCancel(t.Context()), streaming.NopCloser(bytes.NewReader([]byte(content))), set)
	if err != nil {
		t.Fatalf("put %q: %v", key, err)
	}
	return pipeline.Object{Bucket: b.name, Key: key, Size: int64(len(content)), ETag: strings.Trim(string(*out.ETag), `"`)}
}

func (b azureContainer) get(t *testing.T, key string) (string, bool) {
	t.Helper()
	out, err := b.client.NewBlobClient(key).DownloadStream(context.WithoutCancel(t.Context()), nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return "", false
	}
	if err != nil {
		t.Errorf("get %q: %v", key, err)
		return "", false
	}
	defer out.Body.Close()
	content, err := io.ReadAll(out.Body)
	if err != nil {
		t.Errorf("get %q: %v", key, err)
	}
	return string(content), true
}

func (b azureContainer) delete(t *testing.T, key string) {
	t.Helper()
	if _, err := b.client.NewBlobClient(key).Delete(t.Context(), nil); err != nil {
		t.Errorf("delete %q: %v", key, err)
	}
}

func (b azureContainer) keys(t *testing.T) []string {
	t.Helper()
	var keys []string
	for pages := b.client.NewListBlobsFlatPager(nil); pages.More(); {
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

// through returns the container as seen through another server, such as a proxy.
func (b azureContainer) through(s awsenv.Server) azureContainer {
	b.Server = s
	return b
}

func (b azureContainer) open(t testing.TB, c blobstore.Config) *blobstore.Store {
	t.Helper()
	return openURL(t, b.url(), b.name, c)
}

func (b azureContainer) harness(layout blobstore.Layout) pipelinetest.Store {
	return pipelinetest.Store{
		Name: b.name,
		Holds: func(key string) bool {
			for element := range strings.SplitSeq(key, "/") {
				if strings.HasSuffix(element, ".") {
					return false
				}
			}
			return !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
		},
		Open: func(t *testing.T, algorithms ...string) pipeline.Bucket {
			return b.open(t, blobstore.Config{Layout: layout, Algorithms: algorithms}).Bucket()
		},
		RecordKey: layout.RecordKey,
		Put:       func(t *testing.T, key, content string) { b.put(t, key, content, nil) },
		Get:       b.get,
		Delete:    b.delete,
		Keys:      b.keys,
	}
}

func TestStoreOnAzure(t *testing.T) {
	server := awsenv.StartAzurite(t)
	pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
		return makeContainer(t, server).harness(blobstore.Layout{})
	})
}

// Whatever the credentials are, objects are read and recorded, and errors do not
// tell them.
func TestAzureCredentials(t *testing.T) {
	server := awsenv.StartAzurite(t)
	b := makeContainer(t, server)
	signed, err := b.client.GetSASURL(sas.ContainerPermissions{Read: true, Write: true, Create: true, Delete: true, List: true}, time.Now().Add(time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, token, _ := strings.Cut(signed, "?")
	host := strings.TrimPrefix(server.URL, "http://")
	for name, environ := range map[string]map[string]string{
		"token": {"AZURE_STORAGE_SAS_TOKEN": token, "AZURE_STORAGE_DOMAIN": host, "AZURE_STORAGE_PROTOCOL": "http", "AZURE_STORAGE_KEY": ""},
		"connection string": {"AZURE_STORAGE_ACCOUNT": "", "AZURE_STORAGE_KEY": "", "AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;AccountName=" +
			awsenv.AzuriteAccount + ";AccountKey=" + awsenv.AzuriteKey + ";BlobEndpoint=" + server.URL + "/" + awsenv.AzuriteAccount + ";"},
		"key beside a token": {"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=wrong", "AZURE_STORAGE_DOMAIN": host, "AZURE_STORAGE_PROTOCOL": "http"},
	} {
		t.Run(name, func(t *testing.T) {
			for k, v := range environ {
				t.Setenv(k, v)
			}
			store := openURL(t, "azblob://"+b.name, b.name, blobstore.Config{})
			o := b.put(t, "dir/a", "content", nil)
			mustRead(t, store, o, "content")
			if err := errors.Join(store.Check(t.Context()), store.Bucket().Records.Save(t.Context(), record(o))); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		t.Setenv("AZURE_STORAGE_KEY", "")
		t.Setenv("AZURE_STORAGE_SAS_TOKEN", token)
		t.Setenv("AZURE_STORAGE_PROTOCOL", "http")
		t.Setenv("AZURE_STORAGE_DOMAIN", "127.0.0.1:"+freeport.Find(t))
		store := openURL(t, "azblob://"+b.name, b.name, blobstore.Config{})
		_, err := store.Stat(t.Context(), pipeline.Object{Bucket: b.name, Key: "a"})
		if pipeline.Classify(err) != pipeline.ClassTransient || err == nil || strings.Contains(err.Error(), "sig=") {
			t.Errorf("got %v", err)
		}
	})
}
