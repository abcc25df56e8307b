package md5sum

import (
	"context"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
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

	dir       string // that paths of files are relative to; empty: the current one
	recursive bool   // the path of a folder stands for the files in it
	progress  *progress

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

// path returns where a file that was named is. What is found in a folder has its place already.
func (r *reader) path(o object) string {
	if r.dir == "" || o.listed || o.file == "" || o.file == "-" || filepath.IsAbs(o.file) {
		return o.file
	}
	return strings.TrimSuffix(r.dir, "/") + "/" + o.file // filepath.Join would make other names of some
}

// whole returns the arguments, with a slash after the name of a bucket if all of its objects are meant.
func (o *Options) whole(args []string) []string {
	if !o.Recursive {
		return args
	}
	args = slices.Clone(args)
	for i, arg := range args {
		if u, err := redact.Parse(arg); err == nil && urlForm.MatchString(arg) && u.Path == "" && u.Host != "" {
			u.Path = "/"
			args[i] = u.String()
		}
	}
	return args
}

// expand yields the object that an argument names, or the objects under a prefix in the
// lexical order of keys. With an error, only the name of the object is set.
func (r *reader) expand(ctx context.Context, arg string) iter.Seq2[object, error] {
	return func(yield func(object, error) bool) {
		object, err := r.schemes.parse(arg)
		switch {
		case err == nil && object.bucket != "" && (object.key == "" || strings.HasSuffix(object.key, "/")):
			if found, more := r.listBucket(ctx, object, yield); more && !found {
				yield(object, errNoObjects)
			}
		case err == nil && object.bucket != "" && r.recursive:
			prefix := object
			prefix.key += "/"
			if found, more := r.listBucket(ctx, prefix, yield); more && !found {
				yield(object, nil) // an object, or nothing
			}
		case err == nil && object.file != arg && strings.HasSuffix(object.file, "/"):
			if found, more := listFolder(ctx, r.path(object), "", yield); more && !found {
				yield(object, errNoObjects)
			}
		case err == nil && r.recursive && r.isFolder(object):
			r.listNamed(ctx, object, yield)
		default:
			yield(object, err)
		}
	}
}

func (r *reader) isFolder(o object) bool {
	if o.bucket != "" || o.file == "-" || o.file == "" {
		return false
	}
	info, err := os.Stat(r.path(o))
	return err == nil && info.IsDir()
}

// listNamed yields the files in a folder with names that begin with the folder's. As grep -r does, it leaves out what
// is no file: links to folders, pipes, devices and sockets.
func (r *reader) listNamed(ctx context.Context, folder object, yield func(object, error) bool) {
	root, prefix := strings.TrimRight(r.path(folder), "/")+"/", strings.TrimRight(folder.name, "/")+"/"
	if folder.file != folder.name || prefix == "./" {
		prefix = "" // the names in a URL's folder are keys
	}
	listFolder(ctx, root, prefix, func(o object, err error) bool {
		return errors.Is(err, errNoFile) || yield(o, err)
	})
}

// listBucket yields the objects under a prefix. It reports whether it yielded anything, and whether the caller wants more.
func (r *reader) listBucket(ctx context.Context, prefix object, yield func(object, error) bool) (found, more bool) {
	bucket, err := r.open(ctx, prefix.bucket)
	if err != nil {
		return true, yield(prefix, err)
	}
	for key, err := range bucket.Keys(ctx, prefix.key) {
		found = true
		object := object{name: key, bucket: prefix.bucket, key: key, listed: true}
		if err != nil {
			object = prefix
		}
		if !yield(object, err) {
			return true, false
		}
	}
	return found, true
}

// sums returns the checksums of one object by algorithm.
func (r *reader) sums(ctx context.Context, o object, algorithms []string) (map[string]string, error) {
	sums, _, err := r.digest(ctx, o, algorithms)
	return sums, err
}

// digest returns the checksums of one object by algorithm, and its size.
func (r *reader) digest(ctx context.Context, o object, algorithms []string) (sums map[string]string, size int64, err error) {
	defer func() {
		if ctx.Err() == nil { // else it is neither finished nor at fault
			r.progress.done(err)
		}
	}()
	o.file = r.path(o)
	in, err := r.content(ctx, o)
	if err != nil {
		return nil, 0, err
	}
	in = r.progress.counted(in)
	defer in.Close() // was only read
	pool := r.pool(algorithms)
	d, ok := pool.Get().(*digest.Digest)
	if !ok {
		if d, err = digest.New(algorithms...); err != nil {
			return nil, 0, err
		}
	}
	defer pool.Put(d)
	d.Reset()
	if _, err := digest.Copy(ctx, d, in); err != nil {
		return nil, 0, err
	}
	return d.Sums(), d.Size(), nil
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
