// Package watch makes a folder of files behave like an S3 bucket that sends
// events: each change of a file becomes the message that EventBridge would send.
//
// # The path of one file
//
// A file a.txt is copied into the folder:
//
//   - notify.go: the operating system reports that something happened at the path
//     of a.txt. It reports each write, perhaps twice, perhaps late.
//   - loop.go: [Folder.Run] takes the report and turns the path into the key a.txt.
//   - state.go: the watcher looks at what the key leads to now: a file with its size
//     and times, a folder, or nothing. links.go follows symbolic links.
//   - tree.go: the watcher compares that with the version that it announced last.
//     If they are the same there is nothing to do.
//   - settle.go: the key waits until the file has not changed for [Config].Settle.
//     Then the file counts as completely written.
//   - outbox.go: the change waits for the publisher, which gets the changes of one
//     key in their order. publish.go repeats what the publisher refuses.
//   - event.go: the message is an "Object Created" event as S3 sends it.
//
// A report of the system is only a hint. It may be merged with others, late or
// lost, and what counts is what the watcher finds at the path. Whenever the watcher
// cannot rely on reports, it scans instead and compares in the same way (scan.go):
// the whole folder at the start and after lost reports, a folder that is new, and,
// at intervals, folders that the system does not watch (poll.go).
//
// # Limits
//
// A file that only gets other permissions or another name is announced too: the
// system's time of its last change (ctime) is the only sure sign of new content.
//
// The file system must report changes. What another machine writes to a network
// share, and what is written through a memory mapping, is found by the next sweep,
// [Config].Sweep, if the times of the file have changed. The removal of a record is
// noticed only while it happens, and not if a whole folder of records is moved away.
package watch
