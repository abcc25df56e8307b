// Package testenv stands in for S3 and EventBridge on one machine.
//
// A [Folder] is a bucket that is a folder of files. What happens to the files
// becomes the messages that EventBridge would send for such a bucket.
//
// It needs a file system that tells of changes: what another machine writes to
// a network share, and writes through a memory mapping that is never synced, are
// found when the folder is scanned the next time, which may be the next start.
package testenv
