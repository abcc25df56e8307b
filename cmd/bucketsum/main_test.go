package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub/cloudpubsubtest"
	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/memory"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// asBucketsum is the environment variable that makes the test binary run the program.
const asBucketsum = "BUCKETSUM_TEST_BINARY_IS_THE_PROGRAM"

func TestMain(m *testing.M) {
	jetstreamtest.Main()
	kafkatest.Main()
	if os.Getenv(printsMemoryLimit) != "" {
		printMemoryLimit()
		os.Exit(0)
	}
	if os.Getenv(asBucketsum) != "" {
		os.Unsetenv(asBucketsum) // it stands for no flag
		os.Exit(run())
	}
	// Tests that run in parallel wait for servers most of the time. They cannot set variables themselves.
	os.Setenv("AWS_ACCESS_KEY_ID", awsenv.AccessKey)
	os.Setenv("AWS_SECRET_ACCESS_KEY", awsenv.SecretKey)
	flag.Parse()
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m, cloudpubsubtest.GocloudLeak)
}

// printsMemoryLimit makes the test binary print the memory limit that the program sets
// itself.
const printsMemoryLimit = "BUCKETSUM_TEST_BINARY_PRINTS_ITS_MEMORY_LIMIT"

func printMemoryLimit() {
	memory.Limit()
	fmt.Println(debug.SetMemoryLimit(-1))
}

// start runs bucketsum as a process, which is killed when the test ends.
func start(t *testing.T, args ...string) *program.Process {
	t.Helper()
	return startWith(t, program.Options{}, args...)
}

// startWith is start with options.
func startWith(t *testing.T, o program.Options, args ...string) *program.Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	o.Environ = append([]string{asBucketsum + "=1"}, o.Environ...)
	return o.Start(t, exe, args...)
}

// call runs a command in this process.
func call(t *testing.T, env map[string]string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	p := process{
		stdin: strings.NewReader(""), stdout: &out, stderr: &errs,
		getenv: func(name string) string { return env[name] },
	}
	status = dispatch(context.Background(), p, args)
	return status, out.String(), errs.String()
}

