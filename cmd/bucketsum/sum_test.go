package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

const (
	sumMD5OfX    = "9dd4e461268c8034f5c8564e155c67a6"
	sumSHA1OfX   = "11f6ad8ec52a2984abaafd7c3b516503785c2072"
	sumSHA256OfX = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
)

// sumRun runs bucketsum sum in the current folder.
func sumRun(t *testing.T, stdin string, args ...string) coreutils.Result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := process{stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }}
	status := dispatch(t.Context(), p, append([]string{"sum"}, args...))
	return coreutils.Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: status}
}

// sumOddNames are file names that are difficult for tools.
var sumOddNames = []string{
	"plain", "two words", " space first", "space last ", "*asterisk", "-rf", "--", "--check", "it's", `"quoted"`,
	"new\nline", "\nnewline first", "carriage\rreturn", "carriage return last\r", `back\slash`, `back\nslash`, `\`,
	"tab\t", "größe-文件-🎉", "e\u0301", "\xff\xfe", "\x1b[31m", "MD5 (a) = b", "a) = (b", "#comment", "a=b:c,d;e", "https:", "$HOME", "%41",
	strings.Repeat("n", 250), strings.Repeat("\n", 100), strings.Repeat("ä", 125),
}

// sumOddFolder fills a new folder with odd names, makes it the current one and returns
// the names that the file system accepts. Some files are empty.
func sumOddFolder(t *testing.T) []string {
	t.Helper()
	t.Chdir(t.TempDir())
	var names []string
	for i, name := range sumOddNames {
		if err := os.WriteFile(name, []byte(strings.Repeat(name, i%7*1000)), 0o600); err != nil {
			t.Logf("%q is left out: %v", name, err)
			continue
		}
		names = append(names, name)
	}
	return names
}

func sumWrite(t *testing.T, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSumPrintsAsCoreutils(t *testing.T) {
	names := sumOddFolder(t)
	sumWrite(t, map[string]string{"folder/file": "x"})
	arguments := append([]string{"nosuch", "folder", "plain/below", "", "./folder/../folder//file", "-"}, names...)
	for _, algorithm := range []string{"md5", "sha1", "sha256", "sha512"} {
		for _, flags := range [][]string{nil, {"--tag"}, {"--zero"}, {"-z", "--tag"}, {"--binary"}, {"-t"}, {"-bz"}} {
			args := slices.Concat(flags, []string{"--"}, arguments)
			want := coreutils.Run(t, "from stdin", algorithm+"sum", args...)
			got := sumRun(t, "from stdin", append([]string{"--algorithms=" + algorithm}, args...)...)
			if diff := cmp.Diff(want.Stdout, got.Stdout); diff != "" {
				t.Errorf("%s %q:\n%s", algorithm, flags, diff)
			}
			if got.Status != want.Status || strings.Count(got.Stderr, "\n") != strings.Count(want.Stderr, "\n") {
				t.Errorf("%s %q: status %d, want %d; stderr %s\nwant like %s", algorithm, flags, got.Status, want.Status, got.Stderr, want.Stderr)
			}
		}
	}
}

func TestSumOutputPassesCoreutilsCheck(t *testing.T) {
	names := sumOddFolder(t)
	for _, algorithm := range []string{"md5", "sha1", "sha256", "sha512"} {
		for _, flags := range [][]string{nil, {"--tag"}, {"-b"}} {
			ours := sumRun(t, "", slices.Concat(flags, []string{"-a", algorithm, "--"}, names)...)
			if ours.Status != exitOK || ours.Stderr != "" {
				t.Fatalf("%s %q: %+v", algorithm, flags, ours)
			}
			checked := coreutils.Run(t, ours.Stdout, algorithm+"sum", "--check", "--strict", "--warn")
			if n := strings.Count(checked.Stdout, ": OK\n"); checked.Status != 0 || checked.Stderr != "" || n != len(names) {
				t.Errorf("%s %q: %d of %d are OK: %+v", algorithm, flags, n, len(names), checked)
			}
		}
	}
}

func TestCoreutilsOutputPassesSumCheck(t *testing.T) {
	names := sumOddFolder(t)
	for _, algorithm := range []string{"md5", "sha1", "sha256", "sha512"} {
		for _, flags := range [][]string{nil, {"--tag"}, {"-b"}} {
			list := coreutils.Run(t, "", algorithm+"sum", slices.Concat(flags, []string{"--"}, names)...)
			want := coreutils.Run(t, list.Stdout, algorithm+"sum", "--check", "-")
			if diff := cmp.Diff(want, sumRun(t, list.Stdout, "--check", "-")); diff != "" {
				t.Errorf("%s %q:\n%s", algorithm, flags, diff)
			}
			// A change is found whatever the name of the file is.
			if err := os.WriteFile(names[len(names)-1], []byte("changed by "+algorithm+strings.Join(flags, "")), 0o600); err != nil {
				t.Fatal(err)
			}
			got := sumRun(t, list.Stdout, "--check", "--quiet")
			if want := names[len(names)-1] + ": FAILED\n"; got.Stdout != want || got.Status != exitFailed {
				t.Errorf("%s %q after a change: %+v", algorithm, flags, got)
			}
		}
	}
}

func TestSumMessages(t *testing.T) {
	t.Chdir(t.TempDir())
	sumWrite(t, map[string]string{"a": "x", "folder/b": "x"})
	got := sumRun(t, "", "nosuch", "a", "folder", "a/b", "no\nsuch", "--", "-x", "")
	want := coreutils.Result{
		Stdout: sumMD5OfX + "  a\n",
		Stderr: "bucketsum sum: nosuch: No such file or directory\n" +
			"bucketsum sum: folder: Is a directory\n" +
			"bucketsum sum: a/b: Not a directory\n" +
			"bucketsum sum: \"no\\nsuch\": No such file or directory\n" +
			"bucketsum sum: -x: No such file or directory\n" +
			"bucketsum sum: '': No such file or directory\n",
		Status: exitFailed,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if os.Geteuid() == 0 {
		return // root reads everything
	}
	if err := os.Chmod("a", 0); err != nil {
		t.Fatal(err)
	}
	if got := sumRun(t, "", "a"); got.Stderr != "bucketsum sum: a: Permission denied\n" || got.Status != exitFailed {
		t.Errorf("unreadable: %+v", got)
	}
}

func TestSumStandardInput(t *testing.T) {
	for _, args := range [][]string{nil, {"-"}, {"--"}, {"--algorithms", "md5"}} {
		got := sumRun(t, "x", args...)
		if diff := cmp.Diff(coreutils.Result{Stdout: sumMD5OfX + "  -\n"}, got); diff != "" {
			t.Errorf("%q:\n%s", args, diff)
		}
	}
	// Standard input can be read only once, so all algorithms share one pass.
	got := sumRun(t, "x", "-", "-a", "sha256, md5", "-a", "sha1,md5")
	want := "SHA256 (-) = " + sumSHA256OfX + "\nMD5 (-) = " + sumMD5OfX + "\nSHA1 (-) = " + sumSHA1OfX + "\n"
	if got.Stdout != want || got.Status != exitOK {
		t.Errorf("several algorithms: %+v", got)
	}
	got = sumRun(t, "x", "-", "-a", "sha256,md5", "-z")
	if want := "SHA256 (-) = " + sumSHA256OfX + "\x00MD5 (-) = " + sumMD5OfX + "\x00"; got.Stdout != want {
		t.Errorf("several algorithms, NUL: %+v", got)
	}
}

func TestSumEveryAlgorithmChecksItself(t *testing.T) {
	names := sumOddFolder(t)
	for _, algorithm := range append(digest.Names(), strings.Join(digest.Names(), ",")) {
		list := sumRun(t, "", slices.Concat([]string{"-a", algorithm, "--"}, names)...)
		want := len(names) * len(strings.Split(algorithm, ","))
		got := sumRun(t, list.Stdout, "-c", "--strict", "-a", algorithm)
		if n := strings.Count(got.Stdout, ": OK\n"); got.Status != exitOK || got.Stderr != "" || n != want {
			t.Errorf("%s: %d of %d are OK: %+v", algorithm, n, want, got)
		}
	}
}

func TestSumUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, test := range []struct {
		args []string
		say  string
	}{
		{[]string{"--algorithms", "md4", "x"}, `unknown algorithm "md4"; did you mean md5? Valid are md5, sha1, `},
		{[]string{"--algorithms", "", "x"}, "no algorithm is named"},
		{[]string{"--nosuch"}, "--nosuch"},
		{[]string{"--quiet", "x"}, "--quiet has a meaning only with --check"},
		{[]string{"x", "--strict", "-w"}, "--strict has a meaning only with --check\nbucketsum sum: --warn has"},
		{[]string{"--check", "--tag"}, "--tag has no meaning with --check"},
		{[]string{"-cz"}, "--zero has no meaning with --check"},
		{[]string{"--tag", "--text"}, "exclude each other"},
		{[]string{"gopher://bucket/key"}, `unknown scheme "gopher"; valid are`},
		{[]string{"gopher://bucket/key"}, "file, mem"},
		{[]string{"mem://bucket"}, "names a bucket and no object; all of its objects are mem://bucket/"},
		{[]string{"file:///a%zz"}, "special characters"},
		{[]string{"file:///a?b"}, "write ? in a key as %3F"},
		{[]string{"mem://b/a#b"}, "write # in a key as %23"},
		{[]string{"file://a/b"}, "as in file:///srv/inbox/key"},
	} {
		got := sumRun(t, "", test.args...)
		if got.Status != exitUsage || !strings.Contains(got.Stderr, test.say) || !strings.HasSuffix(got.Stderr, "\nHelp: bucketsum sum --help\n") || got.Stdout != "" {
			t.Errorf("%q does not say %q: %+v", test.args, test.say, got)
		}
	}
	if got := sumRun(t, "", "--help"); got.Status != exitOK || !strings.Contains(got.Stdout, "--ignore-missing") {
		t.Errorf("--help: %+v", got)
	}
}

func TestSumWriteError(t *testing.T) {
	t.Chdir(t.TempDir())
	sumWrite(t, map[string]string{"a": "x", "list": sumMD5OfX + "  a\n"})
	for _, args := range [][]string{{"sum", "a", "a"}, {"sum", "-c", "list", "list"}} {
		var stderr bytes.Buffer
		p := process{stdin: iotest.ErrReader(io.EOF), stdout: sumFullDisk{}, stderr: &stderr, getenv: func(string) string { return "" }}
		status := dispatch(t.Context(), p, args)
		if want := "bucketsum sum: write error: no space left\n"; status != exitFailed || stderr.String() != want {
			t.Errorf("%q: status %d, stderr %q", args, status, stderr.String())
		}
	}
}

type sumFullDisk struct{}

func (sumFullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestSumIsInterrupted(t *testing.T) {
	for _, args := range [][]string{{"sum"}, {"sum", "--check"}} {
		synctest.Test(t, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			terminal, user := io.Pipe() // without input
			p := process{stdin: terminal, stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }}
			ctx, interrupt := context.WithCancelCause(t.Context())
			ended := make(chan int)
			go func() { ended <- dispatch(ctx, p, args) }()
			synctest.Wait()
			select {
			case status := <-ended:
				t.Fatalf("%q ended with %d before the interrupt", args, status)
			default:
			}
			interrupt(errors.New("interrupt signal received"))
			if status := <-ended; status != exitFailed || stderr.String() != "bucketsum sum: interrupted\n" {
				t.Errorf("%q: status %d, stderr %q", args, status, stderr.String())
			}
			user.Close()
			synctest.Wait()
			if stdout.Len() > 0 {
				t.Errorf("%q printed after the interrupt: %q", args, stdout.String())
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	p := process{stdin: strings.NewReader("x"), stdout: &stdout, stderr: &stderr, getenv: func(string) string { return "" }}
	if status := dispatch(ctx, p, []string{"sum", "-", "-"}); status != exitFailed || stdout.Len() > 0 {
		t.Errorf("interrupted before the start: status %d, stdout %q", status, stdout.String())
	}
}
