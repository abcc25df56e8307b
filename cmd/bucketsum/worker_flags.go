package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// workerFlags are the flags that local and serve share.
type workerFlags struct {
	app.Config  // flags set these fields directly
	record      string
	layout      blobstore.Layout // of record, set by validate
	concurrency flagvalue.Slots
	memory      flagvalue.Memory
	listen      string
	checkpoints checkpointFlags
	log         logFlags
}

func (c *workerFlags) define(fs *pflag.FlagSet, listen string, level slog.Level, drain time.Duration) {
	fs.StringSliceVar(&c.Algorithms, "algorithms", []string{"md5"}, "checksums to compute in one pass: "+strings.Join(digest.Names(), ", "))
	fs.StringVar(&c.record, "record", blobstore.DefaultLayout, "key of the record of an object, made of {key} or of {dir}/ and {base}, and of {alg}")
	fs.Var(&c.concurrency, "concurrency", "how many objects are in work at the same time, at most")
	fs.Var(&c.memory, "memory", "memory for reading ahead in large objects, for example 256MiB; auto: a quarter of the memory, at most 128MiB")
	fs.StringVar(&c.listen, "listen", listen, "address of the HTTP side: the page, the API below /v1, POST /md5, GET /status, /records, /metrics, /livez, /readyz; 'off' for none")
	fs.StringVar(&c.TLSCert, "tls-cert", "", "file with the certificate of the HTTP side, and the chain after it, in PEM; it is read again when it changes; empty: no TLS")
	fs.StringVar(&c.TLSKey, "tls-key", "", "file with the key of --tls-cert, in PEM")
	fs.StringVar(&c.TokenFile, "token-file", "", "file with the token that clients need to change something by HTTP; without it, they can do so only where --listen is a loopback address")
	fs.StringVar(&c.Profiles, "pprof", "", "loopback address that serves Go's profiles, for example 127.0.0.1:6060; empty: no profiles")
	fs.StringArrayVar(&c.Include, "include", nil, "sum only objects whose key matches this glob, for example 'photos/**/*.raw'; without a slash it is the name of an object or folder at any depth, for example '*.raw'; may be repeated")
	fs.StringArrayVar(&c.Exclude, "exclude", nil, "do not sum objects whose key matches this glob, with or without a slash as in --include; may be repeated")
	fs.Var(flagvalue.Either(&c.KeepRecords, "remove", "keep"), "on-delete", "what happens to the record of a deleted object: remove or keep")
	fs.StringVar(&c.Results, "results", "", "URL of the topic that receives the results as CloudEvents")
	fs.Var(flagvalue.Either(&c.IgnoreClaims, "on", "off"), "native-checks", "compare objects with the claims of their store (ETag, stored checksums): on or off")
	fs.Var(flagvalue.Either(&c.RecordMismatches, "dead-letter", "record"), "on-mismatch", "what happens to an object that contradicts a claim of its store: dead-letter (it gets no record) or record")
	fs.DurationVar(&c.DrainTimeout, "drain-timeout", drain, "how long work in flight may take to finish after a SIGTERM or Ctrl-C")
	c.checkpoints.define(fs)
	fs.Var((*flagvalue.Upload)(&c.MaxUpload), "max-upload", "size of the largest upload to POST /md5, for example 10GiB; 0: 5 TiB, -1: no limit")
	c.log.define(fs, level)
}

// validate completes the Config and returns all mistakes.
func (c *workerFlags) validate() error {
	var faults []error
	var err error
	if c.layout, err = blobstore.ParseLayout(c.record); err != nil {
		faults = append(faults, fmt.Errorf("--record: %w", err))
	}
	if c.Results != "" {
		faults = append(faults, checkQueue("--results", c.Results))
	}
	if c.DrainTimeout == 0 {
		faults = append(faults, errors.New("--drain-timeout: 0s is not more than 0"))
	}
	for _, file := range []struct{ flag, path string }{{"--tls-cert", c.TLSCert}, {"--tls-key", c.TLSKey}, {"--token-file", c.TokenFile}} {
		if _, err := os.Stat(file.path); file.path != "" && errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, fmt.Errorf("%s: there is no file %s", file.flag, redact.URL(file.path)))
		}
	}
	c.Concurrency, c.Resume, c.Version = int(c.concurrency), c.checkpoints.resume(), version()
	if c.listen != "off" {
		c.Listen = c.listen
		faults = append(faults, checkAddress("--listen", c.listen))
	}
	return errors.Join(append(faults, c.Config.Validate())...)
}

// checkAddress reports why nothing can listen at an address.
func checkAddress(flag, address string) error {
	host, port, err := net.SplitHostPort(address)
	_, number := strconv.ParseUint(port, 10, 16)
	if err == nil && number == nil {
		return nil
	}
	meant, shown := "", redact.URL(address)
	if u, err := redact.Parse(address); err == nil && u.Host != "" && u.Port() != "" && u.User == nil && !redact.Misplaced(u) {
		return fmt.Errorf("%s: %q is a URL; did you mean %s?", flag, shown, u.Host)
	}
	if !strings.ContainsAny(address, "/@") {
		shown = address
	}
	switch _, noNumber := strconv.ParseUint(address, 10, 16); {
	case noNumber == nil:
		meant = "; did you mean 127.0.0.1:" + address + "?"
	case err != nil && !strings.ContainsAny(address, ":/"):
		meant = "; did you mean " + address + ":5000?"
	case err == nil && host != "" && !strings.ContainsAny(address, "/@"):
		meant = fmt.Sprintf("; %q is no port from 0 to 65535", port)
	}
	return fmt.Errorf("%s: %q is not an address, such as 127.0.0.1:5000 or :5000 for all of this machine%s", flag, shown, meant)
}
