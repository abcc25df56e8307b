// Package blobstore reads objects and keeps their records in the buckets that
// gocloud.dev/blob can open by URL (s3://, file://, mem://, …).
//
// A record is a sidecar object for each algorithm, holding one line as
// md5sum and its relatives print it, so that "md5sum -c" works after a download.
// What else a record must know (the version that was read, that bucketsum wrote
// it) is the sidecar's metadata. A folder knows no metadata: there it is a note
// out of sight under .bucketsum.
//
// What bucketsum did not write is never overwritten and never removed. In a
// folder, a sidecar is bucketsum's as long as it holds the very line that its
// note remembers. Between the last look at a sidecar and its replacement lies one
// system call; POSIX has no closer way.
//
// A folder's files are read through gocloud's fileblob, except those whose names
// it cannot address. Nothing outside of the folder is read, whatever symbolic
// links say; what is not a regular file is not opened. The version of a file is
// its modification time and size, as fileblob has it: a rewrite that restores
// both is not seen.
//
// # S3
//
// A read is pinned by the version, or by the ETag where there are no versions. A
// body that breaks off, or from which nothing comes for a minute, goes on at the
// byte where it stopped, of the same version. What has a checksum of S3's own is
// compared with it by the SDK when it comes in one piece.
//
// Empty objects are summed like any other. An empty object whose key ends with a
// slash stands for a folder and is not; one with content is. An object in the archive
// waits for the event of its restore. Keys are the raw keys, whatever gocloud makes
// of them; the longest is 1,024 bytes, and where that of the record would be longer
// there is none.
//
// Records are written conditionally, so that two workers never undo each other.
// S3 compares ETags, and those of two records with the same line are the same: a
// record that replaces its like is told apart by the asterisk of md5sum --binary.
// What is left is a worker that stops between reading a record and writing it, while
// others put another record in its place and then the like of the first. A store without conditional writes is noticed at the first record;
// there the record is looked at just before it is written, and a warning says so.
//
// Records may have a bucket of their own, below a folder with the name of the
// objects' bucket. Then nothing is written beside the objects, and what looks like a
// record there is summed like anything else. That bucket must not be summed itself.
package blobstore
