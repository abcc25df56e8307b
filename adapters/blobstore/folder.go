package blobstore

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"gocloud.dev/blob/fileblob"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Hidden is the folder, in a bucket that is a folder, that holds what the
// pipeline must remember and the user need not see.
const Hidden = ".bucketsum"

// folder is what a bucket of files has beyond gocloud's fileblob.
type folder struct {
	// root opens nothing outside of the folder, whatever symbolic links say.
	root *os.Root
}

func openFolder(u *url.URL, name string, c Config) (*Store, error) {
	if u.Host != "" && u.Host != "." {
		return nil, fmt.Errorf("bucket URL %q: a folder is file:///path/to/folder, with three slashes", u.Redacted())
	}
	if u.RawQuery != "" {
		return nil, fmt.Errorf("bucket URL %q: a folder takes no parameters", u.Redacted())
	}
	dir := u.Path
	if u.Host == "." {
		dir = "." + dir
	}
	return OpenFolder(filepath.FromSlash(dir), name, c)
}

// OpenFolder opens a folder of files as a bucket. The folder must exist.
func OpenFolder(dir, name string, c Config) (*Store, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", name, err)
	}
	// fileblob would write files with metadata beside every object that it
	// writes; it writes none here.
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("bucket %s: %w", name, err), root.Close())
	}
	f := &folder{root}
	return &Store{name: name, bucket: bucket, folder: f, records: newRecords(c, &files{root})}, nil
}

// Addressable explains why a file of this name cannot be an object; nil if it
// can. Names that gocloud's fileblob would change are refused, as the object it
// then opens is another file.
func Addressable(key string) error {
	reason := ""
	switch {
	case !utf8.ValidString(key):
		reason = "it is not UTF-8, so that no event can carry it"
	case strings.ContainsFunc(key, unicode.IsControl):
		reason = "it contains a control character"
	case strings.Contains(key, "__0x"):
		reason = "it contains __0x, which stands for an escaped character"
	case strings.HasSuffix(key, ".attrs"):
		reason = "it ends in .attrs, which stands for the metadata of another file"
	case key == "" || key == "." || path.Clean(key) != key || path.IsAbs(key) || key == ".." || strings.HasPrefix(key, "../"):
		reason = "it is not a clean relative path"
	case filepath.Separator != '/' && strings.ContainsRune(key, filepath.Separator):
		reason = "it contains a backslash"
	default:
		return nil
	}
	return pipeline.Permanent(fmt.Errorf("the name %q cannot be summed in a folder: %s; rename it", key, reason))
}

// check reports why the key cannot be read as an object: its name, or what it
// is. Symbolic links are followed as long as they stay in the folder.
func (f *folder) check(key string) error {
	if err := Addressable(key); err != nil {
		return err
	}
	info, err := f.root.Stat(filepath.FromSlash(key))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return translate(err)
	case escapes(err):
		return pipeline.Permanent(fmt.Errorf("it is a symbolic link that leads out of the bucket: %w", err))
	case err != nil:
		return translate(err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("it is not a regular file (%s): %w", info.Mode().Type(), pipeline.ErrFiltered)
	}
	return nil
}

// escapes reports whether os.Root refused a path that leads out of it. The
// package has no exported error for that.
func escapes(err error) bool {
	var p *fs.PathError
	return errors.As(err, &p) && p.Err.Error() == "path escapes from parent"
}
