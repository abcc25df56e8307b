package folder

import (
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// The functions of this file look at files and open them in as few system calls as
// possible: the kernel resolves the whole path in one call and never leaves the folder,
// where os.Root opens directory after directory.
//
// They handle only regular files whose path has no symbolic link. If they fail, the
// caller tries again through os.Root, which also returns the reason.

// beneath are the rules by which the kernel resolves a path.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// openDirect opens the file of a key in the directory dir.
func openDirect(dir int, key string) (io.ReadCloser, filebucket.Version, bool) {
	var named, opened unix.Stat_t
	// Opening something that is not a regular file may have effects, looking at it has
	// none. The result counts only if both calls found the same file.
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

// look returns the state of a key in the directory dir, also that of a symbolic link. It
// follows no link: the target may be a place where a call hangs or mounts something.
func look(dir int, key string, s *unix.Stat_t) error {
	if strings.Contains(key, "/") {
		return lookBeneath(dir, key, s)
	}
	return unix.Fstatat(dir, key, s, unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT)
}

// lookBeneath is look for a path without symbolic links. It needs two more calls.
func lookBeneath(dir int, key string, s *unix.Stat_t) error {
	fd, err := unix.Openat2(dir, key, &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: beneath})
	if err != nil {
		return err
	}
	err = unix.Fstat(fd, s)
	_ = unix.Close(fd) // nothing was read
	return err
}

func isRegular(s *unix.Stat_t) bool { return s.Mode&unix.S_IFMT == unix.S_IFREG }

func versionOfStat(s *unix.Stat_t) filebucket.Version {
	return filebucket.Version{Modified: s.Mtim.Nano(), Changed: s.Ctim.Nano(), Size: s.Size}
}
