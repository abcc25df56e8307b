package folder

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// note holds the metadata of a record, and the content by which its file is recognised.
type note struct {
	Key      string            `json:"key"`
	Line     string            `json:"line"`
	Previous string            `json:"previous,omitempty"`
	Metadata map[string]string `json:"metadata"`
}

var (
	tempDir = filepath.Join(filebucket.Hidden, "tmp")
	noteDir = filepath.Join(filebucket.Hidden, filebucket.Notes)
	lockDir = filepath.Join(filebucket.Hidden, "locks")
)

// noteLimit is how many bytes of a note are read at most.
const noteLimit = 64 << 10

// noteName returns the path of the note of a record. It is a hash of the key, as a key may
// be longer than a file name.
func noteName(key string) string {
	name := hash(key)
	return filepath.Join(noteDir, name[:2], name[2:]+".json")
}

func hash(key string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(key))) }

// readNote returns the note of a record. It returns the zero note if there is none or it
// is invalid.
func (f *bucket) readNote(key string) (note, error) {
	data, _, err := f.readFile(noteName(key), noteLimit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return note{}, fmt.Errorf("its note: %w", err)
	}
	if n := parseNote(data); n.Key == key {
		return n, nil
	}
	return note{}, nil
}

// parseNote reads the note of a record. Invalid data yields the zero note.
func parseNote(data []byte) note {
	var n note
	if json.Unmarshal(data, &n) != nil || n.Key == "" || n.Line == "" {
		return note{}
	}
	return n
}

// forget deletes the note of a record.
func (f *bucket) forget(key string) error {
	if err := f.root.Remove(noteName(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("its note: %w", err)
	}
	return nil
}
