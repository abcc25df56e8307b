// Package md5sum prints and checks lists of checksums as md5sum and its relatives in
// GNU coreutils do: the same lines and messages, for files and for objects.
package md5sum

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Options are those of md5sum, and some for objects.
type Options struct {
	Algorithms []string // computed in one pass
	Chosen     bool     // the user named the algorithms
	Length     int      // bits of the values of blake2b, sha2 and sha3; 0: as usual
	Tag        bool     // BSD-style lines
	Untagged   bool     // lines without the algorithm, also where these are ambiguous
	Binary     bool     // an asterisk before names
	Text       bool     // no asterisk before names; excludes Tag
	Zero       bool     // NUL ends lines, names are not escaped
	Base64     bool     // values are in base64
	Raw        bool     // the bytes of one value
	Format     string   // one of the constants below; empty: text
	Recursive  bool     // folders are read
	Directory  string   // that names of files are relative to; empty: the current one

	Check         bool // verify the files that lists name; the options below need it
	IgnoreMissing bool
	Quiet         bool
	Status        bool
	Strict        bool
	Warn          bool
	CheckURLs     bool // the URLs of buckets in a list may be read

	Concurrency int               // files read at once
	Memory      *blobstore.Memory // of all that is read ahead
	Buckets     blobstore.Drivers // that URLs can name
}

// How checksums are printed.
const (
	FormatText = "text"
	FormatJSON = "json"
	FormatSFV  = "sfv"
)

// Streams are the standard streams of Run.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// ErrFailed means that something could not be read or did not match. Run has printed
// what.
var ErrFailed = errors.New("some checksums failed")

// Run prints the checksums of the named files and objects or, with Check, verifies the
// lists with these names. Without a name it reads standard input. After ErrFailed all
// other files were done; any other error stops Run. When ctx ends, Run returns within
// about a second, even if a read hangs.
func Run(ctx context.Context, std Streams, o *Options, names []string) error {
	if len(names) == 0 {
		names = []string{"-"}
		if o.Recursive {
			names = []string{"."}
		}
	}
	names = o.whole(names)
	r := newReader(std.In, o.Memory, o.Buckets)
	r.dir, r.recursive = o.Directory, o.Recursive
	r.progress = startProgress(ctx, std, o, names, func(ctx context.Context) (sweep.Totals, bool) {
		if o.Check {
			return sweep.Totals{}, false // what there is to do is not known before the lists are read
		}
		return r.total(ctx, names)
	})
	defer r.progress.stop()
	std = r.progress.streams(std)
	return interruptibly(ctx, func() (err error) {
		defer func() { err = errors.Join(err, r.close()) }()
		if o.Check {
			return check(ctx, std, o, r, names)
		}
		return printSums(ctx, std, o, r, names)
	})
}

// grace is how long interrupted work may take to end.
const grace = time.Second

// interruptibly does the work, and returns early when ctx ends. Work that hangs in a
// read from a terminal, a FIFO or a dead mount, which no context interrupts, lives until
// the process ends.
func interruptibly(ctx context.Context, work func() error) error {
	done := make(chan error, 1)
	go func() { done <- work() }()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		select {
		case err = <-done:
		case <-time.After(grace):
			err = context.Cause(ctx)
		}
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		return errors.New("interrupted")
	}
	return err
}

// complain prints why one file failed.
func complain(std Streams, name string, err error) {
	fmt.Fprintf(std.Err, "bucketsum sum: %s: %s\n", visibleName(name), reasonOf(err))
}

// visibleName returns the name for an error: on one line, without control characters, and
// without the secrets of a URL, which may be misspelt and so the name of a file.
func visibleName(name string) string {
	u, err := redact.Parse(name)
	switch {
	case name == "":
		return "''"
	case err == nil && urlForm.MatchString(name) && u.Host != "" && u.Port() == "" && u.User == nil:
		// A key may have an @, and no parameter is needed to know the object.
		name, _, _ = strings.Cut(name, "?")
		name, _, _ = strings.Cut(name, "#")
	case strings.Contains(name, "@") && (strings.Contains(name, "//") || misspelt.MatchString(name)):
		name = redact.URL(name)
	}
	return readable.Name(name)
}

// misspelt is the form of a URL that lacks slashes.
var misspelt = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:(/|[^/]*:)`)
