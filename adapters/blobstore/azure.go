package blobstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob/azureblob"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

const azureKeyLimit = 1024 // characters

// azureBucket is a container of Azure Blob Storage. gocloud says what its URLs mean;
// the SDK is asked for the rest: raw names (gocloud rewrites some characters),
// conditions, content and state in one request.
type azureBucket struct {
	name   string
	client *container.Client
	locks  keyLocks
}

var (
	_ contents       = (*azureBucket)(nil)
	_ offsetContents = (*azureBucket)(nil)
	_ sidecars       = (*azureBucket)(nil)
	_ blobs          = (*azureBucket)(nil)
)

// openAzure opens azblob://CONTAINER with the parameters and the AZURE_STORAGE_…
// environment of gocloud. It sends no request to the store.
func openAzure(ctx context.Context, u *url.URL, name string, c Config) (*Store, error) {
	if u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.Fragment != "" {
		return nil, fmt.Errorf("bucket URL %q: a container on Azure is azblob://CONTAINER, with parameters such as ?storage_account=photos and nothing else", u.Redacted())
	}
	if err := azureURLFault(u.Query()); err != nil {
		return nil, fmt.Errorf("bucket URL %q: %w", u.Redacted(), err)
	}
	connections := cloudTransport()
	b := &azureBucket{name: u.Host}
	opener := azureblob.URLOpener{
		ServiceURLOptions: *azureblob.NewDefaultServiceURLOptions(),
		MakeClient: func(service azureblob.ServiceURL, containerName azureblob.ContainerName) (client *container.Client, err error) {
			b.client, err = azureClient(string(service), string(containerName), connections)
			return b.client, err
		},
	}
	if azureCredential() != azureToken {
		opener.ServiceURLOptions.SASToken = "" // it would be sent along
	}
	opened, err := opener.OpenBucketURL(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return &Store{name: name, contents: b, records: newRecords(c, b), close: func() error {
		connections.CloseIdleConnections()
		return opened.Close()
	}}, nil
}

// reachable implements Store.Check.
func (b *azureBucket) reachable(ctx context.Context) error {
	one := int32(1)
	_, err := b.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{MaxResults: &one}).NextPage(ctx)
	return b.translate(err)
}

func (b *azureBucket) check(key string) error {
	switch {
	case key == "":
		return pipeline.Permanent(errors.New("an object's key cannot be empty"))
	case !utf8.ValidString(key):
		return pipeline.Permanent(fmt.Errorf("the key %q is not UTF-8", key))
	case utf8.RuneCountInString(key) > azureKeyLimit:
		return pipeline.Permanent(fmt.Errorf("the key has %d characters; Azure has none of more than %d", utf8.RuneCountInString(key), azureKeyLimit))
	case !azureName(key):
		return pipeline.Permanent(fmt.Errorf("no blob can be addressed by a key like %q: Azure takes it for another", key))
	}
	return nil
}

// azureName reports whether a name stands for itself: HTTP and Azure fold "." and
// "..", Azure drops dots at the end of an element and makes a slash of a backslash.
func azureName(key string) bool {
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\\' }) {
		return false
	}
	for element := range strings.SplitSeq(key, "/") {
		if strings.HasSuffix(element, ".") {
			return false
		}
	}
	return true
}

func (b *azureBucket) stat(ctx context.Context, key string) (state, error) {
	out, err := b.client.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return state{}, b.translate(err)
	}
	if out.ContentLength == nil || out.ETag == nil {
		return state{}, errUnknownLength
	}
	s := state{etag: azureETag(out.ETag), size: *out.ContentLength}
	return s, azureFolder(key, s.size, azureMetadata(out.Metadata))
}

// azureFolder returns ErrFiltered for what stands for a folder, be it by the mark
// that a hierarchical namespace gives it, and ErrOwnRecord for a record of another layout.
func azureFolder(key string, size int64, metadata map[string]string) error {
	if metadata["hdi-isfolder"] == "true" {
		return fmt.Errorf("it stands for a folder: %w", pipeline.ErrFiltered)
	}
	return cmp.Or((&sidecar{metadata: metadata}).isOwnRecord(key), isFolder(key, size))
}

func (b *azureBucket) open(ctx context.Context, o pipeline.Object) (content, state, error) {
	return b.openAt(ctx, o, 0)
}

