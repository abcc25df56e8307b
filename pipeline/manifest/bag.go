package manifest

import (
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Create opens a new file of a bag by its name.
type Create func(name string) (io.WriteCloser, error)

// BagOptions describe a [Bag].
type BagOptions struct {
	Algorithms []string // one payload manifest for each; at least one
	// Existing: the names are those of files in a bag: the payload is below data/, everything else is a tag file. Its bagit.txt
	// and bag-info.txt stay as they are. Otherwise all names are of the payload, and belong below data/.
	Existing bool
	// Info are further lines of bag-info.txt, as label and value.
	Info [][2]string
}

// Bag writes the manifests and tag files of a bag (RFC 8493, version 1.0) whose payload is elsewhere. Not safe for
// concurrent use.
type Bag struct {
	o       BagOptions
	create  Create
	payload []*bagFile // by algorithm
	tags    []*bagFile // tag manifests, by algorithm
	files   int64
	bytes   int64
	written []Entry // files that were written, for the tag manifests
}

// NewBag creates the manifests. After an error of the bag the caller removes what was created.
func NewBag(create Create, o BagOptions) (*Bag, error) {
	b := &Bag{o: o, create: create}
	if err := FormatBagIt.Validate(o.Algorithms); err != nil {
		return nil, err
	}
	for _, kind := range []struct {
		prefix string
		files  *[]*bagFile
	}{{"manifest-", &b.payload}, {"tagmanifest-", &b.tags}} {
		for _, a := range o.Algorithms {
			f, err := b.file(kind.prefix + a + ".txt")
			if err != nil {
				return nil, err
			}
			*kind.files = append(*kind.files, f)
		}
	}
	return b, nil
}

// bagFile is a file of the bag that is being written, and its checksums so far.
type bagFile struct {
	name string
	io.WriteCloser
	digest *digest.Digest
	buffer []byte
	size   int64
}

func (b *Bag) file(name string) (*bagFile, error) {
	d, err := digest.New(b.o.Algorithms...)
	if err != nil {
		return nil, err
	}
	w, err := b.create(name)
	if err != nil {
		return nil, fmt.Errorf("create %s: %w", name, err)
	}
	return &bagFile{name: name, WriteCloser: w, digest: d}, nil
}

func (f *bagFile) line(s string) error {
	if f.buffer = append(f.buffer, s...); len(f.buffer) < 64<<10 {
		return nil
	}
	return f.flush()
}

func (f *bagFile) flush() error {
	f.digest.Write(f.buffer) //nolint:errcheck // a digest never fails
	f.size += int64(len(f.buffer))
	_, err := f.WriteCloser.Write(f.buffer)
	f.buffer = f.buffer[:0]
	if err != nil {
		return fmt.Errorf("write %s: %w", f.name, err)
	}
	return nil
}

// finish closes a file and keeps its checksums for the tag manifests.
func (b *Bag) finish(f *bagFile) error {
	err := f.flush()
	if e := f.Close(); err == nil && e != nil {
		err = fmt.Errorf("close %s: %w", f.name, e)
	}
	b.written = append(b.written, Entry{Name: f.name, Size: f.size, Checksums: f.digest.Sums()})
	return err
}

var tagManifest = regexp.MustCompile(`^tagmanifest-[A-Za-z0-9]+\.txt$`)

// Write adds an entry, which has all algorithms of the bag and a size. An error other than ErrName is final.
func (b *Bag) Write(e Entry) error {
	if err := complete(e, b.o.Algorithms); err != nil {
		return err
	}
	if !utf8.ValidString(e.Name) || !isPath(e.Name) {
		return fmt.Errorf("%w: it is not a path in UTF-8 without empty parts and without the parts . or .. in it", ErrName)
	}
	if e.Size < 0 {
		return errors.New("a bag needs the size")
	}
	to := b.payload
	switch {
	case !b.o.Existing:
		e.Name = "data/" + e.Name
	case b.replaces(e.Name):
		return nil
	case !strings.HasPrefix(e.Name, "data/"):
		to = b.tags
	}
	if strings.HasPrefix(e.Name, "data/") {
		b.files++
		b.bytes += e.Size
	}
	return b.add(to, e)
}

// isPath reports whether the name of an object is that of the file that it becomes.
func isPath(name string) bool {
	return path.Clean(name) == name && name[0] != '/' && name != "." && !strings.HasPrefix(name, "../") && name != ".."
}

// replaces reports whether the bag that is written has a file of that name. Tag manifests of other algorithms would
// not fit.
func (b *Bag) replaces(name string) bool {
	return tagManifest.MatchString(name) || slices.ContainsFunc(b.payload, func(f *bagFile) bool { return f.name == name })
}

func (b *Bag) add(to []*bagFile, e Entry) error {
	name := bagEscaper.Replace(e.Name)
	for i, a := range b.o.Algorithms {
		if err := to[i].line(e.Checksums[a] + "  " + name + "\n"); err != nil {
			return err
		}
	}
	return nil
}

var bagEscaper = strings.NewReplacer("\n", "%0A", "\r", "%0D", "%", "%25")

// Close writes the tag files and closes all files. It returns the names of the files and their checksums.
func (b *Bag) Close() ([]Entry, error) {
	var errs []error
	for _, f := range b.payload {
		errs = append(errs, b.finish(f))
	}
	if !b.o.Existing {
		errs = append(errs, b.text("bagit.txt", [][2]string{{"BagIt-Version", "1.0"}, {"Tag-File-Character-Encoding", "UTF-8"}}))
		oxum := [2]string{"Payload-Oxum", fmt.Sprintf("%d.%d", b.bytes, b.files)}
		errs = append(errs, b.text("bag-info.txt", append([][2]string{oxum}, b.o.Info...)))
	}
	for _, e := range slices.Clone(b.written) {
		errs = append(errs, b.add(b.tags, e))
	}
	for _, f := range b.tags {
		errs = append(errs, b.finish(f))
	}
	return b.written, errors.Join(errs...)
}

// text writes a file of labels and values.
func (b *Bag) text(name string, lines [][2]string) error {
	f, err := b.file(name)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if err = f.line(l[0] + ": " + l[1] + "\n"); err != nil {
			break
		}
	}
	return errors.Join(err, b.finish(f))
}
