package blobstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// files stores sidecars as files. Their metadata is a file each under
// .bucketsum, written before the sidecar and telling the line that the sidecar
// has and the one that it had: a sidecar with another line is not ours.
//
// A sidecar appears with all of its content or not at all, and survives a
// crash of the machine. Its metadata may not; then the line is computed and
// written again.
type files struct{ root *os.Root }

// note is what is remembered of a sidecar.
type note struct {
	Key      string            `json:"key"`
	Line     string            `json:"line"`
	Previous string            `json:"previous,omitempty"`
	Metadata map[string]string `json:"metadata"`
}

// notePath returns where the note of a sidecar is. A hash, as a key may be longer
// than a name.
func notePath(key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(Hidden, "records", name[:2], name[2:]+".json")
}

func (f *files) reserved(key string) bool {
	return key == Hidden || strings.HasPrefix(key, Hidden+"/")
}

func (f *files) read(_ context.Context, key string) (*sidecar, error) {
	line, err := f.readFile(filepath.FromSlash(key))
	if err != nil {
		return nil, translate(err)
	}
	s := &sidecar{line: string(line)}
	n, err := f.readNote(key)
	if err != nil {
		return nil, err
	}
	switch s.line {
	case n.Line:
		s.metadata = n.Metadata
	case n.Previous:
		// The process died between note and sidecar. It is ours, but what
		// it was computed from is not known any more.
		s.metadata = map[string]string{metaMarker: marker}
	}
	return s, nil
}

// readNote returns the note of a sidecar, an empty one if there is none that
// can be read.
func (f *files) readNote(key string) (note, error) {
	data, err := f.readFile(notePath(key))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return note{}, err
	}
	var n note
	if json.Unmarshal(data, &n) != nil || n.Key != key || n.Line == "" {
		return note{}, nil // torn by a crash of the machine
	}
	return n, nil
}

func (f *files) readFile(name string) ([]byte, error) {
	file, err := f.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, sidecarLimit))
}

func (f *files) write(ctx context.Context, key string, s, old *sidecar) error {
	n := note{Key: key, Line: s.line, Metadata: s.metadata}
	if old != nil {
		n.Previous = old.line
	}
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := f.put(notePath(key), data, put{replace: true}); err != nil {
		return err
	}
	if err := f.put(filepath.FromSlash(key), []byte(s.line), put{replace: old != nil, sync: true}); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%w: %w", pipeline.ErrChanged, err)
		}
		return err
	}
	return nil
}

func (f *files) remove(_ context.Context, key string, old *sidecar) error {
	name := filepath.FromSlash(key)
	now, err := f.readFile(name)
	if err != nil {
		return translate(err)
	}
	if !bytes.Equal(now, []byte(old.line)) {
		return pipeline.ErrChanged
	}
	if err := f.root.Remove(name); err != nil {
		return translate(err)
	}
	if err := f.root.Remove(notePath(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// put says how a file is written.
type put struct {
	replace bool // else it must not exist
	sync    bool // it survives a crash of the machine
}

// put writes a file so that nobody ever sees a part of it.
func (f *files) put(name string, data []byte, how put) (err error) {
	if err := f.root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	temp := filepath.Join(Hidden, "tmp", rand.Text())
	if err := f.root.MkdirAll(filepath.Dir(temp), 0o777); err != nil {
		return err
	}
	file, err := f.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	kept := false
	defer func() {
		if !kept {
			err = errors.Join(err, f.root.Remove(temp))
		}
	}()
	_, err = file.Write(data)
	if err == nil && how.sync {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if !how.replace {
		// A hard link never replaces what somebody else put there meanwhile.
		return f.root.Link(temp, name)
	}
	err = f.root.Rename(temp, name)
	kept = err == nil
	return err
}

// CleanUp removes what a process that was killed left half-written. No other
// process may be writing to the folder.
func (s *Store) CleanUp() error {
	if s.folder == nil {
		return nil
	}
	dir := path.Join(Hidden, "tmp")
	entries, err := fs.ReadDir(s.folder.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, s.folder.root.Remove(filepath.Join(Hidden, "tmp", e.Name())))
	}
	return errors.Join(errs...)
}
