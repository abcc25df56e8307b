package handover

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// place is a folder that gets files, all at the end.
type place struct {
	dir    string
	hidden string // folder in dir; nothing in it is an object if dir is, or is in, a bucket
	temp   string // folder in hidden, with the files until commit
	names  []string
	open   []*os.File
}

// newPlace makes the folder if it may.
func newPlace(dir string, mayMake bool) (*place, error) {
	if mayMake {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return nil, fmt.Errorf("--output: %w", err)
		}
	}
	p := &place{dir: dir, hidden: filepath.Join(dir, filebucket.Hidden)}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("--output: there is no folder %s: make it first", filepath.Clean(dir))
	}
	err := os.Mkdir(p.hidden, 0o777)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("--output: %w", err)
	}
	if p.temp, err = os.MkdirTemp(p.hidden, "manifest-*"); err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	return p, nil
}

func (p *place) create(name string) (*os.File, error) {
	if info, err := os.Stat(filepath.Join(p.dir, name)); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("--output: %s is not a regular file", filepath.Join(p.dir, name))
	}
	f, err := os.OpenFile(filepath.Join(p.temp, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	p.names, p.open = append(p.names, name), append(p.open, f)
	return f, nil
}

// refuseStale returns an error if the folder has manifests of an earlier bag that are not replaced: a validator would
// compare the payload with them, too.
func (p *place) refuseStale(algorithms []string, existing bool) error {
	entries, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	for _, e := range entries {
		name, payload := strings.CutPrefix(e.Name(), "manifest-")
		name, tags := strings.CutPrefix(name, "tagmanifest-")
		algorithm, ok := strings.CutSuffix(name, ".txt")
		if ok && (tags || payload && !existing) && !slices.Contains(algorithms, algorithm) {
			return fmt.Errorf("--output: %s is of an earlier bag and would not fit the new one; remove it, or name its algorithm with --algorithms, too", filepath.Join(p.dir, e.Name()))
		}
	}
	return nil
}

// commit gives the files their names, in the order in which they were created. Each of them replaces an earlier one.
func (p *place) commit() error {
	for _, name := range p.names {
		if err := syncFile(filepath.Join(p.temp, name)); err != nil {
			return errors.Join(fmt.Errorf("--output: %w", err), p.discard())
		}
	}
	for _, name := range p.names {
		if err := os.Rename(filepath.Join(p.temp, name), filepath.Join(p.dir, name)); err != nil {
			return errors.Join(fmt.Errorf("--output: %w", err), p.discard())
		}
	}
	return p.discard()
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func (p *place) discard() error {
	for _, f := range p.open {
		_ = f.Close() // it is closed, or not needed
	}
	if err := os.RemoveAll(p.temp); err != nil {
		return fmt.Errorf("--output: %w", err)
	}
	_ = os.Remove(p.hidden) // unless it has something else
	return nil
}

// summed computes the SHA-256 of what is written.
type summed struct {
	io.WriteCloser
	hash hash.Hash
}

func newSummed(w io.WriteCloser) *summed { return &summed{w, sha256.New()} }

func (s *summed) Write(p []byte) (int, error) {
	n, err := s.WriteCloser.Write(p)
	s.hash.Write(p[:n]) //nolint:errcheck // a hash never fails
	return n, err
}

func (s *summed) value() string { return hex.EncodeToString(s.hash.Sum(nil)) }
