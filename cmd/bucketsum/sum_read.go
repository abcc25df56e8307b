package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"gocloud.dev/blob"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// sumReader reads what arguments and checksum lines name: standard input for
// "-", else files and objects. Safe for concurrent use, but for standard input.
type sumReader struct {
	stdin  io.Reader
	memory *blobstore.Memory

	mu      sync.Mutex
	buckets map[string]*blobstore.Store // by URL, opened when first needed
	digests map[string]*sync.Pool       // of *digest.Digest, by algorithms
}

func newSumReader(stdin io.Reader, memory *blobstore.Memory) *sumReader {
	return &sumReader{stdin: stdin, memory: memory, buckets: make(map[string]*blobstore.Store), digests: make(map[string]*sync.Pool)}
}

func (r *sumReader) close() error {
	var errs []error
	for _, b := range r.buckets {
		errs = append(errs, b.Close())
	}
	return errors.Join(errs...)
}

// sumObject is something to read: the object of a bucket, standard input or a
// file.
type sumObject struct {
	listed bool   // nobody named it
	name   string // as it is printed
	bucket string // URL; empty for a file
	key    string // "" or with a slash at its end: all objects under it
	file   string // path; with a slash at its end, from a URL, all files under it
}

// isStream reports whether o may be something that can be read only once, or that
// asks somebody to type.
func (o sumObject) isStream() bool {
	return o.file == "-" || strings.HasPrefix(o.file, "/dev/") || strings.HasPrefix(o.file, "/proc/")
}

