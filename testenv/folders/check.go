package folders

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// The invariants by name. docs/reliability.md says what each means to a user.
const (
	neverWrong       = "never-wrong"
	recordedOrDead   = "recorded-or-dead-lettered"
	noOrphan         = "no-record-without-object"
	noEmptyFolder    = "no-folder-of-the-workers-own"
	noRecordOfRecord = "no-record-of-a-record"
	insideBuckets    = "nothing-outside-the-buckets"
	filesOfUsers     = "files-of-users-stay"
	settles          = "settles" // the worker comes to rest, and ends only when told to
)

// Violation is an invariant that does not hold.
type Violation struct {
	Invariant string
	Key       string // empty: it concerns no single file
	Text      string // a sentence
}

func (v *Violation) String() string {
	return fmt.Sprintf("invariant=%s %s: %s", v.Invariant, shown(v.Key), v.Text)
}

func violation(invariant, key, format string, args ...any) *Violation {
	return &Violation{invariant, key, fmt.Sprintf(format, args...)}
}

// check compares the whole folder with what users have in it, while the worker is quiet.
func (u *users) check(p *process) *Violation {
	found, err := u.list()
	if err != nil {
		return violation(settles, "", "the folder cannot be listed: %v", err)
	}
	for _, name := range slices.Sorted(maps.Keys(u.tree)) {
		if v := u.checkUsers(name, found[name]); v != nil {
			return v
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.tree)) {
		if data, ok := u.tree.content(name); ok && objectOf(name) == "" {
			if v := u.checkObject(name, data, p); v != nil {
				return v
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, users := u.tree[name]; !users {
			if v := u.checkForeign(name, found[name], p); v != nil {
				return v
			}
		}
	}
	return u.checkOutside()
}

// list returns everything in the folder but the notes of the worker and the marks.
func (u *users) list() (map[string]fs.FileMode, error) {
	found := make(map[string]fs.FileMode)
	err := filepath.WalkDir(u.dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == u.dir {
			return err
		}
		key := filepath.ToSlash(strings.TrimPrefix(name, u.dir+string(filepath.Separator)))
		switch {
		case e.Name() == filebucket.Hidden:
			return fs.SkipDir
		case strings.HasPrefix(key, marks):
			return nil
		}
		found[key] = e.Type()
		return nil
	})
	return found, err
}

var types = map[kind]fs.FileMode{file: 0, folder: fs.ModeDir, fifo: fs.ModeNamedPipe, link: fs.ModeSymlink}

// checkUsers checks that what users have is as they left it.
func (u *users) checkUsers(name string, now fs.FileMode) *Violation {
	e := u.tree[name]
	if _, err := os.Lstat(u.path(name)); err != nil || now != types[e.kind] {
		return violation(filesOfUsers, name, "it is gone or another kind of file: %v, %v", now, err)
	}
	if e.kind != file {
		return nil
	}
	if data, err := os.ReadFile(u.path(name)); err != nil || string(data) != e.data {
		return violation(filesOfUsers, name, "its content is not what the user wrote: %d bytes instead of %d, %v", len(data), len(e.data), err)
	}
	return nil
}

// checkObject checks that an object has a right record, or that the report says why it has none.
func (u *users) checkObject(name, data string, p *process) *Violation {
	record := recordOf(name)
	refused := ""
	switch own := u.tree[record]; {
	case !utf8.ValidString(name) || len(path.Base(record)) > longest:
		refused = "it cannot have a record"
	case own.kind == file && !strings.HasPrefix(own.data, sum(data)):
		refused = "the user's own checksum file contradicts its content"
	case own.kind == file:
		return nil
	}
	if refused != "" {
		if !p.failed(readable.Name(name)) {
			return violation(recordedOrDead, name, "%s, and the report does not say so", refused)
		}
		return nil
	}
	text, err := os.ReadFile(u.path(record))
	if os.IsNotExist(err) {
		return violation(recordedOrDead, name, "it has no record; reported as failed: %v", p.failed(readable.Name(name)))
	} else if err != nil {
		return violation(recordedOrDead, name, "its record cannot be read: %v", err)
	}
	line, err := digest.ParseLine(strings.TrimSuffix(string(text), "\n"))
	if err != nil || line.Name != path.Base(name) || line.Value != sum(data) {
		if u.looksOwn(record, string(text)) && p.failed(readable.Name(name)) {
			return nil
		}
		return violation(neverWrong, name, "its record is of another content or name: %q instead of %s; reported as failed: %v", text, sum(data), p.failed(readable.Name(name)))
	}
	return nil
}

// looksOwn reports whether a record, with the given text if that is not empty, looks like a file of a user: cp -r has
// made it, and the worker has not adopted it.
func (u *users) looksOwn(record, text string) bool {
	n, ok := u.note(record)
	return u.recopied && !(ok && (text == "" || n.Line == text))
}

// checkForeign checks something that no user made.
func (u *users) checkForeign(name string, mode fs.FileMode, p *process) *Violation {
	if mode.IsDir() {
		return violation(noEmptyFolder, name, "the worker made this folder, or made it again")
	}
	object := objectOf(name)
	_, exists := u.tree.content(object)
	switch {
	case !mode.IsRegular() || object == "":
		return violation(insideBuckets, name, "the worker made something that is no record (%v)", mode)
	case objectOf(object) != "" && exists:
		return violation(noRecordOfRecord, object, "it has a record, and looks like one itself")
	case !exists && u.looksOwn(name, ""):
		return nil
	case !exists:
		return violation(noOrphan, object, "there is a record %s, and no such file; reported as failed: %v", shown(name), p.failed(readable.Name(object)))
	}
	return nil
}

// checkRecords checks, at any time, that each record has the checksum of the version that its note names. Versions
// that existed only while a user was writing are not known.
func (u *users) checkRecords() *Violation {
	for name := range u.tree {
		record := recordOf(name)
		if _, own := u.tree[record]; own {
			continue
		}
		line, err := os.ReadFile(u.path(record))
		if err != nil {
			continue
		}
		n, ok := u.note(record)
		if !ok || n.Line != string(line) {
			continue // the worker is about to write the one or the other
		}
		etag := n.Metadata["source-etag"]
		value, _, _ := strings.Cut(strings.TrimPrefix(n.Line, `\`), " ")
		if known := u.sums[etag]; known != nil && !known[value] {
			return violation(neverWrong, name, "its record says %s of version %s, which never had that content", value, etag)
		}
	}
	return nil
}

// note is what the worker keeps about a record.
type note struct {
	Line     string            `json:"line"`
	Metadata map[string]string `json:"metadata"`
}

func (u *users) note(record string) (n note, ok bool) {
	hash := fmt.Sprintf("%x", sha256.Sum256([]byte(record)))
	data, err := os.ReadFile(filepath.Join(u.dir, filebucket.Hidden, filebucket.Notes, hash[:2], hash[2:]+".json"))
	return n, err == nil && json.Unmarshal(data, &n) == nil
}

const secret = "the worker must not read this\n"

// makeCanary puts a folder beside the bucket that nothing may touch.
func (u *users) makeCanary() error {
	dir := filepath.Join(u.outside, "canary")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "secret"), []byte(secret), 0o600)
}

// checkOutside checks that nothing beside the folder was touched.
func (u *users) checkOutside() *Violation {
	dir := filepath.Join(u.outside, "canary")
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		return violation(insideBuckets, "", "the folder beside the bucket has %v now: %v", entries, err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "secret")); err != nil || string(data) != secret {
		return violation(insideBuckets, "", "the file beside the bucket was changed: %q, %v", data, err)
	}
	if entries, err = os.ReadDir(u.outside); err != nil {
		return violation(insideBuckets, "", "%v", err)
	}
	for _, e := range entries {
		if e.Name() != "canary" && !strings.HasPrefix(e.Name(), "away-") {
			return violation(insideBuckets, "", "beside the bucket is %s now", e.Name())
		}
	}
	return nil
}
