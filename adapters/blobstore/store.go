package blobstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// Config says how objects are read and records are kept. The zero value is the default.
type Config struct {
	Layout     Layout
	Algorithms []string // of the records; default: md5
	Records    RecordOptions
	Memory     *Memory      // that stores share; default: each store has its own
	Log        *slog.Logger // default: nothing is logged

	// CallerVerifies: the caller compares the content with Reader.Claims. Otherwise a
	// reader itself compares it with the checksums of the whole object that S3 keeps.
	CallerVerifies bool
}

// RecordOptions says where records are and how the store keeps them. The zero value is the
// default: beside their objects, as the bucket's settings say.
type RecordOptions struct {
	driver.RecordOptions
	// Bucket is the URL of another bucket that takes the records, so that
	// nothing is ever written to the bucket of the objects. There they have the keys that
	// they would have beside the objects, below a folder with the name of the objects' bucket.
	Bucket string
	// To says in what form records are kept: [ToSidecar], the default, [ToTags], or both.
	To []string
}

// Forms of records.
const (
	ToSidecar = "sidecar" // an object for each record
	ToTags    = "tags"    // tags of the object itself, where objects have tags
)

// Store is an open bucket: a source of objects and the keeper of their records.
// Its methods are safe for concurrent use, except Close.
type Store struct {
	name     string
	bucket   driver.Bucket // of the objects
	traits   driver.Traits // of bucket
	keeper   driver.Bucket // of the records; mostly the same
	records  *records
	recorder pipeline.Recorder // all forms of records
	reading  reading

	beside, apart bool        // sidecars are in the bucket of the objects, or in one of their own
	fromStart     atomic.Bool // a listing has shown that it cannot start elsewhere
}

// Drivers is a list of technologies, each with a scheme of its own.
type Drivers []driver.Driver

// Open opens the bucket of a URL, and the bucket of its records; events call the first one
// name. Whether the stores answer, only [Store.Check] tells. An error is permanent, unless the
// system could not open a folder, which may be mounted later.
func (d Drivers) Open(ctx context.Context, rawURL, name string, c Config) (*Store, error) {
	s, err := d.openBoth(ctx, rawURL, name, c)
	return s, openFault(err)
}

// openFault marks an error as permanent, unless it is the system's.
func openFault(err error) error {
	if _, missing := errors.AsType[*fs.PathError](err); missing {
		return err
	}
	return pipeline.Permanent(err)
}

func (d Drivers) openBoth(ctx context.Context, rawURL, name string, c Config) (*Store, error) {
	bucket, err := d.open(ctx, rawURL, name, c)
	if err != nil {
		return nil, err
	}
	keeper := bucket
	if c.Records.Bucket != "" {
		if keeper, err = d.open(ctx, c.Records.Bucket, name, c); err != nil {
			return nil, errors.Join(fmt.Errorf("records of bucket %s: %w", name, err), bucket.Close())
		}
	}
	s, err := newStore(bucket, keeper, name, c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("records of bucket %s: %w", name, err), s.Close())
	}
	return s, nil
}

func (d Drivers) open(ctx context.Context, rawURL, name string, c Config) (driver.Bucket, error) {
	u, err := redact.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("bucket URL: %w", err)
	}
	i := d.index(u.Scheme)
	if i < 0 {
		return nil, fmt.Errorf("bucket URL %q: %w", redact.URL(u.String()), suggest.Unknown("scheme", u.Scheme, d.Schemes()))
	}
	bucket, err := d[i].Open(ctx, u, driver.Options{Log: c.log(), Records: c.Records.RecordOptions})
	if err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return bucket, nil
}

func (d Drivers) index(scheme string) int {
	return slices.IndexFunc(d, func(technology driver.Driver) bool { return technology.Scheme == scheme })
}

// Schemes returns the schemes of the URLs that can be opened.
func (d Drivers) Schemes() []string {
	var schemes []string
	for _, technology := range d {
		schemes = append(schemes, technology.Scheme)
	}
	return schemes
}

// Same reports whether two URLs name one bucket, whatever their parameters.
func (d Drivers) Same(a, b string) bool {
	first, err := redact.Parse(a)
	second, err2 := redact.Parse(b)
	if err != nil || err2 != nil || first.Scheme != second.Scheme || first.Host != second.Host || first.Path != second.Path {
		return false
	}
	i := d.index(first.Scheme)
	return i < 0 || !d[i].Private
}

// KeyIn returns the key of an object by its URL, if it lies in the bucket of another URL. Parameters of the URLs do
// not matter.
func (d Drivers) KeyIn(bucket, object string) (key string, ok bool) {
	b, err := redact.Parse(bucket)
	o, err2 := redact.Parse(object)
	if err != nil || err2 != nil || b.Scheme != o.Scheme || b.Host != o.Host || o.User != nil || o.Opaque != "" || o.Fragment != "" {
		return "", false
	}
	if i := d.index(b.Scheme); i < 0 || d[i].Private {
		return "", false
	}
	if key, ok = strings.CutPrefix(o.Path, strings.TrimSuffix(b.Path, "/")+"/"); !ok || key == "" {
		return "", false
	}
	return key, true
}

// NameOf returns the name that events use for the bucket of a URL: the host, or the last
// element of the path for a folder.
func (d Drivers) NameOf(u *url.URL) string {
	if i := d.index(u.Scheme); i >= 0 && d[i].NameOf != nil {
		return d[i].NameOf(u)
	}
	return u.Host
}

// New makes a store of an open bucket, with records beside their objects. The store closes
// the bucket when it is closed itself.
func New(bucket driver.Bucket, name string, c Config) *Store {
	c.Records = RecordOptions{}
	s, _ := newStore(bucket, bucket, name, c) // it fails on record options only
	return s
}