// expand returns what an argument stands for: itself, or what is under a prefix
// in the lexical order of keys. An error stands in the place of what could not
// be found out, and only its name is known then.
func (r *sumReader) expand(ctx context.Context, arg string) iter.Seq2[sumObject, error] {
	return func(yield func(sumObject, error) bool) {
		object, err := parseSumName(arg)
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

func (r *sumReader) listBucket(ctx context.Context, prefix sumObject, yield func(sumObject, error) bool) {
	bucket, err := r.open(ctx, prefix.bucket)
	if err != nil {
		yield(prefix, err)
		return
	}
	found := false
	for key, err := range bucket.Keys(ctx, prefix.key) {
		found = true
		object := sumObject{name: key, bucket: prefix.bucket, key: key, listed: true}
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

// listFolder yields the files of the folder root, whose name ends with a slash, in
// the lexical order of their keys, and what of it cannot be read. It reports
// whether there was anything to yield, and whether more is wanted.
//
// Symbolic links to folders are not followed, and what bucketsum itself keeps in
// a folder is left out.
func listFolder(ctx context.Context, root string, yield func(sumObject, error) bool) (found, more bool) {
	open := func(dir string) (*os.File, error) { return os.Open(root + dir) }
	tell := func(o sumObject, err error) error {
		found = true
		if !yield(o, err) {
			return fs.SkipAll
		}
		return nil
	}
	err := filebucket.Walk(open, func(e filebucket.Entry) error {
		switch {
		case ctx.Err() != nil:
			_ = tell(sumObject{name: e.Key}, context.Cause(ctx)) // nothing more in any case
			return fs.SkipAll
		case e.Err != nil:
			return tell(sumObject{name: cmp.Or(e.Key, root)}, e.Err)
		case e.Type.IsDir():
			return nil
		}
		file, err := fileIn(root, root+e.Key, e.Type)
		return tell(sumObject{name: e.Key, file: file}, err)
	})
	return found, err == nil
}

// fileIn returns the path of the file that an entry of the folder root, or of one in
// it, is or is a link to. What a link leads to has to be in root, too: whoever may
// put files there cannot have others read. That something cannot be looked at,
// reading it will tell.
func fileIn(root, path string, t fs.FileMode) (string, error) {
	if t&fs.ModeSymlink == 0 {
		if !t.IsRegular() {
			return path, errNoFile
		}
		return path, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return path, nil
	}
	if !info.Mode().IsRegular() {
		return path, errNoFile
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return path, err
	}
	inside, err := filepath.EvalSymlinks(root)
	if err != nil {
		return path, err
	}
	// A relative folder and an absolute link to what is in it have to compare.
	if target, err = filepath.Abs(target); err != nil {
		return path, err
	}
	if inside, err = filepath.Abs(inside); err != nil {
		return path, err
	}
	if way, err := filepath.Rel(inside, target); err != nil || !filepath.IsLocal(way) {
		return path, errOutside
	}
	return target, nil
}

// sums returns the checksums of one object, by algorithm.
func (r *sumReader) sums(ctx context.Context, o sumObject, algorithms []string) (map[string]string, error) {
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

// pool returns where digests of the algorithms are kept for the next file.
func (r *sumReader) pool(algorithms []string) *sync.Pool {
	id := strings.Join(algorithms, ",")
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.digests[id] == nil {
		r.digests[id] = new(sync.Pool)
	}
	return r.digests[id]
}

// content opens what o names.
func (r *sumReader) content(ctx context.Context, o sumObject) (io.ReadCloser, error) {
	if o.file == "-" {
		return io.NopCloser(r.stdin), nil
	}
	if o.bucket == "" {
		return openSumFile(o.file)
	}
	bucket, err := r.open(ctx, o.bucket)
	if err != nil {
		return nil, err
	}
	return bucket.Open(ctx, pipeline.Object{Bucket: o.bucket, Key: o.key, Size: pipeline.UnknownSize})
}

func (r *sumReader) open(ctx context.Context, bucketURL string) (*blobstore.Store, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.buckets[bucketURL]; b != nil {
		return b, nil
	}
	b, err := blobstore.Open(ctx, bucketURL, withoutPassword(bucketURL), blobstore.Config{Memory: r.memory})
	if err != nil {
		return nil, err
	}
	r.buckets[bucketURL] = b
	return b, nil
}

// sumURL is what sets a URL apart from a path. A path of this form is still
// reachable with ./ before it.
var sumURL = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)

// checkSumURL returns what is wrong with an argument that has the form of a URL.
func checkSumURL(arg string) error {
	m := sumURL.FindStringSubmatch(arg)
	if m == nil {
		return nil
	}
	if scheme := strings.ToLower(m[1]); !isSumScheme(scheme) {
		names := make([]string, len(bucketSchemes))
		for i, s := range bucketSchemes {
			names[i] = s.name
		}
		return fmt.Errorf("%s: unknown scheme %q; valid are %s (a path begins with ./)",
			visibleName(withoutPassword(arg)), scheme, strings.Join(names, ", "))
	}
	_, err := parseSumName(arg)
	return err
}

// withoutPassword returns a URL as it can be shown.
func withoutPassword(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return rawURL
	}
	return u.Redacted()
}

// isSumScheme reports whether the scheme is one that is named to users, or that of
// a driver that is linked otherwise.
func isSumScheme(name string) bool {
	return blob.DefaultURLMux().ValidBucketScheme(name) || slices.ContainsFunc(bucketSchemes, func(s scheme) bool { return s.name == name })
}

// parseSumName tells what to read for a name. One with the scheme of a bucket
// is split into the bucket's URL and the key; any other is a path.
func parseSumName(name string) (sumObject, error) {
	m := sumURL.FindStringSubmatch(name)
	if m == nil || !isSumScheme(strings.ToLower(m[1])) {
		return sumObject{name: name, file: name}, nil
	}
	o := sumObject{name: name}
	u, err := url.Parse(name)
	if err != nil {
		return o, fmt.Errorf("%s is not a URL: %w", visibleName(name), errors.Unwrap(err))
	}
	if u.Fragment != "" {
		return o, fmt.Errorf("%s: write # in a key as %%23", visibleName(name))
	}
	if u.Scheme == "file" {
		o.file, err = fileOf(u)
		return o, err
	}
	o.key = strings.TrimPrefix(u.Path, "/")
	if u.Path == "" {
		return o, fmt.Errorf("%s names a bucket and no object; all of its objects are %s://%s/", name, u.Scheme, u.Host)
	}
	u.Path, u.RawPath = "", ""
	o.bucket = u.String()
	return o, nil
}

// fileOf returns the path that a file:// URL names.
func fileOf(u *url.URL) (string, error) {
	switch {
	case u.RawQuery != "" || u.ForceQuery:
		return "", fmt.Errorf("%s: file:// takes no parameters; write ? in a key as %%3F", visibleName(u.String()))
	case u.Host == "." && u.Path != "":
		return filepath.FromSlash("." + u.Path), nil
	case u.Host != "" || u.Path == "":
		return "", fmt.Errorf("%s: a path follows file:// as in file:///srv/inbox/key", visibleName(u.String()))
	}
	return filepath.FromSlash(u.Path), nil
}

var (
	errNoObjects = errors.New("no objects are there")
	errNoObject  = errors.New("no such object")
	errNoFile    = errors.New("not a regular file")
	errOutside   = errors.New("the link leads out of the folder")
)

// isMissing reports whether err says that a file or object does not exist.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, pipeline.ErrNotFound)
}

// sumReason returns the error as the tools that bucketsum stands in for give
// it: the name has been said, and what was tried is plain.
func sumReason(err error) string {
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return failed.Err.Error()
	}
	if errors.Is(err, pipeline.ErrNotFound) {
		return errNoObject.Error()
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
