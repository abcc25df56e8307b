package powercut

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Kind is what an operation does.
type Kind string

const (
	Create   Kind = "create"   // a file, if it does not exist
	Truncate Kind = "truncate" // a file, to Offset
	Write    Kind = "write"    // Data at Offset
	Mkdir    Kind = "mkdir"
	Link     Kind = "link"   // Path also gets the name To
	Rename   Kind = "rename" // Path gets the name To
	Remove   Kind = "remove"
	Sync     Kind = "sync"     // a file or a directory
	SyncAll  Kind = "sync all" // the whole file system
	Print    Kind = "print"    // Data was written to standard output
)

// Op is something that the program has done. Paths are relative to the folder; the folder itself
// is ".".
type Op struct {
	Kind     Kind
	Path, To string
	Offset   int64
	Data     string
	// Line is where strace says that it was done. A sync keeps what was done before it began.
	Line  int
	Begin int
}

func (o Op) String() string {
	s := string(o.Kind) + " " + o.Path
	switch o.Kind {
	case Link, Rename:
		s += " to " + o.To
	case Write:
		s += fmt.Sprintf(" (%d bytes)", len(o.Data))
	case Print:
		s = fmt.Sprintf("print %q", o.Data)
	}
	return s
}

// opsOf returns what the calls have done to a folder, in their order.
func opsOf(dir string, all []call) ([]Op, error) {
	t := translator{dir: dir, offsets: make(map[int64]int64)}
	for _, c := range all {
		if err := t.add(c); err != nil {
			return nil, fmt.Errorf("%s(%s): %w", c.name, strings.Join(c.args, ", "), err)
		}
	}
	slices.SortStableFunc(t.ops, func(a, b Op) int { return cmp.Compare(a.Line, b.Line) })
	return t.ops, nil
}

type translator struct {
	dir     string
	ops     []Op
	offsets map[int64]int64 // of open descriptors
}

// inside returns a path relative to the folder; false if it is not in it.
func (t *translator) inside(p string) (string, bool) {
	if p == t.dir {
		return ".", true
	}
	return strings.CutPrefix(p, t.dir+"/")
}

func (t *translator) add(c call) error {
	switch c.name {
	case "open", "openat", "openat2", "creat":
		t.opened(c)
		return nil
	case "lseek":
		fd, err := fdOf(c.args[0])
		t.offsets[fd] = c.result
		return err
	case "write", "pwrite64", "writev", "pwritev", "pwritev2":
		return t.written(c)
	case "execve":
		return nil
	case "sync":
		t.ops = append(t.ops, Op{Kind: SyncAll, Begin: c.begin, Line: c.end})
		return nil
	}
	return t.changed(c)
}

// opened notes a file that may be new. It counts from the beginning of the call on, because another
// thread may already use it.
func (t *translator) opened(c call) {
	t.offsets[c.result] = 0
	flags := strings.Join(c.args, "|")
	p, ok := t.inside(c.path)
	if ok && (strings.Contains(flags, "O_CREAT") || c.name == "creat") {
		t.ops = append(t.ops, Op{Kind: Create, Path: p, Begin: c.begin, Line: c.begin})
	}
	if ok && (strings.Contains(flags, "O_TRUNC") || c.name == "creat") {
		t.ops = append(t.ops, Op{Kind: Truncate, Path: p, Begin: c.begin, Line: c.end})
	}
}

func (t *translator) written(c call) error {
	fd, err := fdOf(c.args[0])
	if err != nil {
		return err
	}
	data, err := c.text(1)
	if err != nil {
		return err
	}
	if fd == 1 {
		// It may be read as soon as the call begins.
		t.ops = append(t.ops, Op{Kind: Print, Data: data, Begin: c.begin, Line: c.begin})
	}
	p, ok := t.inside(c.file(0))
	if !ok {
		return nil
	}
	offset := t.offsets[fd]
	switch c.name {
	case "pwrite64":
		if offset, err = c.number(3); err != nil {
			return err
		}
	case "write", "writev":
		t.offsets[fd] += c.result
	default:
		return errors.New("not supported")
	}
	t.ops = append(t.ops, Op{Kind: Write, Path: p, Offset: offset, Data: data[:c.result], Begin: c.begin, Line: c.end})
	return nil
}

// changed notes a call that changes names or syncs.
func (t *translator) changed(c call) error {
	op := Op{Begin: c.begin, Line: c.end}
	var from, to string
	var err, toErr error
	switch c.name {
	case "mkdirat", "mkdir":
		op.Kind, op.Line = Mkdir, c.begin // another thread may already use it
		from, err = c.lastName(1)
	case "unlinkat", "unlink", "rmdir":
		op.Kind = Remove
		if c.name == "unlinkat" {
			from, err = c.at(0, 1)
		} else {
			from, err = c.text(0)
		}
	case "renameat", "renameat2", "linkat":
		op.Kind = Rename
		if c.name == "linkat" {
			op.Kind = Link
		}
		if strings.Contains(strings.Join(c.args, " "), "RENAME_EXCHANGE") {
			return errors.New("not supported")
		}
		from, err = c.at(0, 1)
		to, toErr = c.at(2, 3)
	case "rename", "link":
		op.Kind = Kind(c.name)
		from, err = c.text(0)
		to, toErr = c.text(1)
	case "fsync", "fdatasync":
		op.Kind, from = Sync, c.file(0)
	default:
		if _, ok := t.inside(c.file(0)); ok {
			return errors.New("not supported")
		}
		return nil
	}
	if err := errors.Join(err, toErr); err != nil {
		return err
	}
	var here, there bool
	op.Path, here = t.inside(from)
	if op.To, there = t.inside(to); to != "" && here != there {
		return errors.New("it moves a file into the folder or out of it: not supported")
	}
	if here {
		t.ops = append(t.ops, op)
	}
	return nil
}

// lastName returns the path of a call with a directory and a name, or with a path only.
func (c call) lastName(n int) (string, error) {
	if strings.HasSuffix(c.name, "at") {
		return c.at(0, n)
	}
	return c.text(0)
}

func fdOf(arg string) (int64, error) {
	number, _, _ := strings.Cut(arg, "<")
	var fd int64
	_, err := fmt.Sscan(number, &fd)
	return fd, err
}
