package azure_test

import (
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/pipelinetest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/freeport"
)

func TestMain(m *testing.M) { drivertest.Main(m) }

func TestStore(t *testing.T) {
	server := awsenv.StartAzurite(t)
	pipelinetest.TestStore(t, func(t *testing.T) pipelinetest.Store {
		return drivertest.MakeContainer(t, server).Harness(blobstore.Layout{})
	})
}

// With each kind of credentials objects are read and recorded, and errors do not reveal the
// credentials.
func TestCredentials(t *testing.T) {
	server := awsenv.StartAzurite(t)
	b := drivertest.MakeContainer(t, server)
	signed, err := b.Client.GetSASURL(sas.ContainerPermissions{Read: true, Write: true, Create: true, Delete: true, List: true}, time.Now().Add(time.Hour), nil)
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
			store := drivertest.OpenURL(t, "azblob://"+b.Name, b.Name, blobstore.Config{})
			o := b.Put(t, "dir/a", "content", nil)
			drivertest.MustRead(t, store, o, "content")
			if err := errors.Join(store.Check(t.Context()), pipelinetest.Save(t.Context(), store.Bucket().Records, drivertest.Record(o))); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("no server", func(t *testing.T) {
		t.Setenv("AZURE_STORAGE_KEY", "")
		t.Setenv("AZURE_STORAGE_SAS_TOKEN", token)
		t.Setenv("AZURE_STORAGE_PROTOCOL", "http")
		t.Setenv("AZURE_STORAGE_DOMAIN", "127.0.0.1:"+freeport.Find(t))
		store := drivertest.OpenURL(t, "azblob://"+b.Name, b.Name, blobstore.Config{})
		_, err := store.Stat(t.Context(), pipeline.Object{Bucket: b.Name, Key: "a"})
		if pipeline.Classify(err) != pipeline.ClassTransient || err == nil || strings.Contains(err.Error(), "sig=") {
			t.Errorf("got %v", err)
		}
	})
}

func TestCloud(t *testing.T) {
	drivertest.TestCloud(t, func(t *testing.T) drivertest.Cloud {
		server := awsenv.StartAzurite(t)
		b := drivertest.MakeContainer(t, server)
		return drivertest.Cloud{
			Put: func(key, content string) pipeline.Object { return b.Put(t, key, content, nil) },
			Through: func(handle func(http.ResponseWriter, *http.Request, http.Handler)) *blobstore.Store {
				return b.Through(server.Before(t, handle)).Open(t, blobstore.Config{})
			},
			Missing: func() *blobstore.Store {
				b.Name, b.Server = "nosuch", server
				return b.Open(t, blobstore.Config{})
			},
		}
	})
}

func TestClaims(t *testing.T) {
	sum := md5.Sum([]byte(drivertest.Packed))
	gzip, checksum := "gzip", base64.StdEncoding.EncodeToString(sum[:])
	b := drivertest.MakeContainer(t, awsenv.StartAzurite(t))
	o := b.Put(t, "a", drivertest.Packed, &blockblob.UploadOptions{
		HTTPHeaders: &blob.HTTPHeaders{BlobContentEncoding: &gzip, BlobContentMD5: sum[:]},
		Metadata:    map[string]*string{"md5chksum": &checksum},
	})
	store := b.Open(t, blobstore.Config{})
	drivertest.MustRead(t, store, o, drivertest.Packed)
	want := []pipeline.Claim{drivertest.Claim("md5chksum", "md5", checksum), drivertest.Claim("content-md5", "md5", fmt.Sprintf("%x", sum))}
	if diff := cmp.Diff(want, drivertest.ClaimsOf(t, store, o)); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
}

func TestOpen(t *testing.T) {
	for raw, says := range map[string]string{
		"azblob://": "azblob://CONTAINER",
		"azblob://c?storage_account=evil.example/x": "not the name of an account",
		"azblob://container/prefix":                 "azblob://CONTAINER",
		"azblob://container?nosuch=1":               "nosuch",
	} {
		drivertest.Refused(t, raw, says)
	}
	// A bucket's URL must not send a token to another server.
	t.Setenv("AZURE_STORAGE_KEY", "")
	drivertest.Refused(t, "azblob://c?domain=evil.example", "only the environment decides")
	drivertest.Refused(t, "azblob://c?protocol=http", "only the environment decides")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=secret")
	drivertest.Refused(t, "azblob://c?localemu=true", "only the environment decides")
	drivertest.Refused(t, "azblob://c?storage_account=another", "AZURE_STORAGE_ACCOUNT only")
	drivertest.OpenURL(t, "azblob://c", "b", blobstore.Config{})
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "")
	t.Setenv("AZURE_STORAGE_ACCOUNT", "")
	t.Setenv("AZURE_STORAGE_KEY", awsenv.AzuriteKey) // without its account
	drivertest.Refused(t, "azblob://c?storage_account=photos&domain=evil.example", "only the environment decides")
	drivertest.Refused(t, "azblob://c", "there is no account")
}

func TestItems(t *testing.T) {
	h := drivertest.MakeContainer(t, awsenv.StartAzurite(t)).Harness(blobstore.Layout{})
	holds := h.Holds
	// Azurite compares characters of UTF-16, so that it has U+1F600 before U+FB01.
	h.Holds = func(key string) bool { return holds(key) && key != "\U0001F600" }
	drivertest.TestItems(t, h)
}

func TestReports(t *testing.T) {
	drivertest.TestReports(t, drivertest.MakeContainer(t, awsenv.StartAzurite(t)).Address())
}
