package folders

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func (u *users) rename(o Op, of kind) (bool, error) {
	to := u.tree[o.To].kind
	inside := o.To == o.Path || strings.HasPrefix(o.To, o.Path+"/")
	if u.tree[o.Path].kind != of || inside || to != absent && (of == folder || to != file) || !u.tree.parent(o.To) {
		return false, nil
	}
	for name, e := range u.tree.remove(o.Path, o.To) {
		u.tree[name] = e
	}
	return true, u.real(func() error {
		if to == absent {
			if err := u.vacate(o.To); err != nil {
				return err
			}
		}
		return os.Rename(u.path(o.Path), u.path(o.To))
	})
}

func (u *users) copy(o Op, times bool) (bool, error) {
	inside := o.To == o.Path || strings.HasPrefix(o.To, o.Path+"/")
	if u.tree[o.Path].kind != folder || u.tree[o.To].kind != absent || inside || !u.tree.parent(o.To) {
		return false, nil
	}
	for name, e := range u.tree.copied(o.Path, o.To) {
		u.tree[name] = e
	}
	u.recopied = u.recopied || !times
	return true, u.real(func() error {
		if err := u.vacate(o.To); err != nil {
			return err
		}
		return copyFolder(u.path(o.Path), u.path(o.To), times)
	})
}

// copyFolder copies a folder as cp does. Files that the worker removes meanwhile are left out.
func copyFolder(from, to string, times bool) error {
	return filepath.WalkDir(from, func(name string, e fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		} else if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(name, from)
		switch {
		case e.IsDir():
			return os.Mkdir(target, 0o700)
		case e.Type() == fs.ModeNamedPipe:
			return syscall.Mkfifo(target, 0o600)
		case e.Type() == fs.ModeSymlink:
			leads, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return os.Symlink(leads, target)
		}
		data, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			return nil
		} else if err != nil {
			return err
		}
		info, err := e.Info()
		if os.IsNotExist(err) {
			return nil
		} else if err != nil {
			return err
		}
		if err := os.WriteFile(target, data, 0o600); err != nil || !times {
			return err
		}
		return os.Chtimes(target, time.Time{}, info.ModTime())
	})
}

// moveAway moves a folder out of the bucket, moveBack to where it was.
func moveAway(u *users, o Op) (bool, error) {
	if u.tree[o.Path].kind != folder || u.away[o.Path] != nil {
		return false, nil
	}
	u.away[o.Path] = u.tree.remove(o.Path, o.Path)
	return true, u.real(func() error { return os.Rename(u.path(o.Path), u.awayPath(o.Path)) })
}

func moveBack(u *users, o Op) (bool, error) {
	if u.away[o.Path] == nil || u.tree[o.Path].kind != absent || !u.tree.parent(o.Path) {
		return false, nil
	}
	for name, e := range u.away[o.Path] {
		u.tree[name] = e
	}
	delete(u.away, o.Path)
	return true, u.real(func() error {
		if err := u.vacate(o.Path); err != nil {
			return err
		}
		return os.Rename(u.awayPath(o.Path), u.path(o.Path))
	})
}

func (u *users) awayPath(name string) string {
	return filepath.Join(u.outside, "away-"+strings.ReplaceAll(name, "/", "-"))
}