// openAt takes one request for a whole blob, as its answer has everything. An answer
// with a part of it says neither its length for sure nor its MD5.
func (b *azureBucket) openAt(ctx context.Context, o pipeline.Object, offset int64) (content, state, error) {
	if !isPrintable(o.ETag) {
		return nil, state{}, pipeline.Permanent(fmt.Errorf("no object has an ETag like %q", o.ETag))
	}
	c := &pinned{ctx: ctx, size: -1, offset: offset}
	var now state
	accept := func(tag *azcore.ETag, size *int64, named map[string]*string, md5 []byte) error {
		if tag == nil || size == nil {
			return errUnknownLength
		}
		metadata := azureMetadata(named)
		now = state{etag: azureETag(tag), size: *size}
		c.size, c.claimed = now.size, azureClaims(metadata, md5)
		if err := azureFolder(o.Key, now.size, metadata); err != nil {
			return err
		}
		if offset > now.size || !now.is(o) {
			return fmt.Errorf("%w: it has ETag %s and %d bytes", pipeline.ErrChanged, now.etag, now.size)
		}
		return nil
	}
	c.from = func(ctx context.Context, at int64) (io.ReadCloser, error) {
		out, err := b.download(ctx, o.Key, cmp.Or(now.etag, o.ETag), at)
		switch {
		case now.etag != "" && bloberror.HasCode(err, bloberror.BlobNotFound):
			return nil, fmt.Errorf("%w: it was deleted while it was read (%w)", pipeline.ErrChanged, err)
		case err != nil:
			return nil, b.translate(err)
		case c.size >= 0:
			return out.Body, nil
		}
		if err := accept(out.ETag, out.ContentLength, out.Metadata, out.ContentMD5); err != nil {
			_ = out.Body.Close() // nothing was read
			return nil, err
		}
		return out.Body, nil
	}
	if offset > 0 {
		out, err := b.client.NewBlobClient(o.Key).GetProperties(ctx, &blob.GetPropertiesOptions{AccessConditions: azureIfMatch(o.ETag)})
		if err == nil {
			err = accept(out.ETag, out.ContentLength, out.Metadata, out.ContentMD5)
		}
		if err != nil {
			return nil, state{}, b.translate(err)
		}
	}
	err := c.begin()
	if errors.Is(err, pipeline.ErrChanged) && now.etag == "" {
		// A blob that is gone does not fulfil the condition either.
		if _, there := b.stat(ctx, o.Key); errors.Is(there, pipeline.ErrNotFound) {
			err = there
		}
	}
	if err != nil {
		return nil, state{}, err
	}
	return c, now, nil
}

// download asks for the content from a byte on, if it still has the ETag.
func (b *azureBucket) download(ctx context.Context, key, etag string, offset int64) (blob.DownloadStreamResponse, error) {
	return b.client.NewBlobClient(key).DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range:            blob.HTTPRange{Offset: offset},
		AccessConditions: azureIfMatch(etag),
	})
}

// azureIfMatch returns the condition that what is there has the ETag; none if that
// is unknown.
func azureIfMatch(etag string) *blob.AccessConditions {
	if etag == "" {
		return nil
	}
	quoted := azcore.ETag(`"` + etag + `"`)
	return &blob.AccessConditions{ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &quoted}}
}

// azureClaims: Azure has the MD5 that the uploader gave, or of a blob that came in one
// piece.
func azureClaims(metadata map[string]string, md5 []byte) []pipeline.Claim {
	all := metadataClaims(metadata)
	if len(md5) > 0 {
		all = append(all, pipeline.Claim{Name: "content-md5", Claim: digest.Claim{Algorithm: "md5", Value: fmt.Sprintf("%x", md5)}})
	}
	return all
}

// translate turns an error into one of the pipeline's classes, by code. Only a
// missing blob is superseded, not a missing container.
func (b *azureBucket) translate(err error) error {
	var answer *azcore.ResponseError
	var broken *url.Error
	if errors.As(err, &answer) {
		err = azureFault{answer}
	} else if errors.As(err, &broken) {
		err = broken.Err // the rest is the URL, which may have a token in it
	}
	switch {
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case bloberror.HasCode(err, bloberror.ConditionNotMet, bloberror.TargetConditionNotMet, bloberror.BlobAlreadyExists):
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	case bloberror.HasCode(err, bloberror.BlobArchived):
		// No event that this program knows tells of its return.
		return pipeline.Permanent(fmt.Errorf("it is in the archive tier: rehydrate it, then send its event again: %w", err))
	case bloberror.HasCode(err, bloberror.InvalidResourceName, bloberror.InvalidURI):
		return pipeline.Permanent(err)
	case bloberror.HasCode(err, bloberror.ContainerNotFound):
		return fmt.Errorf("there is no container %s in this account on Azure: %w", b.name, err)
	case answer != nil && answer.StatusCode == http.StatusForbidden:
		return fmt.Errorf("access to container %s is denied; it takes the role Storage Blob Data Contributor, or Reader if records are elsewhere: %w", b.name, err)
	}
	return err
}

// azureFault is the answer of a store in one line: the SDK's text has the whole.
type azureFault struct{ answer *azcore.ResponseError }

func (f azureFault) Error() string {
	return fmt.Sprintf("Azure answers %d %s", f.answer.StatusCode, f.answer.ErrorCode)
}

func (f azureFault) Unwrap() error { return f.answer }
