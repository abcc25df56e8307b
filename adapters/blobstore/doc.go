// Package blobstore reads objects and keeps their records in buckets that are opened
// by URL: s3://, gs://, azblob://, file://, mem:// and whatever gocloud.dev/blob can.
//
// A record is a sidecar object for each algorithm, holding one line as
// md5sum and its relatives print it, so that "md5sum -c" works after a download.
// What else a record must know (the object and its version that was read, that
// bucketsum wrote it) is the sidecar's metadata. A folder knows no metadata: there it is a note
// out of sight under .bucketsum.
//
// A record that is wrong by now does not stay: with the record of a new version
// go those of older versions, also of algorithms that are configured no more, and
// with an object go all. An object store, where every look costs a request, is asked
// for the former only when a record replaces one of another version, so that some may
// stay after the first change of an object under other algorithms. Records of
// another layout are neither read nor removed, and never taken for objects.
//
// What bucketsum did not write is never overwritten and never removed. In a
// folder, a sidecar is bucketsum's as long as it holds the very line that its
// note remembers. Between the last look at a sidecar and its replacement lies one
// system call; POSIX has no closer way.
//
// A folder's files are opened as they are, not through gocloud's fileblob, which cannot
// address all names and costs several times as much as the checksum of a small file. Nothing
// outside of the folder is read, whatever symbolic links say; what is not a regular file is not opened. The version of a file is
// told by its times of modification and change and its size, see package filebucket.
// A folder in the folder that has notes of its own is another bucket and is not
// listed.
//
// Several processes may work on one folder, by different users, too, if all of
// them may write to it: the notes then let in whom the folder lets in. CleanUp takes
// the notes of records that vanished with their objects for useless; where that was
// only a file system that is not mounted, the records are the user's own from then on.
//
// # S3
//
// A read is pinned by the version, or by the ETag where there are no versions. A
// body that breaks off, or from which nothing comes for a minute, goes on at the
// byte where it stopped, of the same version. What has a checksum of S3's own is
// compared with it by the SDK when it comes in one piece.
//
// A large object, or what is left of it after a checkpoint, is read in up to 16 ranges
// side by side where probes say that it is faster that way: on S3, where one connection
// brings less than one hash takes. The parts of an upload are not compared with its ETag
// where S3 keeps a checksum of the whole that is as strong: it takes a second MD5 of
// every byte.
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
