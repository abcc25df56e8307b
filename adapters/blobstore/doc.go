// Package blobstore reads objects and keeps their records in the buckets that
// gocloud.dev/blob can open by URL (file://, mem://, …).
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
package blobstore
