package storm

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// folderStore is a bucket that is a folder.
type folderStore struct {
	dir, outside string // the bucket, and a folder beside it on the same disk
	lane         *lane

	disk       sync.RWMutex // held for reading by users that write
	fill, free func() error // make the disk full, and make room; nil: it never is full
	full       bool
}

func newFolderStore(t testing.TB, l *lane) *folderStore {
	t.Helper()
	disk := t.TempDir()
	f := &folderStore{dir: filepath.Join(disk, l.name), outside: filepath.Join(disk, "outside"), lane: l}
	f.fill, f.free, _ = mountDisk(t, disk)
	for _, d := range []string{f.dir, f.outside} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// setFull makes the disk full, or makes room. Users write only while there is room: what they
// write must not be cut.
func (f *folderStore) setFull(full bool) error {
	f.disk.Lock()
	defer f.disk.Unlock()
	if f.full == full {
		return nil
	}
	set := f.free
	if full {
		set = f.fill
	}
	err := set()
	f.full = full && err == nil
	return err
}

func (f *folderStore) path(key string) string { return filepath.Join(f.dir, filepath.FromSlash(key)) }

// etag implements store: times are in it.
func (f *folderStore) etag([]byte, int) string { return "" }

// put writes a file: in place, in pieces, or beside the bucket and renamed into it.
func (f *folderStore) put(ctx context.Context, key string, data []byte, parts int) (version, error) {
	path := f.path(key)
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return version{}, err
	}
	if parts == 0 {
		temporary, err := os.CreateTemp(f.outside, "")
		if err != nil {
			return version{}, err
		}
		_, err = temporary.Write(data)
		if err := errors.Join(err, temporary.Close(), os.Rename(temporary.Name(), path)); err != nil {
			return version{}, err
		}
		return f.stat(ctx, key)
	}
	file, err := os.Create(path)
	if err != nil {
		return version{}, err
	}
	for i := range parts {
		if _, err := file.Write(data[cut(len(data), parts, i):cut(len(data), parts, i+1)]); err != nil {
			return version{}, errors.Join(err, file.Close())
		}
	}
	if err := file.Close(); err != nil {
		return version{}, err
	}
	return f.stat(ctx, key)
}

// cut returns where piece i of n begins.
func cut(size, n, i int) int { return size * i / n }

// partials returns the checksums of what a file holds while it is written in pieces.
func partials(data []byte, parts int, algorithms []string) []*content {
	var all []*content
	for i := range parts {
		n := cut(len(data), parts, i)
		all = append(all, &content{size: n, sums: sumsOf(data[:n], algorithms)})
	}
	return all
}

func (f *folderStore) remove(_ context.Context, key string) (string, error) {
	return "", os.Remove(f.path(key))
}

func (f *folderStore) removeVersion(context.Context, string, string) error {
	return errors.New("folders have no versions")
}

// rename renames a file in the bucket.
func (f *folderStore) rename(ctx context.Context, from, to string) (version, error) {
	if err := os.MkdirAll(filepath.Dir(f.path(to)), 0o777); err != nil {
		return version{}, err
	}
	if err := os.Rename(f.path(from), f.path(to)); err != nil {
		return version{}, err
	}
	return f.stat(ctx, to)
}

func (f *folderStore) stat(_ context.Context, key string) (version, error) {
	info, err := os.Stat(f.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return version{}, errGone
	} else if err != nil {
		return version{}, err
	}
	return version{etag: filebucket.VersionOf(info).ETag()}, nil
}

func (f *folderStore) record(_ context.Context, key, alg string) (*record, error) {
	at := f.lane.layout.RecordKey(key, alg)
	data, err := os.ReadFile(f.path(at))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	} else if err != nil {
		return nil, err
	}
	line, err := digest.ParseLine(strings.TrimSuffix(string(data), "\n"))
	if err != nil {
		return &record{raw: string(data)}, nil
	}
	r := &record{value: line.Value, size: -1, raw: fmt.Sprintf("%q", data)}
	var note struct{ Metadata map[string]string }
	name := fmt.Sprintf("%x", sha256.Sum256([]byte(at)))
	if data, err := os.ReadFile(filepath.Join(f.dir, filebucket.Hidden, filebucket.Notes, name[:2], name[2:]+".json")); err == nil && json.Unmarshal(data, &note) == nil {
		r.etag = note.Metadata["source-etag"]
		r.raw += fmt.Sprintf(" %v", note.Metadata)
	}
	return r, nil
}

func (f *folderStore) keys(context.Context) ([]string, error) {
	var keys []string
	err := filepath.WalkDir(f.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(f.dir, path)
		keys = append(keys, filepath.ToSlash(rel))
		return err
	})
	return keys, err
}
