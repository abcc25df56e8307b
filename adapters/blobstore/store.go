package blobstore

import (
	"context"
	"fmt"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Config says how records are kept. The zero value is the default.
type Config struct {
	Layout     Layout
	Algorithms []string // those that records hold; default md5
}

// Store is an open bucket: a source of objects and the keeper of their records.
// Its methods are safe for concurrent use, but for Close.
type Store struct {
	name     string
	contents contents
	records  *records
	folder   *folder // nil unless the bucket is a folder of files
	close    func() error
}

// contents is where objects are. Its methods are safe for concurrent use.
type contents interface {
	// check explains why no object can have the key; nil if one can.
	check(key string) error
	// stat returns the current state of an object. ErrNotFound if there is none.
	stat(ctx context.Context, key string) (state, error)
	// open returns an object's current content and the state that it is of.
	// ErrNotFound if there is none, ErrChanged if it is being replaced.
	open(ctx context.Context, key string) (content, state, error)
	// list returns all objects but those to be skipped, in the lexical order of
	// their keys. See Store.List.
	list(ctx context.Context, skip func(key string) bool) iter.Seq2[pipeline.Object, error]
}

// state is what a store tells of one version of an object.
type state struct {
	etag string // without quotes
	size int64  // bytes
}

// Open opens the bucket that the URL names; events call it name.
func Open(ctx context.Context, rawURL, name string, c Config) (*Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("bucket URL: %w", err)
	}
	if u.Scheme == "file" {
		dir, err := folderOf(u)
		if err != nil {
			return nil, err
		}
		return OpenFolder(dir, name, c)
	}
	if !blob.DefaultURLMux().ValidBucketScheme(u.Scheme) {
		return nil, fmt.Errorf("bucket URL %q: unknown scheme %q; valid are %s",
			u.Redacted(), u.Scheme, strings.Join(blob.DefaultURLMux().BucketSchemes(), ", "))
	}
	bucket, err := blob.OpenBucket(ctx, rawURL)
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return New(bucket, name, c), nil
}

// New makes a store of a bucket that is open already and can keep metadata. It
// closes the bucket when it is closed itself.
func New(bucket *blob.Bucket, name string, c Config) *Store {
	o := &objects{bucket: bucket}
	return &Store{name: name, contents: o, records: newRecords(c, o), close: bucket.Close}
}

// NameOf returns the name that events have for the bucket of a URL: the host,
// or the last element of the path for a folder.
func NameOf(u *url.URL) string {
	if u.Scheme != "file" {
		return u.Host
	}
	dir, err := folderOf(u)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return u.Host // Open reports what is wrong with it
	}
	return filepath.Base(dir)
}

// Bucket returns the store as the ports of the pipeline.
func (s *Store) Bucket() pipeline.Bucket {
	return pipeline.Bucket{Source: s, Records: s.records}
}

// List returns every object of the bucket that is not a record, with its ETag
// and size, in the lexical order of keys. What cannot be read or cannot be an object
// at all (a name that is not UTF-8, a folder that cannot be read, a device) comes
// with an error, so that nothing is passed over in silence; its other fields are
// then unknown. The listing goes on after an error, but for that of the store as a
// whole or the end of ctx. Symbolic links to folders are not followed.
//
// In a folder it takes the memory of the names of one directory for each level. An
// object store is asked for the ETag of each object, one request each.
func (s *Store) List(ctx context.Context) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for o, err := range s.contents.list(ctx, s.records.IsRecord) {
			o.Bucket = s.name
			if err != nil {
				o.Size = pipeline.UnknownSize
				err = fmt.Errorf("list %s: %w", printable(o), err)
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// Recorded yields the keys of the objects that have a record, whether they are
// there or not, with a key once for each algorithm that is recorded. The
// errors are as of List.
func (s *Store) Recorded(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		notRecord := func(key string) bool { return !s.records.layout.IsRecord(key) }
		for record, err := range s.contents.list(ctx, notRecord) {
			key, _, ok := s.records.layout.ObjectKey(record.Key)
			if !ok && err == nil {
				continue
			}
			if !yield(key, err) {
				return
			}
		}
	}
}

// CheckWritable reports why no record could be written to the folder; nil if
// one can. What an object store allows only shows when something is written: nil.
func (s *Store) CheckWritable() error {
	if s.folder == nil {
		return nil
	}
	if err := s.folder.checkWritable(); err != nil {
		return fmt.Errorf("bucket %s: cannot write records to %s: %w; the folder must be writable for the user that runs bucketsum",
			s.name, s.folder.dir, err)
	}
	return nil
}

// CleanUp removes what a process that was killed left half-written in a folder.
// A write that another process has under way fails then, and its retry succeeds.
func (s *Store) CleanUp() error {
	if s.folder == nil {
		return nil
	}
	return s.folder.cleanUp()
}

// Close closes the bucket.
func (s *Store) Close() error { return s.close() }

// printable returns bucket and key for people to read, with what would garble a
// terminal escaped.
func printable(o pipeline.Object) string {
	if strings.ContainsFunc(o.Key, func(r rune) bool { return r < ' ' || r == utf8.RuneError || r == 0x7f }) {
		return fmt.Sprintf("%s/%q", o.Bucket, o.Key)
	}
	return o.String()
}
