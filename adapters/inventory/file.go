package inventory

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bucketsum/bucketsum/pipeline"
)

// file is a file, or one version of an object, that can be read from any byte on.
type file interface {
	// from returns the content from an offset on.
	from(ctx context.Context, offset int64) (io.ReadCloser, error)
	// size returns the number of bytes.
	size() (int64, error)
	// id returns a text that is the same for the same content.
	id() (string, error)
}

// file looks at a file of the inventory, by its path or its key. An object is read in the version that was seen first.
func (v *Inventory) file(ctx context.Context, name string) (file, error) {
	if v.config.From == nil {
		return local(name), nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if seen, ok := v.seen[name]; ok {
		return seen, nil
	}
	o, err := v.config.From.Stat(ctx, pipeline.Object{Bucket: "with the inventory", Key: name, Size: pipeline.UnknownSize})
	if errors.Is(err, pipeline.ErrNotFound) {
		err = pipeline.Permanent(fmt.Errorf("%w: put it back, or begin another pass with another inventory", err))
	}
	if err != nil {
		return nil, err
	}
	v.seen[name] = stored{v.config.From, o}
	return v.seen[name], nil
}

// local is the path of a file.
type local string

func (l local) from(_ context.Context, offset int64) (io.ReadCloser, error) {
	f, err := os.Open(string(l))
	if err != nil {
		return nil, missingFile(err)
	}
	if offset > 0 {
		if _, err = f.Seek(offset, io.SeekStart); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (l local) size() (int64, error) {
	i, err := os.Stat(string(l))
	if err != nil {
		return 0, missingFile(err)
	}
	if !i.Mode().IsRegular() {
		return 0, pipeline.Permanent(errors.New("it is not a regular file"))
	}
	return i.Size(), nil
}

func missingFile(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return pipeline.Permanent(err)
	}
	return err
}

func (l local) id() (string, error) {
	f, err := os.Open(string(l))
	if err != nil {
		return "", missingFile(err)
	}
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return fmt.Sprintf("sha256:%x", sum.Sum(nil)), errors.Join(err, f.Close())
}

// stored is one version of an object.
type stored struct {
	bucket pipeline.Source
	object pipeline.Object
}

func (s stored) from(ctx context.Context, offset int64) (io.ReadCloser, error) {
	r, err := s.bucket.OpenAt(ctx, s.object, offset)
	if errors.Is(err, pipeline.ErrNotFound) || errors.Is(err, pipeline.ErrChanged) || errors.Is(err, pipeline.ErrArchived) {
		err = pipeline.Permanent(err)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s stored) size() (int64, error) { return s.object.Size, nil }

func (s stored) id() (string, error) {
	return fmt.Sprintf("etag:%s %d", s.object.ETag, s.object.Size), nil
}

// Spool copies a stream, such as standard input, to a temporary file, because a pass may read it several times. The
// caller removes the file.
func Spool(in io.Reader) (path string, err error) {
	f, err := os.CreateTemp("", "bucketsum-keys-")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, in)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// beside returns the path of a file of an inventory that was copied here. S3 keeps manifests in a folder beside the
// folder data. Names are from the manifest, which may be malicious: only their last element is used.
func beside(manifest, name string) string {
	dir, base := filepath.Dir(manifest), filepath.Base(filepath.FromSlash(name))
	for _, folder := range []string{dir, filepath.Join(dir, "..", "data")} {
		if path := filepath.Join(folder, base); exists(path) {
			return path
		}
	}
	return filepath.Join(dir, base)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
