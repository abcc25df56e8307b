// Package events decodes the messages in which object stores tell what happened
// to their objects: Amazon S3 through EventBridge, CloudTrail, or its own
// notifications, each also wrapped by SNS, MinIO, Ceph, versitygw and others that
// speak S3's form, Google Cloud Storage through Pub/Sub, and Azure Blob Storage
// through Event Grid in both of its schemas.
//
// A message is recognised by its content, never by the queue that it came from.
//
// # Keys
//
// Keys come out exactly as objects are named. S3 notifications form-encode them
// ("a+b%20c" is the key "a b c"), also MinIO's; those of Ceph and versitygw, and
// every other form, carry them as they are, so that "a+b%20c" is a key of these
// seven characters.
//
// # What a deletion tells
//
// An event of kind Deleted whose Object has a VersionID says that this very
// version is gone for good; it may have been an old one, while the current
// version is still there. One without says that the key has no current version
// any more: the bucket has no versions, or a delete marker covers them. The
// marker's own version id and ETag are left out, as they name no content. See
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html and
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html.
//
// # What is not understood
//
// Fields that this version does not know are passed over. Kinds of event that it
// does not know, and those that ask for no work, are of kind Ignored. Everything
// else is a permanent error that names the form and the field.
package events
