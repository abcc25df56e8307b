// Package powercut shows what a power cut can leave of a folder while a program writes to it.
//
// [Trace] runs the real program under strace and notes each call that changes the folder or syncs
// a part of it. [Log.States] returns the folders that a machine may find after a power cut at any
// moment of that run. A test makes each of them with [Tree.Restore] and starts the program on it.
//
// The package assumes the weakest reading of POSIX, weaker than any journalling file system:
//
//   - fsync of a file keeps the content that was written before the fsync began. It does not keep
//     the name of the file.
//   - fsync of a directory keeps the names in it, and which files and directories they name. It
//     does not keep the name of the directory itself, nor the content of the files.
//   - Of everything else any part may be kept or lost, in any order. Each change of a name is kept
//     or lost by itself, also the two halves of a rename from one directory to another. A name that
//     is replaced by a rename stands for the old file or for the new one.
//   - Content that was not synced is what it was before, complete, cut in half, all zeros, or half
//     of it zeros.
//
// Package ext4 cuts the power of a real file system. ext4, XFS and Btrfs keep changes of names in order, so that their states are some of these. What
// was there when the run began counts as kept. Permissions and times are not looked at.
package powercut
