// Package azure is the driver for containers of Azure Blob Storage: azblob://CONTAINER.
//
// gocloud interprets the URL. All requests go through the SDK, which has what gocloud does not:
// raw names (gocloud rewrites some characters), conditions, and content and state in one
// request.
package azure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Driver opens containers with the parameters and the AZURE_STORAGE_… environment of gocloud.
var Driver = driver.Driver{Scheme: "azblob", Example: "azblob://photos?storage_account=example", Open: open}

// bucket is a container of Azure Blob Storage.
type bucket struct {
	driver.Locks
	name        string
	client      *container.Client
	connections *http.Transport
}

func open(ctx context.Context, u *url.URL, _ driver.Options) (driver.Bucket, error) {
	if u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return nil, fmt.Errorf("bucket URL %q: a container on Azure is azblob://CONTAINER, with parameters such as ?storage_account=photos and nothing else", redact.URL(u.String()))
	}
	if err := urlFault(u.Query()); err != nil {
		return nil, fmt.Errorf("bucket URL %q: %w", redact.URL(u.String()), err)
	}
	b := &bucket{name: u.Host, connections: driver.Transport()}
	at, err := configuredService().override(u.Query())
	if err != nil {
		return nil, fmt.Errorf("bucket URL %q: %w", redact.URL(u.String()), err)
	}
	token := ""
	if credential() == sasToken {
		token = os.Getenv("AZURE_STORAGE_SAS_TOKEN")
	}
	where, err := at.url(token)
	if err != nil {
		return nil, fmt.Errorf("bucket URL %q: %w", redact.URL(u.String()), err)
	}
	if b.client, err = newClient(where, u.Host, b.connections); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *bucket) Traits() driver.Traits {
	return driver.Traits{Name: "Azure", KeyLimit: 1024, KeyInRune: true}
}

func (b *bucket) Close() error {
	b.connections.CloseIdleConnections()
	return nil
}

func (b *bucket) Reachable(ctx context.Context) error {
	one := int32(1)
	_, err := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: &one}).NextPage(ctx)
	return b.translate(err)
}

// Check implements driver.Bucket. Some names become other ones on their way: HTTP and Azure
// resolve "." and "..", Azure drops dots at the end of an element and turns a backslash into a
// slash.
func (b *bucket) Check(key string) error {
	odd := strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' })
	for element := range strings.SplitSeq(key, "/") {
		odd = odd || strings.HasSuffix(element, ".")
	}
	if odd {
		return pipeline.Permanent(fmt.Errorf("no blob can be addressed by a key like %q: Azure takes it for another", key))
	}
	return nil
}

func (b *bucket) Stat(ctx context.Context, key string) (driver.State, error) {
	s, _, err := b.properties(ctx, key, "")
	return s, err
}

// properties returns what the store says about a blob that has the ETag; empty: any ETag.
func (b *bucket) properties(ctx context.Context, key, etag string) (driver.State, []pipeline.Claim, error) {
	out, err := b.client.NewBlobClient(key).GetProperties(ctx, &blob.GetPropertiesOptions{AccessConditions: ifMatch(etag)})
	if err != nil {
		return driver.State{}, nil, b.translate(err)
	}
	return answered(out.ETag, out.ContentLength, out.Metadata, out.ContentMD5)
}

// answered returns what an answer says about a blob. The error is ErrFiltered for a folder, as
// a hierarchical namespace marks it.
func answered(tag *azcore.ETag, size *int64, named map[string]*string, md5 []byte) (driver.State, []pipeline.Claim, error) {
	if tag == nil || size == nil {
		return driver.State{}, nil, driver.ErrUnknownLength
	}
	s := driver.State{ETag: etagOf(tag), Size: *size, Metadata: metadataOf(named)}
	return s, claimsOf(s.Metadata, md5), folderMark(s.Metadata)
}

// claimsOf returns what a blob's metadata and its Content-MD5 say about its content.
func claimsOf(metadata map[string]string, md5 []byte) []pipeline.Claim {
	claims := driver.MetadataClaims(metadata)
	if len(md5) > 0 { // the uploader gave it, or the blob came in one piece
		claims = append(claims, pipeline.Claim{Name: "content-md5", Claim: digest.Claim{Algorithm: "md5", Value: fmt.Sprintf("%x", md5)}})
	}
	return claims
}

