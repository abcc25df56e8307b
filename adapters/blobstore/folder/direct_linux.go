package folder

import (
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// direct is the shortest way to a file: the kernel itself walks there, in one call and
// never out of the folder, where os.Root opens directory after directory. An os.File would
// ask the system five things more.
//
// It is only for regular files that no symbolic link leads to. What it does not do, os.Root
// does after it, and says what is wrong.

// beneath is how the kernel is to walk.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// openDirect opens the file of a key in the directory dir.
func openDirect(dir int, key string) (io.ReadCloser, filebucket.Version, bool) {
	var named, opened unix.Stat_t
	// To open what is no file has effects, to look at it has none. It counts only if what
	// is opened is the same.
	if look(dir, key, &named) != nil || !isRegular(&named) {
		return nil, filebucket.Version{}, false
	}
	fd, err := unix.Openat2(dir, key, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC,
		Resolve: beneath,
	})
	if err != nil {
		return nil, filebucket.Version{}, false
	}
	if unix.Fstat(fd, &opened) != nil || !isRegular(&opened) || opened.Dev != named.Dev || opened.Ino != named.Ino {
		_ = unix.Close(fd) // nothing was read
		return nil, filebucket.Version{}, false
	}
	return digest.NewFile(fd, key), versionOfStat(&opened), true
}

// statDirect returns the version of the file of a key in the directory dir.
func statDirect(dir int, key string) (filebucket.Version, bool) {
	var s unix.Stat_t
	err := lookBeneath(dir, key, &s)
	return versionOfStat(&s), err == nil && isRegular(&s)
}

// look tells what a key in the directory dir names, be it a symbolic link. It goes
// nowhere else: a link on the way may lead to where a look hangs or mounts something.
func look(dir int, key string, s *unix.Stat_t) error {
	if strings.Contains(key, "/") {
		return lookBeneath(dir, key, s)
	}
	return unix.Fstatat(dir, key, s, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
}

// lookBeneath is look for what no symbolic link leads to, at the cost of two more calls.
func lookBeneath(dir int, key string, s *unix.Stat_t) error {
	fd, err := unix.Openat2(dir, key, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: beneath})
	if err != nil {
		return err
	}
	err = unix.Fstat(fd, s)
	_ = unix.Close(fd) // only was looked at
	return err
}

func isRegular(s *unix.Stat_t) bool { return s.Mode&unix.S_IFMT == unix.S_IFREG }

func versionOfStat(s *unix.Stat_t) filebucket.Version {
	return filebucket.Version{Modified: s.Mtim.Nano(), Changed: s.Ctim.Nano(), Size: s.Size}
}
