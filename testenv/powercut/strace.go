package powercut

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// calls are the system calls that may change a folder or sync it, and those that are needed to
// understand the others.
const calls = "execve,open,openat,openat2,creat,lseek,write,pwrite64,writev,pwritev,pwritev2,truncate,ftruncate,fallocate," +
	"rename,renameat,renameat2,link,linkat,unlink,unlinkat,mkdir,mkdirat,rmdir,symlink,symlinkat," +
	"fsync,fdatasync,sync,syncfs,sync_file_range,copy_file_range,sendfile,splice"

// call is a system call that has succeeded. begin and end are lines of strace's output.
type call struct {
	name       string
	args       []string
	result     int64
	path       string // of the descriptor that was returned
	begin, end int
}

var callLine = regexp.MustCompile(`^(\w+)\((.*)\)\s+= (-?\d+|\?)(?:<([^>]*)>)?`)

// parseCalls reads the output of strace -f -y -xx.
func parseCalls(output []byte) ([]call, error) {
	type unfinished struct {
		text  string
		begin int
	}
	var found []call
	open := make(map[string]unfinished) // by thread
	for n, line := range strings.Split(string(bytes.TrimSpace(output)), "\n") {
		thread, text, _ := strings.Cut(line, " ")
		text = strings.TrimSpace(text)
		begin := n
		switch {
		case strings.HasPrefix(text, "+++"), strings.HasPrefix(text, "---"):
			continue
		case strings.HasSuffix(text, "<unfinished ...>"):
			open[thread] = unfinished{strings.TrimSuffix(text, "<unfinished ...>"), n}
			continue
		case strings.HasPrefix(text, "<... "):
			_, rest, _ := strings.Cut(text, " resumed>")
			text, begin = open[thread].text+rest, open[thread].begin
			delete(open, thread)
		}
		m := callLine.FindStringSubmatch(text)
		if m == nil {
			return nil, fmt.Errorf("line %d of strace: %q is no call", n+1, text)
		}
		result, err := strconv.ParseInt(m[3], 10, 64)
		if err != nil || result < 0 {
			continue // it failed, or the process ended in it
		}
		c := call{name: m[1], args: split(m[2]), result: result, path: unhex(m[4]), begin: begin, end: n}
		found = append(found, c)
	}
	return found, nil
}

// split returns the arguments of a call. Strings and paths are in hexadecimal, so that they
// contain no commas and braces.
func split(args string) []string {
	var found []string
	depth, from := 0, 0
	for i, c := range args {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				found = append(found, strings.TrimSpace(args[from:i]))
				from = i + 1
			}
		}
	}
	return append(found, strings.TrimSpace(args[from:]))
}

func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, `\x`, ""))
	if err != nil {
		return s // such as a number, or NULL
	}
	return string(b)
}

// text returns an argument that is a string, or the strings in it.
func (c call) text(n int) (string, error) {
	if strings.Contains(c.args[n], `"...`) {
		return "", errors.New("strace has cut a string")
	}
	var s strings.Builder
	for i, part := range strings.Split(c.args[n], `"`) {
		if i%2 == 1 {
			s.WriteString(unhex(part))
		}
	}
	return s.String(), nil
}

// number returns an argument that is a number.
func (c call) number(n int) (int64, error) { return strconv.ParseInt(c.args[n], 10, 64) }

// file returns the path of an argument that is a descriptor; empty if the file is deleted.
func (c call) file(n int) string {
	_, p, _ := strings.Cut(c.args[n], "<")
	p, deleted, _ := strings.Cut(p, ">")
	if deleted != "" {
		return ""
	}
	return unhex(p)
}

// at returns the path of two arguments, a directory and a name.
func (c call) at(dir, name int) (string, error) {
	s, err := c.text(name)
	if err != nil || path.IsAbs(s) {
		return s, err
	}
	return path.Join(c.file(dir), s), nil
}
