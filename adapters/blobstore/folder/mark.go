package folder

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// A record's file carries a mark, which shows that bucketsum wrote it: the fraction of a second of its
// modification time is a hash of its content. Its note stays behind when the file is moved, copied by cp -a or
// rsync -a, or restored from a backup; the mark moves with it. Where a file system or a tool does not keep
// fractions of seconds, the mark is lost.

// markStep is the finest time that Windows and SMB keep.
const markStep = 100 * time.Nanosecond

// marked returns a time shortly before now with the mark of the data.
func marked(data []byte, now time.Time) time.Time {
	hash := sha256.Sum256(data)
	const steps = uint64(time.Second / markStep)
	// Never the full second, which is what files have whose fraction was lost.
	fraction := time.Duration(1+binary.BigEndian.Uint64(hash[:])%(steps-1)) * markStep
	at := now.Truncate(time.Second).Add(fraction)
	if at.After(now) {
		at = at.Add(-time.Second) // tools warn of times in the future
	}
	return at
}

// isMarked reports whether a file with the data and the modification time carries the mark.
func isMarked(data []byte, modified time.Time) bool {
	return marked(data, modified).Nanosecond() == modified.Nanosecond()
}
