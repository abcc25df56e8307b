package watch

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"log/slog"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Config is the configuration of a [Folder]. Dir, Bucket, Publisher and Topic
// are required; of the other fields the zero value is the default. All functions
// but Current and Remembered are called by the goroutine that watches and must
// return quickly.
type Config struct {
	Dir       string // the folder, which must exist
	Bucket    string // the bucket name in the events
	Publisher message.Publisher
	Topic     string

	// Leave reports whether a file or a folder with all that is in it is left alone: it
	// is neither watched nor announced. Default: nothing is, but folders named
	// [filebucket.Hidden].
	Leave func(key string) bool
	// Skip reports whether files with this key are never announced, such as
	// records. Default: no file is skipped.
	Skip func(key string) bool
	// Current reports whether the work for this version of the object is done
	// already, so that a file that exists at the start need not be announced. If it
	// returns an error the file is announced. Default: no work is done.
	Current func(ctx context.Context, o pipeline.Object) (bool, error)
	// Remembered yields the keys of objects that have records. After the first
	// scan, those that no longer exist are announced as deleted. Default: none.
	Remembered func(ctx context.Context) iter.Seq2[string, error]
	// RecordOf returns the key of the object whose record may have a skipped key.
	// When that record is removed or written to, the object is announced again. A
	// record that is replaced by a rename is not noticed. Default: no object is
	// announced again.
	RecordOf func(key string) (object string, ok bool)

	// Removed is called at once for each announced file, and for each record of one, that
	// the system reports as removed. Default: nothing is done.
	Removed func(key string)

	// Unaddressable is called once for each file that cannot be an object, with
	// the reason: its name is not UTF-8, or its path is too long; and again with a
	// nil error when the file is gone. Default: a warning in the log.
	Unaddressable func(key string, err error)
	// Unreadable is called for each folder that cannot be read, with the reason,
	// and again with a nil error when the folder can be read or is gone. Default:
	// a warning in the log.
	Unreadable func(key string, err error)
	// Inner is called once for each folder in Dir that is a bucket of its own,
	// because records of another bucketsum lie in it. No file in it is announced.
	// Default: a warning in the log.
	Inner func(key string)

	// Skipped is called for what is left out, with the reason; again whenever it is
	// looked at. Default: nothing is done.
	Skipped func(key string, why Skip)

	// Settle is how long size and modification time of a file must stay the
	// same before the file counts as completely written. Default 500 ms.
	Settle time.Duration
	// Rescan is the interval between scans of folders whose changes the system
	// does not report: those beyond its limit of watches, and unreadable ones.
	// Default 5 s.
	Rescan time.Duration
	// Sweep is the interval between scans of everything, for changes that no system
	// reports: writes through memory maps, and by other machines on a network share.
	// Default 10 min.
	Sweep time.Duration
	Log   *slog.Logger // default: discarded
}

// Skip is why something in the folder is left out.
type Skip string

// The reasons.
const (
	Link       Skip = "link"        // a symbolic link that leads to no file in the folder
	Special    Skip = "special"     // a pipe, a socket or a device
	LoneRecord Skip = "lone record" // a file with a skipped key, beside which there is no object that it may be a record of
)

// Validate returns all faults of the configuration.
func (c Config) Validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("no folder"))
	}
	if c.Bucket == "" {
		faults = append(faults, errors.New("no bucket name"))
	}
	if c.Publisher == nil {
		faults = append(faults, errors.New("no publisher"))
	}
	if c.Topic == "" {
		faults = append(faults, errors.New("no topic"))
	}
	if c.Settle < 0 {
		faults = append(faults, errors.New("settle time is negative"))
	}
	if c.Sweep < 0 {
		faults = append(faults, errors.New("sweep interval is negative"))
	}
	if c.Rescan < 0 {
		faults = append(faults, errors.New("rescan interval is negative"))
	}
	return errors.Join(faults...)
}

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	log := c.Log.With("bucket", c.Bucket)
	c.Log = log
	if c.Leave == nil {
		c.Leave = func(string) bool { return false }
	}
	if c.Skip == nil {
		c.Skip = func(string) bool { return false }
	}
	if c.RecordOf == nil {
		c.RecordOf = func(string) (string, bool) { return "", false }
	}
	if c.Removed == nil {
		c.Removed = func(string) {}
	}
	if c.Unaddressable == nil {
		c.Unaddressable = func(key string, err error) {
			if err != nil {
				log.Warn("file cannot be an object", "key", key, "err", err)
			}
		}
	}
	if c.Unreadable == nil {
		c.Unreadable = func(key string, err error) {
			if err != nil {
				log.Warn("folder cannot be read", "key", key, "err", err)
			}
		}
	}
	if c.Inner == nil {
		c.Inner = func(key string) { log.Warn("folder is a bucket of its own and is left out", "key", key) }
	}
	if c.Skipped == nil {
		c.Skipped = func(string, Skip) {}
	}
	c.Settle = cmp.Or(c.Settle, 500*time.Millisecond)
	c.Rescan = cmp.Or(c.Rescan, 5*time.Second)
	c.Sweep = cmp.Or(c.Sweep, 10*time.Minute)
	return c
}
