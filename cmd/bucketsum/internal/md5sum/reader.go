package md5sum

import (
	"context"
	"errors"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// reader reads files, objects and, for "-", standard input. Safe for concurrent use,
// except for standard input.
type reader struct {
	stdin   io.Reader
	memory  *blobstore.Memory
	drivers blobstore.Drivers
	schemes schemes // of drivers

	mu      sync.Mutex
	buckets map[string]*blobstore.Store // by URL; opened when first needed
	digests map[string]*sync.Pool       // of *digest.Digest, by algorithms
}

func newReader(stdin io.Reader, memory *blobstore.Memory, drivers blobstore.Drivers) *reader {
	return &reader{stdin: stdin, memory: memory, drivers: drivers, schemes: drivers.Schemes(), buckets: make(map[string]*blobstore.Store), digests: make(map[string]*sync.Pool)}
}

func (r *reader) close() error {
	var errs []error
	for _, b := range r.buckets {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}

// expand yields the object that an argument names, or the objects under a prefix in the
// lexical order of keys. With an error, only the name of the object is set.
func (r *reader) expand(ctx context.Context, arg string) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		object, err := r.schemes.parse(arg)
		switch {
		case err == nil && object.bucket != "" && (object.key == "" || strings.HasSuffix(object.key, "/")):
			r.listBucket(ctx, object, yield)
		case err == nil && object.file != arg && strings.HasSuffix(object.file, "/"):
			if found, more := listFolder(ctx, object.file, yield); more && !found {
				yield(object, errNoObjects)
			}
		default:
			yield(object, err)
		}
	}
}

func (r *reader) listBucket(ctx context.Context, prefix object, yield func(object, error) bool) {
	bucket, err := r.open(ctx, prefix.bucket)
	if err != nil {
		yield(prefix, err)
		return
	}
	found := false
	for key, err := range bucket.Keys(ctx, prefix.key) {
		found = true
		object := object{name: key, bucket: prefix.bucket, key: key, listed: true}
		if err != nil {
			object = prefix
		}
		if !yield(object, err) {
			return
		}
	}
	if !found {
		yield(prefix, errNoObjects)
	}
}

// sums returns the checksums of one object by algorithm.
func (r *reader) sums(ctx context.Context, o object, algorithms []string) (map[string]string, error) {
	in, err := r.content(ctx, o)
	if err != nil {
		return nil, err
	}
	defer in.Close() // was only read
	pool := r.pool(algorithms)
	d, ok := pool.Get().(*digest.Digest)
	if !ok {
		if d, err = digest.New(algorithms...); err != nil {
			return nil, err
		}
	}
	defer pool.Put(d)
	d.Reset()
	if _, err := digest.Copy(ctx, d, in); err != nil {
		return nil, err
	}
	return d.Sums(), nil
}

// pool returns the pool of digests with these algorithms.
func (r *reader) pool(algorithms []string) *sync.Pool {
	id := strings.Join(algorithms, ",")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.digests[id] == nil {
		r.digests[id] = new(sync.Pool)
	}
	return r.digests[id]
}

// content opens an object.
func (r *reader) content(ctx context.Context, o object) (io.ReadCloser, error) {
	if o.file == "-" {
		return io.NopCloser(r.stdin), nil
	}
	if o.bucket == "" {
		return openFile(o.file)
	}
	bucket, err := r.open(ctx, o.bucket)
	if err != nil {
		return nil, err
	}
	return bucket.Open(ctx, pipeline.Object{Bucket: redact.URL(o.bucket), Key: o.key, Size: pipeline.UnknownSize})
}

func (r *reader) open(ctx context.Context, bucketURL string) (*blobstore.Store, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.buckets[bucketURL]; b != nil {
		return b, nil
	}
	b, err := r.drivers.Open(ctx, bucketURL, redact.URL(bucketURL), blobstore.Config{Memory: r.memory})
	if err != nil {
		return nil, err
	}
	r.buckets[bucketURL] = b
	return b, nil
}

// Open opens the file or object that an argument names; "-" is in. The caller closes the reader.
func Open(ctx context.Context, in io.Reader, drivers blobstore.Drivers, arg string) (io.ReadCloser, error) {
	r := newReader(in, nil, drivers)
	o := object{name: arg, file: arg}
	err := r.schemes.check(arg)
	if err == nil && arg != "-" {
		o, err = r.schemes.parse(arg)
	}
	if err != nil {
		return nil, err
	}
	content, err := r.content(ctx, o)
	if err != nil {
		return nil, errors.Join(err, r.close())
	}
	return &opened{content, r}, nil
}

// opened closes its bucket, too.
type opened struct {
	io.ReadCloser
	reader *reader
}

func (o *opened) Close() error { return errors.Join(o.ReadCloser.Close(), o.reader.close()) }
