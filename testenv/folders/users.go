package folders

import (
	"crypto/md5" //nolint:gosec // the checksum that the pipeline computes
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// Op is one operation of a history.
type Op struct {
	Do   string        // see operations and the worker's: start, stop, kill, quiet
	Path string        // with slashes
	To   string        // the new path; of link: where it leads
	Size int           // bytes of new content
	N    int           // makes its content unlike any other
	At   pipeline.Step // wait until the worker is about to do this; empty: do not wait
}

func (o Op) String() string {
	s := o.Do
	for _, name := range []string{o.Path, o.To} {
		if name != "" {
			s += " " + shown(name)
		}
	}
	if o.Size > 0 {
		s += fmt.Sprintf(" (%d bytes)", o.Size)
	}
	if o.At != "" {
		s += " at the worker's next " + string(o.At)
	}
	return s
}

// shown returns a name in quotes if it is not plain.
func shown(name string) string {
	if len(name) > 40 {
		return fmt.Sprintf("%.20q… (%d bytes)", name, len(name))
	}
	if q := fmt.Sprintf("%q", name); q[1:len(q)-1] != name || strings.Contains(name, " ") {
		return q
	}
	return name
}

// content returns the content that an operation writes.
func (o Op) content(size int) string {
	text := fmt.Sprintf("content %d of %s\n", o.N, o.Path)
	return strings.Repeat(text, size/len(text)+1)[:size]
}

// users are the users of a folder. With dry they change the model only.
type users struct {
	dry     bool
	dir     string // the folder
	outside string // beside it: the canary, files that are being made, and what was moved away
	tree    tree
	away    map[string]tree // what was moved away, by the path where it was
	sums    map[string]map[string]bool
	made    int
	// recopied: cp -r has copied records, which gives them new times.
	recopied bool
}

func newUsers(dir, outside string) *users {
	return &users{dry: dir == "", dir: dir, outside: outside, tree: make(tree), away: make(map[string]tree),
		sums: make(map[string]map[string]bool)}
}

func (u *users) path(name string) string { return filepath.Join(u.dir, filepath.FromSlash(name)) }

// operations are what users do. Each returns false, and changes nothing, if it is not possible in this state. An error
// means that the model is wrong.
var operations = map[string]func(*users, Op) (bool, error){
	// put makes a file under another name and moves it to its own, as rsync and browsers do.
	"put": func(u *users, o Op) (bool, error) { return u.put(o, o.content(o.Size), time.Time{}) },
	// write writes to a file in place, as cp and editors do.
	"write": func(u *users, o Op) (bool, error) { return u.write(o.Path, o.content(o.Size)) },
	// twin puts other content of the same size and time, as rsync -a can.
	"twin": func(u *users, o Op) (bool, error) { return u.twin(o, true) },
	// twin-in-place writes other content of the same size and restores the time, as cp -p can.
	"twin-in-place": func(u *users, o Op) (bool, error) { return u.twin(o, false) },
	"append":        appendTo,
	"delete":        func(u *users, o Op) (bool, error) { return u.drop(o.Path, file, fifo, link) },
	"delete-folder": func(u *users, o Op) (bool, error) { return u.drop(o.Path, folder) },
	"rename":        func(u *users, o Op) (bool, error) { return u.rename(o, file) },
	"move":          func(u *users, o Op) (bool, error) { return u.rename(o, folder) },
	// copy is cp -a: with the times, and with the records that lie there. copy-new is cp -r.
	"copy":     func(u *users, o Op) (bool, error) { return u.copy(o, true) },
	"copy-new": func(u *users, o Op) (bool, error) { return u.copy(o, false) },
	"away":     moveAway,
	"back":     moveBack,
	// forget removes .bucketsum, as a restore of everything else does.
	"forget": func(u *users, _ Op) (bool, error) { return true, u.real(u.removeNotes) },
	// to-folder replaces a file by a folder with a file in it, to-file a folder by a file.
	"to-folder": func(u *users, o Op) (bool, error) {
		if ok, err := u.drop(o.Path, file); !ok || err != nil {
			return ok, err
		}
		o.Path += "/inner"
		return u.put(o, o.content(o.Size), time.Time{})
	},
	"to-file": func(u *users, o Op) (bool, error) {
		if ok, err := u.drop(o.Path, folder); !ok || err != nil {
			return ok, err
		}
		return u.put(o, o.content(o.Size), time.Time{})
	},
	"fifo": func(u *users, o Op) (bool, error) {
		return u.replace(o.Path, entry{kind: fifo}, func() error { return syscall.Mkfifo(u.path(o.Path), 0o600) })
	},
	"link": func(u *users, o Op) (bool, error) {
		return u.replace(o.Path, entry{kind: link, target: o.To}, func() error { return os.Symlink(o.To, u.path(o.Path)) })
	},
	"link-outside": func(u *users, o Op) (bool, error) {
		target := filepath.Join(u.outside, "canary", o.To)
		return u.replace(o.Path, entry{kind: link, target: target}, func() error { return os.Symlink(target, u.path(o.Path)) })
	},
	// own-right and own-wrong write a checksum file of the user's own beside a file.
	"own-right": func(u *users, o Op) (bool, error) { return u.own(o, u.tree[o.Path].data) },
	"own-wrong": func(u *users, o Op) (bool, error) { return u.own(o, o.content(10)) },
	// unrecord deletes the checksum file beside a file, the worker's or the user's own.
	"unrecord": func(u *users, o Op) (bool, error) {
		if u.tree[o.Path].kind != file {
			return false, nil
		}
		delete(u.tree, recordOf(o.Path))
		return len(path.Base(recordOf(o.Path))) <= longest, u.real(func() error {
			err := os.Remove(u.path(recordOf(o.Path)))
			if os.IsNotExist(err) || errors.Is(err, syscall.ENAMETOOLONG) {
				return nil
			}
			return err
		})
	},
	"touch": func(u *users, o Op) (bool, error) {
		return u.tree[o.Path].kind == file, u.real(func() error {
			if u.tree[o.Path].kind != file {
				return nil
			}
			return os.Chtimes(u.path(o.Path), time.Time{}, time.Now().Add(-time.Duration(o.N)*time.Hour))
		})
	},
}

// do does an operation of users, and notes which content has which version now.
func (u *users) do(o Op) (bool, error) {
	done, err := operations[o.Do](u, o)
	if err != nil || u.dry {
		return done, err
	}
	for name, e := range u.tree {
		if e.kind != file {
			continue
		}
		info, err := os.Lstat(u.path(name))
		if err != nil {
			continue // check reports it
		}
		etag := filebucket.VersionOf(info).ETag()
		if u.sums[etag] == nil {
			u.sums[etag] = make(map[string]bool)
		}
		u.sums[etag][sum(e.data)] = true
	}
	return done, nil
}

// vacate removes an empty folder that the worker has left where users have nothing, and makes the folders above.
func (u *users) vacate(name string) error {
	_ = syscall.Rmdir(u.path(name)) // mostly there is none
	return os.MkdirAll(filepath.Dir(u.path(name)), 0o700)
}

// real does something to the real folder.
func (u *users) real(do func() error) error {
	if u.dry {
		return nil
	}
	return do()
}

// put moves a new file to its place.
func (u *users) put(o Op, data string, modified time.Time) (bool, error) {
	was := u.tree[o.Path].kind
	if was != absent && was != file || !u.tree.parent(o.Path) {
		return false, nil
	}
	u.tree[o.Path] = entry{kind: file, data: data}
	return true, u.real(func() error {
		u.made++
		temp := filepath.Join(u.outside, fmt.Sprintf("made-%d", u.made))
		if err := os.WriteFile(temp, []byte(data), 0o600); err != nil {
			return err
		}
		if !modified.IsZero() {
			if err := os.Chtimes(temp, time.Time{}, modified); err != nil {
				return err
			}
		}
		if was == absent {
			if err := u.vacate(o.Path); err != nil {
				return err
			}
		}
		return os.Rename(temp, u.path(o.Path))
	})
}

// write writes a file in place.
func (u *users) write(name, data string) (bool, error) {
	was := u.tree[name].kind
	if was != absent && was != file || !u.tree.parent(name) {
		return false, nil
	}
	u.tree[name] = entry{kind: file, data: data}
	return true, u.real(func() error {
		if was == absent {
			if err := u.vacate(name); err != nil {
				return err
			}
		}
		return os.WriteFile(u.path(name), []byte(data), 0o600)
	})
}

func (u *users) twin(o Op, moved bool) (bool, error) {
	old := u.tree[o.Path]
	if old.kind != file {
		return false, nil
	}
	data := o.content(len(old.data))
	if u.dry {
		u.tree[o.Path] = entry{kind: file, data: data}
		return true, nil
	}
	info, err := os.Stat(u.path(o.Path))
	if err != nil {
		return false, err
	}
	if moved {
		return u.put(o, data, info.ModTime())
	}
	if ok, err := u.write(o.Path, data); !ok || err != nil {
		return ok, err
	}
	return true, os.Chtimes(u.path(o.Path), time.Time{}, info.ModTime())
}

func appendTo(u *users, o Op) (bool, error) {
	old := u.tree[o.Path]
	if old.kind != file {
		return false, nil
	}
	more := o.content(o.Size)
	u.tree[o.Path] = entry{kind: file, data: old.data + more}
	return true, u.real(func() error {
		f, err := os.OpenFile(u.path(o.Path), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.WriteString(more)
		return err
	})
}

// drop removes what is at a path if it is of one of the kinds. The worker may write a record into a folder that is being
// removed.
func (u *users) drop(name string, kinds ...kind) (bool, error) {
	for _, k := range kinds {
		if u.tree[name].kind == k {
			u.tree.remove(name, "")
			return true, u.real(func() error { return insist(func() error { return os.RemoveAll(u.path(name)) }) })
		}
	}
	return false, nil
}

// insist repeats what the worker may disturb.
func insist(do func() error) (err error) {
	for range 100 {
		if err = do(); err == nil {
			return nil
		}
	}
	return err
}

func (u *users) removeNotes() error {
	return insist(func() error { return os.RemoveAll(u.path(filebucket.Hidden)) })
}

// replace puts something that is no file in the place of a file or of nothing.
func (u *users) replace(name string, e entry, do func() error) (bool, error) {
	if k := u.tree[name].kind; k == folder || !u.tree.parent(name) {
		return false, nil
	}
	u.tree[name] = e
	return true, u.real(func() error {
		if err := u.vacate(name); err != nil {
			return err
		}
		if err := os.Remove(u.path(name)); err != nil && !os.IsNotExist(err) {
			return err
		}
		return do()
	})
}

// own writes a checksum file of the user's own. Its comment makes it unlike a record.
func (u *users) own(o Op, of string) (bool, error) {
	if u.tree[o.Path].kind != file || len(path.Base(recordOf(o.Path))) > longest {
		return false, nil
	}
	line := fmt.Sprintf("%s  %s\n# checked by user %d\n", sum(of), path.Base(o.Path), o.N)
	return u.write(recordOf(o.Path), line)
}

// longest is the length of a file's name, in bytes, that file systems allow.
const longest = 255

func sum(data string) string { return fmt.Sprintf("%x", md5.Sum([]byte(data))) } //nolint:gosec // as above
