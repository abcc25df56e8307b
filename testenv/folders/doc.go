// Package folders is a simulator of the users of a folder: random histories of what people and programs do to a real
// folder, on which the program's own worker runs. It is the counterpart of package sim for `bucketsum local`.
//
// # How a run works
//
// A seed draws a history (draw.go): a list of operations such as "put d/a", "move d x", "stop", "start", "quiet". The
// operations change a real folder, and a model of what users have in it (users.go, tree.go). The worker is the
// caller's: the test in cmd/bucketsum/internal/app runs app.Local, so that the watcher, inotify, the queue in memory, the
// handlers and the folder's driver are the real ones.
//
// The operations between two quiet phases come in a burst. An operation may also wait until the worker reaches a
// step, such as the writing of a record, which then waits until the operation is done.
//
// A phase is quiet when the worker has nothing left to do. The simulator finds that out without any sleep: it writes a
// file of its own, and waits for its checksum. The watcher and the queue keep the order of changes, so that earlier ones
// are done by then. It repeats this until nothing else happened meanwhile.
//
// At each quiet phase and at the end the whole folder is compared with the model (check.go). After each operation all
// records are compared with the versions that their notes name.
//
// # What a seed decides
//
// A seed replays the history of the users exactly, and the timing of the worker roughly: goroutines, inotify and the
// clock are real. A violation that depends on timing may need several runs of its seed. [Shrink] drops the operations that
// a violation does not need, so that what remains can be read.
//
// # What it does not cover
//
// Processes that are killed in the middle of a system call, several processes on one folder, full disks (testenv/storm
// has them), power cuts (testenv/powercut), mounts, files that are written for longer than the settle time, and layouts other
// than the default one. "kill" ends the worker without any time to drain. The settle time is 10 ms: a kernel
// whose file times advance in longer steps (Linux before 6.13 with less than 100 Hz) could show violations that
// the usual half second excludes.
package folders
