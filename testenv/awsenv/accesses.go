package awsenv

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Key is a KMS key that a queue or a bucket is encrypted with.
type Key struct {
	ARN string
	// BucketKey means that the bucket has an S3 Bucket Key, so that the encryption
	// context names the bucket instead of the object.
	BucketKey bool
}

// call is a request and the accesses that it needs.
type call struct {
	name     string // of the operation, such as s3:PutObject
	accesses []Access
}

// parse returns the call that a request makes. An unknown request is an error:
// the list of what a program needs would be incomplete.
//
// The accesses are those of AWS's documentation: the "Permissions" of each operation
// of S3 (for conditional requests: "Enforce conditional deletes on Amazon S3
// buckets"), the "Amazon SQS API permissions" (a batch needs the action of one
// message), "Key management" of SQS, and "Using server-side encryption with AWS KMS
// keys" of S3.
func (g *Gate) parse(r *http.Request) (call, error) {
	var (
		c   call
		err error
	)
	switch service := scopeOf(r)[3]; service {
	case "s3":
		c, err = g.parseS3(r)
	case "sqs":
		c, err = g.parseSQS(r)
	default:
		err = fmt.Errorf("unknown service %q", service)
	}
	for i := range c.accesses {
		if c.accesses[i].Context == nil {
			c.accesses[i].Context = make(map[string]string)
		}
		c.accesses[i].Context["aws:SecureTransport"] = fmt.Sprint(r.TLS != nil)
	}
	return c, err
}

// scopeOf returns the access key, date, region and service in the signature of a
// request.
func scopeOf(r *http.Request) [4]string {
	_, credential, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	credential, _, _ = strings.Cut(credential, ",")
	var scope [4]string
	copy(scope[:], strings.Split(credential, "/"))
	return scope
}

// s3Parameters are the query parameters that do not change the needed accesses,
// except that versionId selects the action for versions.
var s3Parameters = []string{"versionId", "partNumber", "x-id", "list-type", "max-keys", "encoding-type", "max-parts", "part-number-marker",
	"prefix", "delimiter", "start-after", "continuation-token"}

func (g *Gate) parseS3(r *http.Request) (call, error) {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	query := r.URL.Query()
	var subresource []string
	for name := range query {
		if !slices.Contains(s3Parameters, name) {
			subresource = append(subresource, name)
		}
	}
	slices.Sort(subresource)
	bucketARN := "arn:aws:s3:::" + bucket
	object := bucketARN + "/" + key
	version := ""
	if query.Has("versionId") {
		version = "Version"
	}
	what := strings.TrimSpace(r.Method + " " + strings.Join(subresource, " "))
	if key == "" {
		switch {
		case what == "HEAD":
			return call{"s3:HeadBucket", accesses(bucketARN, "s3:ListBucket")}, nil
		case what == "GET" && query.Get("list-type") == "2":
			return call{"s3:ListObjectsV2", accesses(bucketARN, "s3:ListBucket")}, nil
		case r.Method == http.MethodGet && query.Has("versions"):
			return call{"s3:ListObjectVersions", accesses(bucketARN, "s3:ListBucketVersions")}, nil
		}
		return call{}, fmt.Errorf("unknown request to a bucket: %s %s", r.Method, r.URL)
	}
	conditional := r.Header.Get("If-Match") != "" && (r.Method == http.MethodPut || r.Method == http.MethodDelete)
	var c call
	switch what {
	case "GET":
		c = call{"s3:GetObject", append(accesses(object, "s3:GetObject"+version), g.kms(bucketARN, object, "kms:Decrypt")...)}
	case "HEAD":
		c = call{"s3:HeadObject", accesses(object, "s3:GetObject"+version)}
		if r.Header.Get("X-Amz-Checksum-Mode") != "" { // checksums are encrypted too
			c.accesses = append(c.accesses, g.kms(bucketARN, object, "kms:Decrypt")...)
		}
	case "GET attributes":
		c = call{"s3:GetObjectAttributes", accesses(object, "s3:GetObject"+version, "s3:GetObject"+version+"Attributes")}
	case "GET tagging":
		c = call{"s3:GetObjectTagging", accesses(object, "s3:GetObject"+version+"Tagging")}
	case "PUT tagging":
		c = call{"s3:PutObjectTagging", accesses(object, "s3:PutObject"+version+"Tagging")}
	case "PUT":
		c = call{"s3:PutObject", append(accesses(object, "s3:PutObject"), g.kms(bucketARN, object, "kms:GenerateDataKey")...)}
		if r.Header.Get("X-Amz-Tagging") != "" {
			c.accesses = append(c.accesses, accesses(object, "s3:PutObjectTagging")...)
		}
	case "DELETE":
		c = call{"s3:DeleteObject", accesses(object, "s3:DeleteObject"+version)}
	default:
		return call{}, fmt.Errorf("unknown request to an object: %s %s", r.Method, r.URL)
	}
	if conditional { // the condition reveals the ETag of the object
		c.accesses = append(c.accesses, accesses(object, "s3:GetObject")...)
	}
	return c, nil
}

// sqsActions are the IAM actions of SQS operations.
var sqsActions = map[string]string{
	"ReceiveMessage":               "ReceiveMessage",
	"DeleteMessage":                "DeleteMessage",
	"DeleteMessageBatch":           "DeleteMessage",
	"ChangeMessageVisibility":      "ChangeMessageVisibility",
	"ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
	"SendMessage":                  "SendMessage",
	"SendMessageBatch":             "SendMessage",
	"GetQueueAttributes":           "GetQueueAttributes",
}

func (g *Gate) parseSQS(r *http.Request) (call, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20)) // a message has at most 1 MiB
	if err != nil {
		return call{}, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	var in struct{ QueueUrl string }
	if err := json.Unmarshal(body, &in); err != nil {
		return call{}, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	action := sqsActions[operation]
	u, err := url.Parse(in.QueueUrl)
	if action == "" || err != nil {
		return call{}, errors.Join(fmt.Errorf("unknown operation %q of SQS", operation), err)
	}
	account, name, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	queue := "arn:aws:sqs:" + g.Region + ":" + account + ":" + name
	c := call{"sqs:" + operation, accesses(queue, "sqs:"+action)}
	switch action {
	case "ReceiveMessage":
		c.accesses = append(c.accesses, g.kms(queue, "", "kms:Decrypt")...)
	case "SendMessage":
		c.accesses = append(c.accesses, g.kms(queue, "", "kms:GenerateDataKey", "kms:Decrypt")...)
	}
	return c, nil
}

// kms returns the accesses that a caller needs on the key of a queue or bucket; none
// if it has no key. The service uses the key for the caller, so that the gate sees
// no request to KMS.
func (g *Gate) kms(on, object string, actions ...string) []Access {
	key, ok := g.Keys[on]
	if !ok {
		return nil
	}
	all := accesses(key.ARN, actions...)
	for i := range all {
		if object == "" {
			all[i].Context = map[string]string{"kms:ViaService": "sqs." + g.Region + ".amazonaws.com"}
			continue
		}
		if key.BucketKey {
			object = on
		}
		all[i].Context = map[string]string{"kms:ViaService": "s3." + g.Region + ".amazonaws.com", "kms:EncryptionContext:aws:s3:arn": object}
	}
	return all
}

func accesses(resource string, actions ...string) []Access {
	all := make([]Access, len(actions))
	for i, action := range actions {
		all[i] = Access{Action: action, Resource: resource}
	}
	return all
}