func folderMark(metadata map[string]string) error {
	if metadata["hdi-isfolder"] == "true" {
		return fmt.Errorf("it stands for a folder: %w", pipeline.ErrFiltered)
	}
	return nil
}

// Open implements driver.Bucket. For a whole blob it takes one request, whose answer has
// everything. For a part it asks for the properties first: an answer with a part does not
// always have the length of the blob, nor its MD5.
func (b *bucket) Open(ctx context.Context, o pipeline.Object, offset int64) (c driver.Content, err error) {
	if !driver.IsPrintable(o.ETag) {
		return c, pipeline.Permanent(fmt.Errorf("no object has an ETag like %q", o.ETag))
	}
	c.Range = func(ctx context.Context, first, _ int64) (io.ReadCloser, error) {
		out, err := b.download(ctx, o.Key, c.ETag, first)
		if bloberror.HasCode(err, bloberror.BlobNotFound) {
			return nil, fmt.Errorf("%w: it was deleted while it was read (%w)", pipeline.ErrChanged, err)
		}
		return out.Body, b.translate(err)
	}
	if offset > 0 {
		if c.State, c.Claims, err = b.properties(ctx, o.Key, o.ETag); err == nil && offset < c.Size {
			c.Body, err = c.Range(ctx, offset, c.Size)
		}
	} else {
		var out blob.DownloadStreamResponse
		if out, err = b.download(ctx, o.Key, o.ETag, 0); err == nil {
			c.Body = out.Body
			if c.State, c.Claims, err = answered(out.ETag, out.ContentLength, out.Metadata, out.ContentMD5); err != nil {
				_ = c.Body.Close() // nothing was read
			}
		}
		err = b.translate(err)
	}
	if errors.Is(err, pipeline.ErrChanged) {
		// A blob that is gone does not meet the condition either.
		if _, there := b.Stat(ctx, o.Key); errors.Is(there, pipeline.ErrNotFound) {
			err = there
		}
	}
	return c, err
}

// download asks for the content from a byte on, if the blob still has the ETag.
func (b *bucket) download(ctx context.Context, key, etag string, offset int64) (blob.DownloadStreamResponse, error) {
	return b.client.NewBlobClient(key).DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range:            blob.HTTPRange{Offset: offset},
		AccessConditions: ifMatch(etag),
	})
}

// ifMatch returns the condition that the blob has the ETag; no condition if the ETag is
// unknown.
func ifMatch(etag string) *blob.AccessConditions {
	if etag == "" {
		return nil
	}
	quoted := azcore.ETag(`"` + etag + `"`)
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &quoted}}
}

// translate turns an error into one of the pipeline's classes, by code. A missing blob is
// superseded, a missing container is not.
func (b *bucket) translate(err error) error {
	var answer *azcore.ResponseError
	var broken *url.Error
	if errors.As(err, &answer) {
		err = fault{answer}
	} else if errors.As(err, &broken) {
		err = broken.Err // the rest is the URL, which may have a token in it
	}
	switch {
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.TargetConditionNotMet, bloberror.BlobAlreadyExists):
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	case bloberror.HasCode(err, bloberror.BlobArchived):
		// This program knows no event of its return.
		return pipeline.Permanent(fmt.Errorf("it is in the archive tier: rehydrate it, then send its event again: %w", err))
	case bloberror.HasCode(err, bloberror.InvalidResourceName, bloberror.InvalidURI):
		return pipeline.Permanent(err)
	case bloberror.HasCode(err, bloberror.ContainerNotFound):
		return fmt.Errorf("there is no container %s in this account on Azure: %w", b.name, err)
	case answer != nil && answer.StatusCode == http.StatusForbidden:
		return driver.Denied(fmt.Errorf("access to container %s is denied; it takes the role Storage Blob Data Contributor, or Reader if records are elsewhere: %w", b.name, err))
	}
	return err
}

// fault is the answer of a store in one line; the text of the SDK has the whole answer.
type fault struct{ answer *azcore.ResponseError }

func (f fault) Error() string {
	return fmt.Sprintf("Azure answers %d %s", f.answer.StatusCode, f.answer.ErrorCode)
}

func (f fault) Unwrap() error { return f.answer }