// TestUsage expects one clear line, where help is, and exit status 2 for every mistake.
func TestUsage(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		env  map[string]string
		args []string
		want []string // in the line
	}{
		"command":            {args: []string{"sreve"}, want: []string{`unknown command "sreve"`, "did you mean serve?"}},
		"misspelt command":   {args: []string{"serv"}, want: []string{`unknown command "serv"`, "did you mean serve?"}},
		"help of no command": {args: []string{"help", "sreve"}, want: []string{`unknown command "sreve"`}},
		"flag first":         {args: []string{"--queue", "x"}, want: []string{"the command comes first"}},
		"shell":              {args: []string{"completion", "csh"}, want: []string{`unknown shell "csh"`, "bash, fish, powershell, zsh"}},
		"no shell":           {args: []string{"completion"}, want: []string{"no shell is named"}},
		"flag":               {args: []string{"serve", "--queu", "x"}, want: []string{"unknown flag --queu; did you mean --queue?"}},
		"nothing given":      {args: []string{"serve"}, want: []string{"--queue is missing", "--bucket is missing"}},
		"algorithm":          {args: []string{"local", "--algorithms", "md5,md6", dir}, want: []string{`unknown algorithm "md6"`, "sha256"}},
		"algorithm from env": {env: map[string]string{"BUCKETSUM_ALGORITHMS": "md6"}, args: []string{"local", dir}, want: []string{`unknown algorithm "md6"`}},
		"number from env":    {env: map[string]string{"BUCKETSUM_CONCURRENCY": "many"}, args: []string{"local", dir}, want: []string{"BUCKETSUM_CONCURRENCY", "many"}},
		"layout":             {args: []string{"local", "--record", "{key}", dir}, want: []string{"--record", "{alg}"}},
		"concurrency":        {args: []string{"local", "--concurrency", "0", dir}, want: []string{"--concurrency"}},
		"on-delete":          {args: []string{"local", "--on-delete", "forget", dir}, want: []string{"remove, keep"}},
		"glob":               {args: []string{"local", "--include", "[", dir}, want: []string{"--include"}},
		"log level":          {args: []string{"local", "--log-level", "loud", dir}, want: []string{"debug, info, warn, error"}},
		"log format":         {args: []string{"local", "--log-format", "xml", dir}, want: []string{"text, json"}},
		"drain timeout":      {args: []string{"local", "--drain-timeout", "-1s", dir}, want: []string{"--drain-timeout"}},
		"two folders":        {args: []string{"local", dir, dir}, want: []string{"one folder"}},
		"bucket no URL":      {args: []string{"serve", "--queue", "mem://q", "--bucket", "photos"}, want: []string{`"photos" is neither a URL nor an existing folder; did you mean s3://photos?`}},
		"same name twice":    {args: []string{"serve", "--queue", "mem://q", "--bucket", "a=mem://", "--bucket", "a=file:///x"}, want: []string{`named "a"`}},
		"bucket scheme":      {args: []string{"serve", "--queue", "mem://q", "--bucket", "s4://b"}, want: []string{`unknown scheme "s4"; did you mean s3://?`}},
		"queue scheme":       {args: []string{"serve", "--queue", "sqss://q", "--bucket", "b=mem://"}, want: []string{"--queue", `unknown scheme "sqss"; did you mean sqs://?`}},
		"dead letter scheme": {args: []string{"serve", "--queue", "mem://q", "--dead-letter", "sqss://q", "--bucket", "b=mem://"}, want: []string{"--dead-letter", `unknown scheme "sqss"`}},
		"dead letters back":  {args: []string{"serve", "--queue", "mem://q?ackdeadline=1m", "--dead-letter", "mem://q", "--bucket", "b=mem://"}, want: []string{"--dead-letter is the same as --queue"}},
		"results back":       {args: []string{"serve", "--queue", "mem://q?ackdeadline=1m", "--results", "mem://q", "--bucket", "b=mem://"}, want: []string{"--results is the same as --queue"}},
		"results with dead":  {args: []string{"serve", "--queue", "mem://q", "--dead-letter", "mem://d", "--results", "mem://d", "--bucket", "b=mem://"}, want: []string{"--results is the same as --dead-letter"}},
		"version argument":   {args: []string{"version", "x"}, want: []string{`unexpected argument "x"`}},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := call(t, tc.env, tc.args...)
			if status != exitUsage {
				t.Errorf("status is %d", status)
			}
			if stdout != "" || !strings.HasSuffix(stderr, " --help\n") {
				t.Errorf("stdout %q, stderr %q; want mistakes and help on stderr", stdout, stderr)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr %q lacks %q", stderr, want)
				}
			}
		})
	}
}

// TestNotThere expects one clear line and exit status 1 for a bucket or an address that
// cannot be opened.
func TestNotThere(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tc := range map[string]struct {
		args []string
		want []string
	}{
		"bucket folder": {[]string{"serve", "--check", "--listen=off", "--queue", "mem://q", "--bucket", "file:///no/such/folder"}, []string{"/no/such/folder", "no such file"}},
		"listen":        {[]string{"serve", "--listen=" + taken.Addr().String(), "--queue", "mem://q", "--bucket", "b=mem://"}, []string{"--listen: another program listens at 127.0.0.1:", "'off'"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, _, stderr := call(t, nil, append(tc.args, "--log-level=error")...)
			if status != exitFailed || strings.Count(stderr, "\n") != 1 {
				t.Errorf("status is %d, stderr %q; want %d and one line", status, stderr, exitFailed)
			}
			for _, want := range tc.want {
				if !strings.Contains(stderr, want) {
					t.Errorf("stderr %q lacks %q", stderr, want)
				}
			}
		})
	}
}

// TestHelp expects help, with examples, from every command.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"help", "local"}, {"local", "--help"}, {"serve", "-h"}, {"sum", "--help"}, {"version", "--help"}, {"completion", "--help"}, {"help", "completion"}} {
		status, stdout, stderr := call(t, nil, args...)
		if status != exitOK || stderr != "" || !strings.Contains(stdout, "bucketsum") {
			t.Errorf("bucketsum %v: status %d, stderr %q, stdout %q", args, status, stderr, stdout)
		}
		if c := args[len(args)-1]; len(args) > 1 && c != "version" && c != "completion" && args[0] != "version" && args[0] != "completion" && !strings.Contains(stdout, "Examples:") {
			t.Errorf("bucketsum %v has no examples", args)
		}
	}
}

