package md5sum_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/md5sum"
	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

// run runs bucketsum sum in the current folder, without buckets. A mistake in the flags has the status 1, as with
// coreutils.
func run(t *testing.T, stdin string, args ...string) coreutils.Result {
	t.Helper()
	var (
		stdout, stderr bytes.Buffer
		o              = md5sum.Options{Concurrency: 3, Memory: blobstore.NewMemory(0)}
		fs             = pflag.NewFlagSet("sum", pflag.ContinueOnError)
	)
	o.Define(fs)
	err := fs.Parse(args)
	o.Chosen = fs.Changed("algorithms")
	if err == nil {
		err = o.Validate(fs.Args())
	}
	if err == nil {
		err = md5sum.Run(t.Context(), md5sum.Streams{In: strings.NewReader(stdin), Out: &stdout, Err: &stderr}, &o, fs.Args())
	}
	r := coreutils.Result{Stdout: stdout.String(), Stderr: stderr.String(), Status: 0}
	if err != nil {
		r.Status = 1
	}
	if err != nil && !errors.Is(err, md5sum.ErrFailed) {
		r.Stderr += "bucketsum sum: " + err.Error() + "\n"
	}
	return r
}

// inFolder makes a new folder with these files the current one.
func inFolder(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
