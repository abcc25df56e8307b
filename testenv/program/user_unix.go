//go:build unix

package program

import "syscall"

func asUser(n uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: n, Gid: n}}
}
