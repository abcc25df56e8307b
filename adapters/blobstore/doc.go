// Package blobstore reads objects and keeps their records in buckets that are opened by URL:
// s3://, gs://, azblob://, file:// and mem://. A [Store] is the same for all of them; below
// it, each technology is a package with a driver.
//
// A record is a sidecar object for each algorithm. It holds one line as md5sum and its
// relatives print it, so that "md5sum -c" works after a download. The metadata of the sidecar
// names the version of the object that was read, and has a mark that bucketsum wrote it.
//
// Wrong records do not stay. The record of a new version replaces those of older versions,
// also of algorithms that are no longer configured, and with an object all its records are
// removed. In an object store, where every look costs a request, the store looks for records
// of former algorithms only when a record replaces one of another version; some may
// therefore stay after the first change of an object under other algorithms. Records of
// another layout are neither read nor removed, and never taken for objects.
//
// What bucketsum neither wrote nor adopted is never overwritten and never removed. It adopts
// a file in the place of a record that holds the right checksum and nothing else. In a
// folder, a sidecar is bucketsum's if it holds exactly the line in its note, or if its
// modification time has the mark of its content. Between the last look at such a sidecar and
// its replacement there is one system call; POSIX has nothing closer. CleanUp removes the
// notes of records that vanished with their objects.
//
// # Reading
//
// A read is pinned to the version of the object, or to its ETag where there are no versions.
// If a body breaks off, or nothing comes for a minute, the reader asks for the rest of the
// same version from the byte where it stopped. If S3 has a checksum of the whole content,
// the reader compares the two, unless the caller does so with Reader.Claims.
//
// A large object, or what is left of it after a checkpoint, is read in up to 16 ranges side
// by side if probes show that this is faster: on S3, one connection is slower than one hash.
// The ETag of an upload in parts is not compared where S3 keeps a checksum of the whole
// that is as strong: it costs a second MD5 of every byte.
//
// Empty objects are summed like any other. An empty object whose key ends with a slash
// stands for a folder and is not summed; one with content is. An object in the archive waits
// for the event of its restore. Keys are raw keys, without the escapes of gocloud. On S3 they
// have up to 1,024 bytes; an object has no record if the key of the record would be longer.
//
// # Writing
//
// Records are written conditionally, so that two workers never undo each other. S3
// compares ETags, and two records with the same line have the same ETag: a record that
// replaces the same line differs by the asterisk of md5sum --binary. One case is left:
// a worker stops between reading a record and writing it, while others replace the record
// and then write one like the first again. The first record shows whether a store has
// conditional writes. Without them, the record is read just before it is written, and a
// warning says so.
//
// Records may have a bucket of their own, below a folder with the name of the objects'
// bucket. Then nothing is written beside the objects, and what looks like a record there is
// summed like any other object. The bucket of the records must not be summed itself.
package blobstore
