//go:build !unix

package program

import "syscall"

func asUser(uint32) *syscall.SysProcAttr { return nil }
