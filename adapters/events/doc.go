// Package events decodes the messages with which object stores report changes of
// objects: Amazon S3 through EventBridge, through CloudTrail and EventBridge, or in its
// own notifications, each also wrapped by SNS, by Pipes or in a CloudEvent; MinIO, Ceph,
// versitygw and others that send S3's notifications; Google Cloud Storage through Pub/Sub
// or as CloudEvents; Azure Blob Storage through Event Grid, in both of its schemas; Oracle
// Object Storage; and Alibaba OSS. It also decodes the messages in which bucketsum asks its workers for
// the shards of a pass.
//
// The content of a message decides which form it has, never the queue.
//
// # Keys
//
// The decoded key is exactly the object's name. The notifications of S3 and MinIO
// form-encode keys: "a+b%20c" there is the key "a b c". The notifications of Ceph,
// versitygw, Storj, Scality and NooBaa, and all other forms, carry keys unencoded:
// "a+b%20c" there is a key of these seven characters.
//
// Senders differ from what their form documents, so an event of S3's forms has the other
// reading, too, if there is one: [pipeline.Event.OtherKey]. A key that does not decode is
// read as it stands.
//
// # Deletions
//
// If an event of kind Deleted has a VersionID, this version was deleted for good. It may
// have been an old version, while the current one still exists. Without a VersionID the
// key has no current version any more: the bucket is unversioned, or the newest version
// is a delete marker. The marker's own version id and ETag are left out, because they
// name no content. See
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/EventBridge.html and
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html.
//
// # Unknown fields, kinds and forms
//
// Decode skips unknown fields. Events of kinds that are known to require no work get the
// kind Ignored: each of these kinds is listed. Everything else is a permanent error that names
// the form and the field, or the kind that is not known.
//
// # Sizes, ETags, versions and sequencers
//
// They only save work, so no fault in them makes an error. A number may be quoted, an
// identifier may be a number, and what is malformed, null or too long is unknown.
package events
