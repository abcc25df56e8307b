package main

import (
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

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// sumReader reads what arguments and checksum lines name: standard input for
// "-", else files and objects. Not safe for concurrent use.
type sumReader struct {
	stdin   io.Reader
	buckets map[string]*blob.Bucket // by URL, opened when first needed
	digests map[string]*digest.Digest
}

func newSumReader(stdin io.Reader) *sumReader {
	return &sumReader{stdin: stdin, buckets: make(map[string]*blob.Bucket), digests: make(map[string]*digest.Digest)}
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
	name   string // as it is printed
	bucket string // URL; empty for a file
	key    string // "" or with a slash at its end: all objects under it
	file   string // path; with a slash at its end, from a URL, all files under it
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
			if found, more := listFolder(ctx, object.file, "", yield); more && !found {
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
	objects := bucket.List(&blob.ListOptions{Prefix: prefix.key})
	for {
		o, err := objects.Next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			yield(prefix, err)
			return
		}
		found = true
		if !yield(sumObject{name: o.Key, bucket: prefix.bucket, key: o.Key}, nil) {
			return
		}
	}
	if !found {
		yield(prefix, errNoObjects)
	}
}

// listFolder yields the files under root+dir, which ends in a slash or is root
// itself, in the lexical order of their keys. It reports whether there were any,
// or anything else to tell of, and whether more are wanted.
//
// This is not left to gocloud's fileblob, which loses files of large folders when
// it pages, passes over what it cannot read, and has no keys for some names.
// Symbolic links to folders are not followed, and what bucketsum itself keeps in
// a folder is left out.
func listFolder(ctx context.Context, root, dir string, yield func(sumObject, error) bool) (found, more bool) {
	if ctx.Err() != nil {
		return true, yield(sumObject{name: dir}, context.Cause(ctx))
	}
	entries, err := os.ReadDir(root + dir)
	if err != nil {
		name := dir
		if dir == "" {
			name = root
		}
		return true, yield(sumObject{name: name}, err)
	}
	// A key goes on with a slash where an entry is a folder, which decides the
	// order: "a-" is before "a/b".
	order := func(e fs.DirEntry) string {
		if e.IsDir() {
			return e.Name() + "/"
		}
		return e.Name()
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(order(a), order(b)) })
	for _, e := range entries {
		key := dir + e.Name()
		object := sumObject{name: key, file: root + key}
		switch {
		case e.IsDir() && e.Name() == blobstore.Hidden:
			continue
		case e.IsDir():
			var below bool
			below, more = listFolder(ctx, root, key+"/", yield)
			found = found || below
		case !isFile(object.file, e):
			found, more = true, yield(object, errNoFile)
		default:
			found, more = true, yield(object, nil)
		}
		if !more {
			return found, false
		}
	}
	return found, true
}

// isFile reports whether reading path is worth trying: it is a regular file, a
// link to one, or something that cannot be looked at.
func isFile(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	info, err := os.Stat(path)
	return err != nil || info.Mode().IsRegular()
}

// sums returns the checksums of one object, by algorithm.
func (r *sumReader) sums(ctx context.Context, o sumObject, algorithms []string) (map[string]string, error) {
	in, err := r.content(ctx, o)
	if err != nil {
		return nil, err
	}
	defer in.Close() // was only read
	id := strings.Join(algorithms, ",")
	d := r.digests[id]
	if d == nil {
		if d, err = digest.New(algorithms...); err != nil {
			return nil, err
		}
		r.digests[id] = d
	}
	d.Reset()
	if _, err := digest.Copy(ctx, d, in); err != nil {
		return nil, err
	}
	return d.Sums(), nil
}

// content opens what o names.
func (r *sumReader) content(ctx context.Context, o sumObject) (io.ReadCloser, error) {
	if o.file == "-" {
		return io.NopCloser(r.stdin), nil
	}
	if o.bucket == "" {
		return os.Open(o.file)
	}
	bucket, err := r.open(ctx, o.bucket)
	if err != nil {
		return nil, err
	}
	return bucket.NewReader(ctx, o.key, nil)
}

func (r *sumReader) open(ctx context.Context, bucketURL string) (*blob.Bucket, error) {
	if b := r.buckets[bucketURL]; b != nil {
		return b, nil
	}
	b, err := blob.OpenBucket(ctx, bucketURL)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", bucketURL, err)
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
		schemes := append(blob.DefaultURLMux().BucketSchemes(), "file")
		slices.Sort(schemes)
		return fmt.Errorf("%s: unknown scheme %q; valid are %s (a path begins with ./)",
			visibleName(withoutPassword(arg)), scheme, strings.Join(slices.Compact(schemes), ", "))
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

func isSumScheme(scheme string) bool {
	return scheme == "file" || blob.DefaultURLMux().ValidBucketScheme(scheme)
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
)

// isMissing reports whether err says that a file or object does not exist.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || gcerrors.Code(err) == gcerrors.NotFound
}

// sumReason returns the error as the tools that bucketsum stands in for give
// it: the name has been said, and what was tried is plain.
func sumReason(err error) string {
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) {
		return failed.Err.Error()
	}
	if gcerrors.Code(err) == gcerrors.NotFound {
		return errNoObject.Error()
	}
	return strings.ReplaceAll(err.Error(), "\n", "; ")
}
