// Package watch stands in for S3 and EventBridge on one machine.
//
// A [Folder] is a bucket that is a folder of files. What happens to the files
// becomes the messages that EventBridge would send for such a bucket.
//
// A file that only got other rights or another name is announced as well, as the
// system's time of its change is all that tells every new content.
//
// It needs a file system that tells of changes: what another machine writes to
// a network share, and writes through a memory mapping that is never synced, are
// found when the folder is scanned the next time, which may be the next start, or
// when [Folder.Look] asks for it. That a record vanished is only seen as it happens,
// and not of a whole folder of records that is moved away.
package watch
