package main

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/adapters/blobstore/drivertest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// planned says of a flag of a pass whether a pass of that name is resumed with another value.
type planned struct {
	value string // another one than that of the pass; of a bool, empty
	// compared: it changes what a row means. The pass with that name is refused, and without a name another one begins.
	compared bool
	with     []string // flags that the pass has, too
}

// TestResumedPassIsTheSame: a pass is resumed only by a command that would find the same. Every flag is either part of its plan, or
// free to differ; a new flag has to decide for one of them.
func TestResumedPassIsTheSame(t *testing.T) {
	id, server := rand.Text(), awsenv.StartVersitygw(t)
	server.Setenv(t)
	photos := drivertest.MakeS3Bucket(t, server, true)
	photos.Put(t, "a", "a")
	photos.Put(t, "b", "b")
	dir := t.TempDir()
	file := func(name, content string) string {
		put(t, filepath.Join(dir, name), content)
		return filepath.Join(dir, name)
	}
	url := func(name string) string {
		put(t, filepath.Join(dir, name, "keep"), "")
		return "file://" + filepath.ToSlash(filepath.Join(dir, name))
	}
	for _, topic := range []string{"results", "queue"} {
		openTopic(t, "mem://"+topic+id)
	}
	keys := []string{"--inventory", file("keys", "a\nb\n")}
	compared := func(value string) planned { return planned{value: value, compared: true} }
	free := func(value string) planned { return planned{value: value} }
	both := map[string]planned{
		// Which objects, and what is found about each.
		"prefix": compared("a"), "include": compared("a"), "exclude": compared("z"), "newer": compared("2001-01-01"), "larger": compared("1"),
		"inventory": compared(keys[1]), "null": {compared: true, with: keys},
		"algorithms": compared("sha256"), "native-checks": compared("off"),
		"record": compared("{key}.sum.{alg}"), "record-to": compared("tags"), "record-bucket": compared(url("records")),
		// How records are written.
		"record-kms-key": free("k"), "record-storage-class": free("STANDARD_IA"), "record-tag": free("a=b"),
		// How, and by which processes.
		"requester-pays": free(""), "sse-c-key-file": free(file("key", strings.Repeat("k", 32))), "concurrency": free("2"), "memory": free("16MiB"),
		"results": free("mem://results" + id), "drain-timeout": free("1s"), "queue": free("mem://queue" + id), "shards": free("1"),
		"shard": {value: "1", with: []string{"--shards", "2"}},
		// What is shown.
		"format": free("json"), "quiet": free(""), "log-level": free("error"), "log-format": free("json"),
		// They name the pass, and its form.
		"reports-format": compared("parquet"),
		"reports":        {}, "pass": {}, "versions": {},
	}
	verify := map[string]planned{
		"records-only": compared(""), "sample": compared("99%"), "older-than": compared("90d"), "budget": compared("1GiB"), "versions": compared(""),
		"against": compared(file("MD5SUMS", "0cc175b9c0f1b6a831c399e269772661  a\n")),
		"rate":    free("1GiB/s"), "report": free(filepath.Join(dir, "page.html")), "premis": free(filepath.Join(dir, "premis.xml")), "strict": free(""),
	}
	backfill := map[string]planned{
		"on-mismatch": compared("record"), "dry-run": free(""), "price": free("get=1"),
		"checkpoint-above": free("1GiB"), "checkpoint-every": free("1GiB"),
	}
	for _, c := range []struct {
		command *cobra.Command
		own     map[string]planned
	}{{newVerify(process{}), verify}, {newBackfill(process{}), backfill}} {
		c.command.Flags().VisitAll(func(f *pflag.Flag) {
			is, ok := both[f.Name]
			if own, isOwn := c.own[f.Name]; isOwn {
				is, ok = own, true
			}
			t.Run(c.command.Name()+"/"+f.Name, func(t *testing.T) {
				if !ok {
					t.Fatal("it is not decided whether it is part of the plan")
				}
				if is.value == "" && !is.compared && f.NoOptDefVal == "" || f.Hidden {
					return // it cannot differ
				}
				begun := append([]string{c.command.Name(), "--reports", url("reports" + rand.Text()), "--pass", "p", photos.Address()}, is.with...)
				if _, log, status := sweepRun(t, begun...); status != exitOK && status != exitFailed {
					t.Fatalf("it ends with %d: %s", status, log)
				}
				flag := "--" + f.Name
				if is.value != "" {
					flag = fmt.Sprintf("%s=%s", flag, is.value)
				}
				_, log, status := sweepRun(t, append(begun, flag)...)
				what := "--" + f.Name
				switch f.Name {
				case "null":
					what = "--inventory"
				case "record", "record-to", "record-bucket":
					what = "the places of records"
				}
				refused := fmt.Sprintf("pass p exists, and differs in %s: choose another name by --pass\n", what)
				ended := status == exitOK || status == exitFailed
				if got := strings.Contains(log, refused); got != is.compared || !ended && !is.compared || is.compared && strings.Contains(log, "Stopped early") {
					t.Errorf("with %s: %d, %s", flag, status, log)
				}
			})
		})
	}
}