// TestCompletion prints the script of every shell, and requests completions as these
// scripts do.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		status, stdout, stderr := call(t, nil, "completion", shell)
		if status != exitOK || stderr != "" || !strings.Contains(stdout, "bucketsum") {
			t.Errorf("%s: status %d, stderr %q, stdout %.100q", shell, status, stderr, stdout)
		}
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"s"}, "serve\treceive events from a queue, and write the checksum of each object beside it\nsum\t"},
		{[]string{"help", "l"}, "local\n"},
		{[]string{"serve", "--drain"}, "--drain-timeout\t"},
		{[]string{"serve", "--on-delete", ""}, "remove\nkeep\n"},
		{[]string{"local", "--log-level", ""}, "debug\ninfo\nwarn\nerror\n"},
		{[]string{"local", ""}, ":16\n"}, // folders
		{[]string{"serve", "--algorithms", "md5,sha2"}, "md5,sha256\n:6\n"},
		{[]string{"serve", "--queue", "aws"}, "awssqs://\n:2\n"},
		{[]string{"serve", "--bucket", "s"}, "s3://\n:2\n"},
		{[]string{"verify", "g"}, "gs://\n:2\n"},
		{[]string{"verify", "./in"}, ":2\n"}, // files
		{[]string{"redrive", "--match", ""}, "reason=\nbucket=\nkey=\nobject=\n:2\n"},
		{[]string{"manifest", "--format", ""}, "md5sum\nsha1sum\n"},
		{[]string{"serve", "--drain-timeout", ""}, ":4\n"},
		{[]string{"verify", "--report", ""}, ":0\n"},
		{[]string{"sum", ""}, ":0\n"}, // files
	} {
		status, stdout, _ := call(t, nil, append([]string{"__complete"}, tc.args...)...)
		if status != exitOK || !strings.Contains(stdout, tc.want) {
			t.Errorf("%q: status %d, %q lacks %q", tc.args, status, stdout, tc.want)
		}
	}
}

// TestVersion expects the versions of bucketsum and Go, which bug reports need.
func TestVersion(t *testing.T) {
	for _, args := range []string{"--version", "-v", "version", "serve --version", "sum -v", "help --version", "completion bash -v"} {
		status, stdout, stderr := call(t, map[string]string{"BUCKETSUM_VERSION": "1"}, strings.Fields(args)...)
		if status != exitOK || !strings.HasPrefix(stdout, "bucketsum ") || !strings.Contains(stdout, " go1.") || stderr != "" {
			t.Errorf("%s: status %d, %q, %q", args, status, stdout, stderr)
		}
		var errs bytes.Buffer
		p := process{stdout: sumFullDisk{}, stderr: &errs, getenv: func(string) string { return "" }}
		if status := dispatch(t.Context(), p, strings.Fields(args)); status != exitFailed || !strings.HasSuffix(errs.String(), ": no space left\n") {
			t.Errorf("%s on a full disk: status %d, %q", args, status, errs.String())
		}
	}
}

// TestVariables: each flag has a variable that Kubernetes never sets for a Service. Another variable gets a warning, which
// is a line of the log where that is JSON.
func TestVariables(t *testing.T) {
	root := newRoot(process{})
	for _, f := range flagNames(root) {
		if got := flagvalue.UnknownVariables([]string{flagvalue.Variable(f) + "=x"}, nil); len(got) != 1 {
			t.Errorf("--%s has the variable %s, which Kubernetes may set", f, flagvalue.Variable(f))
		}
	}
	for args, want := range map[string]string{
		"sum":                         "bucketsum sum: warning: BUCKETSUM_QUEU in the environment stands for no flag; did you mean BUCKETSUM_QUEUE?\n",
		"redrive":                     "bucketsum redrive: warning: BUCKETSUM_QUEU in",
		"redrive --log-format json":   `"level":"WARN","msg":"BUCKETSUM_QUEU in the environment`,
		"completion bash":             "BUCKETSUM_QUEU",
		"__complete serve --log-form": "Completion ended",
		"sum --version":               "",
	} {
		var out, errs bytes.Buffer
		p := process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }, environ: []string{"BUCKETSUM_QUEU=x"}}
		dispatch(t.Context(), p, strings.Fields(args))
		if got := errs.String(); !strings.Contains(got, want) || want == "" && got != "" || strings.HasPrefix(args, "__") && strings.Contains(got, "BUCKETSUM") {
			t.Errorf("%s: stderr is %q, want %q", args, got, want)
		}
	}
}
