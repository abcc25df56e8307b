package main

import (
	"cmp"
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/md5sum"
)

func newSum(p process) *cobra.Command {
	var o sumFlags
	c := &cobra.Command{
		Use:   "sum [flags] [PATH-or-URL]...",
		Short: "print or check checksums of files and objects, as md5sum does",
		Long: `
sum prints what md5sum, sha256sum, b2sum and their relatives print. With --check, it
reads such lines and verifies the files that they name. Without an argument, or for -,
it reads standard input. With several algorithms, it reads each file once and prints a
BSD-style line for each algorithm, which names the algorithm. CRCs, XXH3 and its
relatives and SM3 always get such a line: their values are as long as those of other
algorithms.

--recursive reads folders. It leaves out links to folders, pipes, devices and sockets. A
link to a file is read if the file is in the same folder. While standard error is a
terminal, a bar appears after two seconds.

An argument with :// is the URL of an object. A URL that ends in / stands for all
objects under it, in lexical order; their lines have the keys. file:///path/ is a
folder as a bucket. URLs are percent-encoded: a ? in a key is %3F, a # is %23 and
a % is %25.

--check also reads the lists of OpenSSL, uutils, xxhsum, hashdeep, BagIt, SFV,
PowerShell's Get-FileHash and certutil, and sum's own JSON. It takes the algorithm from
the list if that names it. Otherwise it is the one of --algorithms whose values have that
length, or the one that the name of the list says, or the usual one: 32 digits are of
md5, 40 of sha1, 64 of sha256, 128 of sha512. If a file then does not match, sum says
which one it took. With --algorithms, --check does not accept lines of others.

A list can come from a stranger, so a line that names the URL of an object on the
network fails, and nothing is sent, unless you give --check-urls. Even then the line
cannot choose a server, credentials or a profile: the environment does. A file://
URL is a file of this machine, as a path is.

The exit status is 1 if any file could not be read or did not match.`,
		Example: `
  bucketsum sum *.iso > MD5SUMS
  bucketsum sum --check MD5SUMS
  bucketsum sum --algorithms md5,sha256 backup.tar
  bucketsum sum -a blake2b --length 256 backup.tar
  bucketsum sum -a sha256 -C /srv/archive -r . > SHA256SUMS
  bucketsum sum file:///srv/inbox/photos/
  curl -s https://example.org/x | bucketsum sum -a sha256`,
	}
	o.define(c.Flags())
	c.RunE = func(c *cobra.Command, names []string) error {
		o.Chosen = c.Flags().Changed("algorithms")
		return runSum(c.Context(), p, o, names)
	}
	return c
}

// sumFlags are the flags of the command.
type sumFlags struct {
	md5sum.Options
	concurrency flagvalue.Slots
	memory      flagvalue.Memory
	stores      s3Flags
}

func (o *sumFlags) define(fs *pflag.FlagSet) {
	o.Options.Define(fs)
	fs.Var(&o.concurrency, "concurrency", "how many files are read at the same time, at most; a disk that must seek is fastest with 1")
	fs.Var(&o.memory, "memory", "memory for reading ahead in large objects, for example 256MiB; auto: a quarter of the memory, at most 128MiB")
	o.stores.define(fs)
}

func runSum(ctx context.Context, p process, o sumFlags, names []string) error {
	o.Concurrency = cmp.Or(int(o.concurrency), app.DefaultConcurrency)
	stores := o.stores.validate()
	o.Buckets = bucketDrivers(o.stores.Options)
	if err := errors.Join(o.Validate(names), stores); err != nil {
		return usageError{err}
	}
	o.Memory = o.memory.Budget()
	err := md5sum.Run(ctx, md5sum.Streams{In: p.stdin, Out: p.stdout, Err: p.stderr}, &o.Options, names)
	if errors.Is(err, md5sum.ErrFailed) {
		return errReported
	}
	return err
}
