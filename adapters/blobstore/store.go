package blobstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/azureblob"
	"gocloud.dev/blob/s3blob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Config says how records are kept. The zero value is the default.
type Config struct {
	Layout     Layout
	Algorithms []string // those that records hold; default md5
	Records    RecordOptions
	S3         S3Options
	Memory     *Memory      // that stores share; default: each has one of its own
	Log        *slog.Logger // what whoever runs this should know; default: nothing is logged
}

// RecordOptions says where records go and how S3 stores them. The zero value is
// the default: beside their objects, as the bucket has it.
type RecordOptions struct {
	// Bucket is the URL of another bucket that takes the records, so that
	// nothing is ever written to that of the objects. They lie there as they would
	// lie beside the objects, below a folder that is named like the objects' bucket.
	Bucket       string
	KMSKey       string            // id or ARN of the key that encrypts records
	StorageClass string            // as S3 names it, such as STANDARD_IA
	Tags         map[string]string // of the records, at most ten
	// To says in what form records are kept, in all of these: [ToSidecar], the
	// default, or [ToTags].
	To []string
}

// Forms of records.
const (
	ToSidecar = "sidecar" // an object for each
	ToTags    = "tags"    // tags of the object itself, on S3
)

// Store is an open bucket: a source of objects and the keeper of their records.
// Its methods are safe for concurrent use, but for Close.
type Store struct {
	name     string
	contents contents
	records  *records
	recorder pipeline.Recorder // of all forms; nil if that is records
	keeper   *Store            // that has the records; nil if this one has
	folder   *folder           // nil unless the bucket is a folder of files
	s3       *s3Bucket
	close    func() error
}

// contents is where objects are. Its methods are safe for concurrent use.
type contents interface {
	// check explains why no object can have the key; nil if one can.
	check(key string) error
	// stat returns the current state of an object. ErrNotFound if there is none.
	stat(ctx context.Context, key string) (state, error)
	// open returns an object's content and the state that it is of: the version
	// that o names where the store keeps versions, else the current one.
	// ErrNotFound if there is none, ErrChanged if it is being replaced.
	open(ctx context.Context, o pipeline.Object) (content, state, error)
	// list returns all objects but those to be skipped, in the lexical order of
	// their keys. See Store.List. If only the keys are asked for, nothing is
	// looked up for each.
	list(ctx context.Context, skip func(key string) bool, onlyKeys bool) iter.Seq2[pipeline.Object, error]
	// keys returns what begins with a prefix. See Store.Keys.
	keys(ctx context.Context, prefix string) iter.Seq2[string, error]
}

// state is what a store tells of one version of an object.
type state struct {
	etag      string // without quotes
	size      int64  // bytes
	versionID string // empty if the store keeps no versions of it
}

// Open opens the bucket that the URL names, and that of its records; events call
// it name. That S3 answers, only [Store.Check] asks.
func Open(ctx context.Context, rawURL, name string, c Config) (*Store, error) {
	store, err := openURL(ctx, rawURL, name, c)
	if err != nil {
		return nil, err
	}
	keeper := store
	if c.Records.Bucket != "" {
		if keeper, err = openURL(ctx, c.Records.Bucket, name, c); err != nil {
			return nil, errors.Join(fmt.Errorf("records of bucket %s: %w", name, err), store.Close())
		}
		reserved := store.records.reserved
		store.keeper, store.records = keeper, keeper.records
		store.records.prefix, store.records.reserved = name+"/", reserved
	}
	if o := c.Records; keeper.s3 == nil && (o.KMSKey != "" || o.StorageClass != "" || len(o.Tags) > 0) {
		return nil, errors.Join(fmt.Errorf("records of bucket %s: only those on S3 have a KMS key, a storage class or tags", name), store.Close())
	}
	if err := store.recordTo(c); err != nil {
		return nil, errors.Join(fmt.Errorf("records of bucket %s: %w", name, err), store.Close())
	}
	return store, nil
}

// recordTo sets the forms in which records are kept.
func (s *Store) recordTo(c Config) error {
	var all []pipeline.Recorder
	for _, form := range c.Records.To {
		switch {
		case form == ToSidecar:
			all = append(all, s.records)
		case form != ToTags:
			return fmt.Errorf("unknown form %q; valid are %s, %s", form, ToSidecar, ToTags)
		case s.s3 == nil:
			return errors.New("only objects on S3 have tags")
		default:
			s.s3.log.Warn("S3 has no lock for tags: what others tag while bucketsum does may be lost", "bucket", s.name)
			all = append(all, &tagRecords{s3: s.s3, algorithms: s.records.algorithms})
		}
	}
	if all != nil {
		s.recorder = pipeline.Recorders(all...)
	}
	return nil
}

