package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bucketsum/bucketsum/adapters/awsfault"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/unreached"
)

// fault is the answer of S3: its error code, and its response. Either may be missing. An answer
// to HEAD has no body and so no real code.
type fault struct {
	code   string
	status int
	header http.Header
}

func faultOf(err error) fault {
	var f fault
	if api, ok := errors.AsType[smithy.APIError](err); ok {
		f.code = api.ErrorCode()
	}
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		f.status, f.header = response.Response.StatusCode, response.Response.Header
	}
	return f
}

// notFound reports that the object does not exist, while its bucket may.
func (f fault) notFound() bool {
	switch f.code {
	case "NoSuchKey", "NoSuchVersion", "NotFound":
		return true
	case "MethodNotAllowed":
		return f.header.Get("X-Amz-Delete-Marker") == "true" // of the version that was asked for
	}
	return false
}

// nothing reports that something does not exist, by an answer that does not say what: it has no document of S3.
func (f fault) nothing() bool {
	return f.status == http.StatusNotFound && (f.code == "" || f.code == "NotFound")
}

// refused reports that the condition of a request did not hold, or that another write to the
// key was under way.
func (f fault) refused() bool {
	return f.status == http.StatusPreconditionFailed || f.code == "PreconditionFailed" || f.conflict()
}

// conflict reports that another write to the key was under way.
func (f fault) conflict() bool { return f.code == "ConditionalRequestConflict" }

// unsupported reports that the store does not know the condition of a request.
func (f fault) unsupported() bool {
	return f.status == http.StatusNotImplemented || f.code == "NotImplemented"
}

// translate turns the error of a request for an object into one of the pipeline's classes, by
// code. needs names the permission that the request needs.
func (b *bucket) translate(err error, needs string) error {
	if err == nil {
		return nil
	}
	// gocloud's classes are too coarse: it reports a missing bucket as a missing object.
	if op, ok := errors.AsType[*smithy.OperationError](err); ok {
		err = awsfault.Brief(op)
	}
	f := faultOf(err)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case f.notFound():
		return fmt.Errorf("%w (%w)", pipeline.ErrNotFound, err)
	case f.refused():
		return fmt.Errorf("%w (%w)", pipeline.ErrChanged, err)
	case f.code == "InvalidObjectState":
		return fmt.Errorf("%w (%w)", pipeline.ErrArchived, err)
	case f.code == "KeyTooLongError":
		return pipeline.Permanent(fmt.Errorf("%w: %w", syscall.ENAMETOOLONG, err))
	}
	if b.stale(f) {
		// The provider of the credentials may have new ones.
		if cache, ok := b.client.Options().Credentials.(*aws.CredentialsCache); ok {
			cache.Invalidate()
		}
	}
	if none := awsfault.Credentials(err); none != nil {
		return none
	}
	if b.client.Options().Region == "" {
		return awsfault.Instead("no region is set: add region=… to the bucket's URL, or set AWS_REGION", err)
	}
	if why := b.explain(err, f, needs); why != "" {
		err = fmt.Errorf("%s: %w", why, err)
	}
	if f.status == http.StatusForbidden && !b.stale(f) {
		return driver.Denied(err)
	}
	return err
}

// stale reports that the store does not accept the credentials.
func (b *bucket) stale(f fault) bool {
	switch f.code {
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "InvalidAccessKeyId", "SignatureDoesNotMatch",
		"XAdminUserNotFound": // versitygw's, of an access key
		return true
	}
	return false
}

// explain says what a transient error means and what to do about it; empty if the error speaks
// for itself.
func (b *bucket) explain(err error, f fault, needs string) string {
	switch {
	case f.code == "NoSuchBucket":
		return fmt.Sprintf("there is no bucket %q: create it, or correct the bucket's URL", b.name)
	case f.status == http.StatusMovedPermanently, f.code == "PermanentRedirect", f.code == "AuthorizationHeaderMalformed":
		return fmt.Sprintf("the bucket %q is in %s, and was asked for in %s: add region=… to its URL, or set AWS_REGION",
			b.name, orUnknown(f.header.Get("X-Amz-Bucket-Region")), orUnknown(b.client.Options().Region))
	case b.stale(f):
		return "the credentials have expired or are not those of the store: renew them"
	case f.code == "RequestTimeTooSkewed":
		return "the clock of this machine is wrong: set it"
	case strings.HasPrefix(f.code, "KMS."):
		return "its KMS key cannot be used: it needs to be enabled, and this program needs kms:Decrypt (to write records: kms:GenerateDataKey)"
	case f.status == http.StatusForbidden, f.code == "AccessDenied":
		return fmt.Sprintf("access denied: this program needs %s on the bucket %q%s", needs, b.name, also(needs))
	case f.code == "SlowDown", f.status == http.StatusTooManyRequests, f.status == http.StatusServiceUnavailable:
		return "the store asks for fewer requests"
	case f.status >= http.StatusInternalServerError:
		return "the store has a fault"
	case f.status == http.StatusBadRequest && (f.code == "InvalidRequest" || f.code == "BadRequest"):
		return "the store does not understand the request: an object that is encrypted with a key of your own needs --sse-c-key-file with that key; else the credentials may have expired"
	}
	return b.unreached(err)
}

// also names the other permissions for which S3 denies access to an object.
func also(needs string) string {
	if needs == "s3:ListBucket" {
		return ""
	}
	return " (and s3:ListBucket, without which S3 says this of a key that is gone), and kms:Decrypt if a KMS key encrypts it"
}

// explainRecord says which flag is wrong if the store refuses a record; empty if no flag is.
func explainRecord(f fault) string {
	switch {
	case f.code == "InvalidStorageClass":
		return "the store has no such storage class: correct --record-storage-class"
	case f.code == "InvalidTag":
		return "the store does not take the tags of records: correct --record-tag"
	case strings.HasPrefix(f.code, "KMS."):
		return "the KMS key of records cannot be used: correct --record-kms-key (or kmskeyid=… in the bucket's URL, or the bucket's default), enable the key, and allow this program kms:GenerateDataKey and kms:Decrypt"
	}
	return ""
}

// shadowed says why there can be no object at a key in a store that keeps its objects as files; empty if nothing
// is in the way.
func shadowed(f fault, key string) string {
	why := ""
	switch f.code {
	case "ExistingObjectIsDirectory", "XMinioObjectExistsAsDirectory": // of versitygw and SeaweedFS; of MinIO
		why = "a folder of that name is there"
	case "ObjectParentIsFile", "ExistingObjectIsFile", "XMinioParentIsObject":
		why = "an object has the name of a folder that it needs"
	default:
		return ""
	}
	return fmt.Sprintf("%q cannot be written because %s: rename that, or choose other names with --record, then redrive", key, why)
}

// unreached says why a request did not reach the store.
func (b *bucket) unreached(err error) string {
	if awsfault.Foreign(err) {
		return notS3
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return "nothing listens at the store's address: start it, or correct endpoint=… in the bucket's URL or AWS_ENDPOINT_URL"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the store's name is unknown: correct region or endpoint; a store that is not AWS mostly needs use_path_style=true in the bucket's URL"
	}
	return unreached.Why(err)
}

// notS3 is what to say of an answer that S3 never gives.
const notS3 = "what answers there is no S3: correct endpoint=… in the bucket's URL or AWS_ENDPOINT_URL"

func orUnknown(region string) string {
	if region == "" {
		return "another region"
	}
	return "region " + region
}