// newStore returns a store that can be closed, also with an error.
func newStore(bucket, keeper driver.Bucket, name string, c Config) (*Store, error) {
	if c.Memory == nil {
		c.Memory = NewMemory(0)
	}
	s := &Store{
		name: name, bucket: bucket, traits: bucket.Traits(), keeper: keeper,
		reading: reading{log: c.log(), bucket: name, memory: c.Memory, unguarded: c.CallerVerifies, stall: stallTime, patience: 0.5},
	}
	s.records = newRecords(c, keeper)
	if keeper != bucket {
		s.records.prefix, s.records.reserved = name+"/", reserved(s.traits)
	}
	s.records.mode = s.traits.Mode
	s.recorder = s.records
	o := c.Records.RecordOptions
	if !keeper.Traits().RecordOptions && (o.KMSKey != "" || o.StorageClass != "" || len(o.Tags) > 0) {
		return s, fmt.Errorf("%s takes no KMS key, storage class or tags for records", keeper.Traits().Name)
	}
	sidecars := len(c.Records.To) == 0 || slices.Contains(c.Records.To, ToSidecar)
	s.beside, s.apart = sidecars && keeper == bucket, sidecars && keeper != bucket
	var all []pipeline.Recorder
	for _, form := range c.Records.To {
		switch {
		case form == ToSidecar:
			all = append(all, s.records)
		case form != ToTags:
			return s, fmt.Errorf("unknown form %q; valid are %s, %s", form, ToSidecar, ToTags)
		case s.traits.Tags == nil:
			return s, fmt.Errorf("objects in %s have no tags: choose %s", s.traits.Name, ToSidecar)
		default:
			c.log().Warn("the store has no lock for tags: tags that others write while bucketsum does may be lost", "bucket", name)
			all = append(all, &tagRecords{tags: s.traits.Tags, stat: s.bucket.Stat, algorithms: s.records.algorithms})
		}
	}
	if all != nil {
		s.recorder = pipeline.Recorders(all...)
	}
	return s, nil
}

func (c Config) log() *slog.Logger {
	if c.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Log
}

// Bucket returns the store as the ports of the pipeline.
func (s *Store) Bucket() pipeline.Bucket {
	return pipeline.Bucket{Source: s, Records: s.recorder, Checkpoints: checkpoints{s.keeper, s.traits.Mode}, Unmodified: s.traits.Unmodified}
}

// CheckWritable reports why no record could be written to a folder; nil if
// one can. What an object store allows only shows when something is written: nil.
func (s *Store) CheckWritable() error {
	writable := s.keeper.Traits().Writable
	if writable == nil {
		return nil
	}
	if err := writable(); err != nil {
		return fmt.Errorf("bucket %s: %w", s.name, err)
	}
	return nil
}

// CleanUp removes from a folder what a process that was killed left half-written,
// and what is remembered of records that are gone together with their objects.
// A write that another process has under way fails then, and its retry succeeds.
func (s *Store) CleanUp(ctx context.Context) error {
	cleanUp := s.keeper.Traits().CleanUp
	if cleanUp == nil {
		return nil
	}
	return cleanUp(ctx, driver.Records{Possible: mayBeRecord, Source: s.records.source})
}

// Create begins an object. A permanent error says why none can be at the key: it is the key of a record, for example.
func (s *Store) Create(key string) (driver.Upload, error) {
	switch {
	case s.traits.Create == nil:
		return nil, pipeline.Permanent(fmt.Errorf("objects cannot be written to %s", s.traits.Name))
	case s.recorder.IsRecord(key):
		return nil, pipeline.Permanent(fmt.Errorf("no file can be written to %q: it is the name of a record", key))
	}
	return s.traits.Create(key)
}

// Check reports what keeps the bucket, or the bucket of its records, from being used:
// whether the store has it, lets this program in and answers. It writes nothing to an
// object store, so that whether records may be written there only shows later. Each fault is
// one line with what to do about it.
func (s *Store) Check(ctx context.Context) error {
	return errors.Join(s.CheckReadable(ctx), s.CheckWritable())
}

// CheckReadable is Check for a program that only reads.
func (s *Store) CheckReadable(ctx context.Context) error {
	err := usable(ctx, s.bucket, "bucket "+s.name)
	if s.keeper != s.bucket {
		err = errors.Join(err, usable(ctx, s.keeper, "records of bucket "+s.name))
	}
	return err
}

func usable(ctx context.Context, b driver.Bucket, what string) error {
	ask := b.Reachable
	if full := b.Traits().Usable; full != nil {
		ask = full
	}
	if err := ask(ctx); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// Conditions says in one line which conditions of writes the store of the records honours;
// empty: all. To find out, it may write and remove an object.
func (s *Store) Conditions(ctx context.Context) (string, error) {
	conditions := s.keeper.Traits().Conditions
	if conditions == nil {
		return "", nil
	}
	said, err := conditions(ctx)
	if err != nil {
		return "", fmt.Errorf("records of bucket %s: %w", s.name, err)
	}
	return said, nil
}

// Reachable reports why the bucket, or the bucket of its records, cannot be reached now. It
// is one small request to each, or a look at a folder: cheap enough for a probe.
func (s *Store) Reachable(ctx context.Context) error {
	err := s.bucket.Reachable(ctx)
	if s.keeper != s.bucket {
		if records := s.keeper.Reachable(ctx); records != nil {
			err = errors.Join(err, fmt.Errorf("records: %w", records))
		}
	}
	return err
}

// Close closes the bucket, and the bucket of its records.
func (s *Store) Close() error {
	err := s.bucket.Close()
	if s.keeper != s.bucket {
		err = errors.Join(err, s.keeper.Close())
	}
	return err
}