// openURL opens one bucket, to read objects or to keep records.
func openURL(ctx context.Context, rawURL, name string, c Config) (*Store, error) {
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
	switch u.Scheme {
	case s3blob.Scheme:
		return openS3(ctx, u, name, c)
	case gcsScheme:
		return openGCS(ctx, u, name, c)
	case azureblob.Scheme:
		return openAzure(ctx, u, name, c)
	}
	if !blob.DefaultURLMux().ValidBucketScheme(u.Scheme) {
		return nil, fmt.Errorf("bucket URL %q: unknown scheme %q; valid are %s",
			u.Redacted(), u.Scheme, strings.Join(append(blob.DefaultURLMux().BucketSchemes(), gcsScheme), ", "))
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
	b := pipeline.Bucket{Source: s, Records: s.recorder, Checkpoints: s.checkpoints()}
	if s.recorder == nil {
		b.Records = s.records
	}
	return b
}

// List returns every object of the bucket that is not a record, with its ETag
// and size, in the lexical order of keys. What cannot be read or cannot be an object
// at all (a name that is not UTF-8, a folder that cannot be read, a device) comes
// with an error, so that nothing is passed over in silence; its other fields are
// then unknown. The listing goes on after an error, but for that of the store as a
// whole or the end of ctx. Symbolic links to folders are not followed. A folder in a
// folder that is a bucket of its own, as it has notes of its records, comes as one
// ErrFiltered.
//
// In a folder it takes the memory of the names of one directory for each level. S3
// lists ETags and sizes, but no versions; other object stores are asked for each
// object, one request each.
func (s *Store) List(ctx context.Context) iter.Seq2[pipeline.Object, error] {
	return func(yield func(pipeline.Object, error) bool) {
		for o, err := range s.contents.list(ctx, s.Bucket().Records.IsRecord, false) {
			o.Bucket = s.name
			if err != nil {
				o.Size = pipeline.UnknownSize
				err = fmt.Errorf("list %s: %w", printable(o), legible(err))
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
		for record, err := range s.contents.list(ctx, notRecord, true) {
			key, _, ok := s.records.layout.ObjectKey(record.Key)
			if !ok && err == nil || errors.Is(err, pipeline.ErrFiltered) {
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
	if s.keeper != nil {
		return s.keeper.CheckWritable()
	}
	if s.folder == nil {
		return nil
	}
	err := s.folder.checkWritable()
	if errors.Is(err, errNoFolder) {
		return fmt.Errorf("bucket %s: cannot write records to %s: %w", s.name, s.folder.dir, err)
	}
	if err != nil {
		return fmt.Errorf("bucket %s: cannot write records to %s: %w; the folder must be writable for the user that runs bucketsum",
			s.name, s.folder.dir, err)
	}
	return nil
}

// CleanUp removes from a folder what a process that was killed left half-written,
// and what is remembered of records that are gone together with their objects.
// A write that another process has under way fails then, and its retry succeeds.
func (s *Store) CleanUp(ctx context.Context) error {
	if s.keeper != nil {
		return s.keeper.CleanUp(ctx)
	}
	if s.folder == nil {
		return nil
	}
	return s.folder.cleanUp(ctx, s.records.layout)
}

// Check reports what keeps the bucket, or that of its records, from being used:
// that its store has it, lets this program in and answers. It writes nothing, so that
// whether records may be written to a store only shows later. Each fault is one line
// with what to do about it.
func (s *Store) Check(ctx context.Context) error {
	var faults []error
	if c, ok := s.contents.(interface{ reachable(context.Context) error }); ok {
		if err := c.reachable(ctx); err != nil {
			faults = append(faults, fmt.Errorf("bucket %s: %w", s.name, err))
		}
	}
	switch {
	case s.keeper == nil:
		faults = append(faults, s.CheckWritable())
	default:
		if err := s.keeper.Check(ctx); err != nil {
			faults = append(faults, fmt.Errorf("records of %w", err))
		}
	}
	return errors.Join(faults...)
}

// Reachable reports why the bucket, or that of its records, cannot be reached now. It
// is one small request, or a look at a folder: cheap enough for a probe.
func (s *Store) Reachable(ctx context.Context) error {
	var faults []error
	switch {
	case s.s3 != nil:
		_, err := s.s3.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.s3.name})
		faults = append(faults, s.s3.translate(err, "s3:ListBucket"))
	case s.folder != nil:
		_, err := os.Stat(s.folder.dir)
		faults = append(faults, err)
	}
	if s.keeper != nil {
		if err := s.keeper.Reachable(ctx); err != nil {
			faults = append(faults, fmt.Errorf("records: %w", err))
		}
	}
	return errors.Join(faults...)
}

// Close closes the bucket, and that of its records.
func (s *Store) Close() error {
	err := s.close()
	if s.keeper != nil {
		err = errors.Join(err, s.keeper.Close())
	}
	return err
}
