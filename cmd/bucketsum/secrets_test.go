package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// sentinel stands for every secret in these tests.
const sentinel = "Sent1nelOfSecrets"

// environmentOfSecrets has the sentinel in each variable from which the program and its
// libraries take a secret.
func environmentOfSecrets(t *testing.T) []string {
	t.Helper()
	google := filepath.Join(t.TempDir(), "google.json")
	credentials := `{"type":"service_account","client_email":"a@b.example","private_key_id":"` + sentinel + `","private_key":"` + sentinel + `","token_uri":"http://127.0.0.1:1/` + sentinel + `"}`
	if err := os.WriteFile(google, []byte(credentials), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{
		"AWS_ACCESS_KEY_ID=AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY=" + sentinel, "AWS_SESSION_TOKEN=" + sentinel, "AWS_REGION=us-east-1",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
		"AZURE_STORAGE_SAS_TOKEN=sv=2026&sig=" + sentinel, "AZURE_STORAGE_ACCOUNT=example", "AZURE_CLIENT_SECRET=" + sentinel,
		"SERVICEBUS_CONNECTION_STRING=Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=root;SharedAccessKey=" + sentinel,
		"GOOGLE_APPLICATION_CREDENTIALS=" + google,
		"RABBITMQ_USERNAME=user", "RABBITMQ_PASSWORD=" + sentinel, "NATS_TOKEN=" + sentinel,
		"KAFKA_USERNAME=user", "KAFKA_PASSWORD=" + sentinel, "KAFKA_SASL=PLAIN",
		"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:" + sentinel + "@127.0.0.1:1", "OTEL_EXPORTER_OTLP_HEADERS=authorization=" + sentinel,
		"HTTPS_PROXY=http://user:" + sentinel + "@127.0.0.1:1",
	}
}

// runWithSecrets runs the program to its end, or for a while, and returns everything that it
// prints. The end of the test does not wait for it.
func runWithSecrets(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a loaded machine starts it late
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, args...)
	cmd.Env = append(append(os.Environ(), asBucketsum+"=1", "GOCOVERDIR="+t.TempDir(), "GORACE=atexit_sleep_ms=0"), environ...)
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(out)
}

// holdsNoSecret reports an output with the sentinel.
func holdsNoSecret(t *testing.T, what, output string) {
	t.Helper()
	if output == "" {
		t.Errorf("%s printed nothing, so this test shows nothing", what)
	}
	if at := strings.Index(output, sentinel); at >= 0 {
		t.Errorf("%s printed a secret:\n%s", what, output[max(0, at-300):min(len(output), at+100)])
	}
}

// secretURLs returns URLs of a scheme that have the sentinel wherever a secret can be. No
// server is at any of them.
func secretURLs(scheme, example string) (parsable, unparsable []string) {
	example, _, _ = strings.Cut(example, " ")
	_, path, _ := strings.Cut(strings.TrimPrefix(example, scheme+"://"), "/")
	join := "?"
	if strings.Contains(example, "?") {
		join = "&"
	}
	query := fmt.Sprintf("password=%[1]s&token=%[1]s&sig=%[1]s&X-Amz-Signature=%[1]s", sentinel)
	return []string{
			scheme + "://user:" + sentinel + "@127.0.0.1:1/" + path,
			scheme + "://user:" + sentinel + "@127.0.0.1:1",
			scheme + "://" + sentinel + "@127.0.0.1:1/" + path + "#" + sentinel,
			strings.Replace(example, "nats.example.com:4222", "127.0.0.1:1", 1) + join + query,
		}, []string{
			scheme + "://user:" + sentinel + "%zz@127.0.0.1:1/" + path,
			scheme + "://user:" + sentinel + "@127.0.0.1:x" + sentinel + "/" + path,
			scheme + "://user:" + sentinel + "#/@127.0.0.1:1/" + path,
			scheme + "://[user:" + sentinel + "@127.0.0.1/" + path,
			scheme + "://127.0.0.1/" + path + "\x01?sig=" + sentinel,
			" " + scheme + "://user:" + sentinel + "@127.0.0.1:1/" + path,
			scheme + "//user:" + sentinel + "@127.0.0.1:1/" + path,
			"x" + scheme + "://user:" + sentinel + "@127.0.0.1:1/" + path + join + query,
			"1" + scheme + "://user:" + sentinel + "@127.0.0.1:1/" + path + join + query,
		}
}

// TestNoSecretOfUnusableURLs puts URLs that cannot be used wherever the command line takes
// one, and where it takes none.
func TestNoSecretOfUnusableURLs(t *testing.T) {
	dir := t.TempDir()
	for i, s := range append(queueSchemes(), bucketSchemes()...) {
		_, urls := secretURLs(s.Name, s.Example)
		for j, url := range urls {
			for name, args := range map[string][]string{
				"serve":            {"serve", "--queue", url, "--dead-letter", url, "--results", url, "--bucket", url, "--bucket", "b=" + url, "--record-bucket", url},
				"serve's argument": {"serve", url},
				"local's results":  {"local", "--results", url, dir},
				"local's argument": {"local", dir, url},
				"version":          {"version", url},
				"help":             {"help", url},
				"completion":       {"completion", url},
				"completion bash":  {"completion", "bash", url},
				"command":          {url},
				"flag":             {"serve", "--queues=" + url},
				"shorthand":        {"sum", "-Q" + url},
				"number":           {"serve", "--concurrency", url, "--memory", url, "--drain-timeout", url, "--max-upload", url},
				"choice":           {"serve", "--on-delete", url, "--log-format", url, "--record-to", url, "--algorithms", url},
				"text":             {"serve", "--record", url, "--include", url, "--record-tag", url, "--sse-c-key-file", url, "--sns-topic", url, "--pprof", url},
				"environment":      {"serve"},
			} {
				env := map[string]string{}
				if name == "environment" {
					env = map[string]string{"BUCKETSUM_QUEUE": url, "BUCKETSUM_BUCKET": url, "BUCKETSUM_RESULTS": url, "BUCKETSUM_CONCURRENCY": url, "BUCKETSUM_CHECK": url}
				}
				status, stdout, stderr := call(t, env, args...)
				if status == exitOK {
					t.Errorf("%s %q is accepted", name, url)
				}
				holdsNoSecret(t, fmt.Sprintf("%s with URL %d.%d", name, i, j), stdout+stderr)
			}
			_, stdout, stderr := call(t, nil, "sum", url)
			holdsNoSecret(t, fmt.Sprintf("sum with URL %d.%d", i, j), stdout+stderr)
		}
	}
}

// TestNoSecretOfUnreachableServers runs the program with URLs whose servers do not answer.
// It covers each technology of schemes.go.
func TestNoSecretOfUnreachableServers(t *testing.T) {
	environ := environmentOfSecrets(t)
	dir := t.TempDir()
	run := func(name string, args ...string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			holdsNoSecret(t, name, runWithSecrets(t, environ, args...))
		})
	}
	debug := []string{"serve", "--check", "--listen", "off", "--log-level", "debug"}
	for _, s := range queueSchemes() {
		urls, _ := secretURLs(s.Name, s.Example)
		for i, url := range urls {
			run(fmt.Sprintf("queue %s %d", s.Name, i), append(debug, "--queue", url, "--bucket", "b=file://"+dir)...)
		}
		run("topics "+s.Name, append(debug, "--queue", "mem://q", "--dead-letter", urls[0], "--results", urls[0], "--bucket", "b=file://"+dir)...)
	}
	for _, s := range bucketSchemes() {
		urls, _ := secretURLs(s.Name, s.Example)
		for i, url := range urls {
			run(fmt.Sprintf("bucket %s %d", s.Name, i), append(debug, "--queue", "mem://q", "--bucket", "b="+url)...)
		}
		run("records "+s.Name, append(debug, "--queue", "mem://q", "--bucket", "b=file://"+dir, "--record-bucket", urls[0])...)
		run("sum "+s.Name, append([]string{"sum"}, urls...)...)
	}
}

// TestNoSecretOfRefusals runs the program against a store that refuses every request and
// quotes the whole request in its answer, as careless proxies do.
func TestNoSecretOfRefusals(t *testing.T) {
	asked := make(chan struct{}, 1000)
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		// The request's line and headers, without what proves the sender: the secret keys
		// are never sent.
		fmt.Fprintf(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>%s %s</Message></Error>", r.Method, r.URL.Path)
	}))
	defer store.Close()
	host := strings.TrimPrefix(store.URL, "http://")
	environ := append(environmentOfSecrets(t), "AWS_ENDPOINT_URL="+store.URL, "STORAGE_EMULATOR_HOST="+store.URL,
		"AZURE_STORAGE_DOMAIN="+host, "AZURE_STORAGE_PROTOCOL=http", "AZURE_STORAGE_IS_LOCAL_EMULATOR=true")
	for _, bucket := range []string{"s3://photos?use_path_style=true", "gs://photos", "azblob://photos"} {
		holdsNoSecret(t, "serve "+bucket, runWithSecrets(t, environ, "serve", "--check", "--listen", "off", "--log-level", "debug",
			"--queue", "mem://q", "--bucket", "b="+bucket))
		name, query, _ := strings.Cut(bucket, "?")
		holdsNoSecret(t, "sum "+bucket, runWithSecrets(t, environ, "sum", name+"/a.jpg?"+query))
		select {
		case <-asked:
		default:
			t.Errorf("%s: the store was not asked", bucket)
		}
		for len(asked) > 0 {
			<-asked
		}
	}
	holdsNoSecret(t, "queue", runWithSecrets(t, environ, "serve", "--check", "--listen", "off", "--log-level", "debug",
		"--queue", "awssqs://"+host+"/123456789012/q", "--bucket", "b=file://"+t.TempDir()))
}

// TestNoSecretOfAWorker runs a worker whose queue, results and dead letters have a password in
// their URLs, through good and bad messages and an outage, and looks at everything that
// leaves it: the log, the HTTP side, results, dead letters, traces.
func TestNoSecretOfAWorker(t *testing.T) {
	var traces bytes.Buffer
	var mu sync.Mutex
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		_, _ = traces.ReadFrom(r.Body) // an error shows as missing traces
	}))
	defer collector.Close()
	server := jetstreamServer(t)
	urls := server.urls(t, "secrets")
	withPassword := func(url string) string {
		return strings.Replace(url, "://", "://user:"+sentinel+"@", 1)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("hello\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := append(environmentOfSecrets(t), "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_BSP_SCHEDULE_DELAY=100", "OTEL_METRIC_EXPORT_INTERVAL=100")
	r := startWith(t, program.Options{Environ: environ}, "serve", "--log-level", "debug", "--listen", "127.0.0.1:0", "--bucket", "inbox=file://"+dir,
		"--queue", withPassword(urls.queue), "--dead-letter", withPassword(urls.deadLetters), "--results", withPassword(urls.results))
	address := logged(r.Until(1, program.Contains("msg=serving ")), "listen")
	nc, err := nats.Connect(strings.TrimSuffix(strings.Replace(urls.results[:strings.LastIndex(urls.results, "/")], "jetstream", "nats", 1), "/"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{
		objectEvent("Object Created", "inbox", "a", "01"), "neither an event nor JSON", objectEvent("Object Created", "unknown", "a", "01"),
	} {
		if _, err := js.Publish(t.Context(), "secrets", []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	left := map[string]int{"secrets-failed": 2, "secrets-results": 2}
	for stream, n := range left {
		consumer, err := js.Consumer(t.Context(), stream, "workers")
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			m, err := consumer.Next(jetstream.FetchMaxWait(time.Minute))
			if err != nil {
				t.Fatalf("%s: %v", stream, err)
			}
			holdsNoSecret(t, stream, fmt.Sprintf("%s %v", m.Data(), m.Headers()))
		}
	}
	look := func() {
		for _, path := range []string{"/", "/status", "/metrics", "/records?bucket=inbox&key=a", "/readyz", "/livez"} {
			_, body := program.Get(t, "http://"+address+path)
			holdsNoSecret(t, path, body)
		}
	}
	look()
	server.stop()
	r.Until(1, program.Contains("level=WARN"))
	look()
	server.start()
	r.Stop(syscall.SIGTERM)
	holdsNoSecret(t, "the worker", strings.Join(r.Output(), "\n"))
	mu.Lock()
	defer mu.Unlock()
	if !strings.Contains(traces.String(), "inbox") {
		t.Errorf("no trace names the bucket: %d bytes", traces.Len())
	}
	holdsNoSecret(t, "traces and metrics", traces.String())
}

// TestListsNameNoServers: the author of a list of checksums cannot have the user's requests,
// with the tokens in them, sent to a server of theirs, and without --check-urls cannot have any sent.
func TestListsNameNoServers(t *testing.T) {
	connected := make(chan string, 100)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			connected <- c.RemoteAddr().String()
			c.Close()
		}
	}()
	host := listener.Addr().String()
	server := "http://" + host
	// Everything that the program may ask is at the listener: stores, proxies, and services of metadata.
	environ := append(environmentOfSecrets(t), "AWS_EC2_METADATA_DISABLED=false", "AWS_EC2_METADATA_SERVICE_ENDPOINT="+server, "AWS_ENDPOINT_URL="+server,
		"AWS_CONTAINER_CREDENTIALS_FULL_URI="+server, "GCE_METADATA_HOST="+host, "STORAGE_EMULATOR_HOST="+host,
		"IDENTITY_ENDPOINT="+server, "HTTPS_PROXY="+server, "HTTP_PROXY="+server)
	named := []string{
		"s3://photos/a?endpoint=" + server + "&use_path_style=true", "s3://photos/a?region=us-east-1&profile=other", "s3://photos/a?region=us.east.example",
		"s3://user@photos/a", "gs://photos/a?anonymous=true&endpoint=" + server, "azblob://photos/a?storage_account=example&protocol=http&domain=" + host,
		"azblob://photos/a?storage_account=" + url.QueryEscape(host+"/"),
	}
	check := func(flags []string, says string, names ...string) {
		t.Helper()
		list := filepath.Join(t.TempDir(), "list")
		text := ""
		for _, name := range names {
			text += "d41d8cd98f00b204e9800998ecf8427e  " + name + "\n"
		}
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out := runWithSecrets(t, environ, append(append([]string{"sum", "--check"}, flags...), list)...)
		if strings.Count(out, says) != len(names) || strings.Count(out, "FAILED open or read") != len(names) {
			t.Errorf("%q, %q: %s", flags, names, out)
		}
	}
	check(nil, "names a URL; add --check-urls", append(named, "s3://photos/a", "S3://photos/a", "gs://photos/a", "azblob://photos/a", "mem://photos/a")...)
	check([]string{"--check-urls"}, "a list may", named...)
	if n := len(connected); n > 0 {
		t.Fatalf("the program connected %d times, first from %s", n, <-connected)
	}
	// The user may name any server, and may let a list name objects on their own.
	runWithSecrets(t, environ, "sum", named[0])
	fromUser := len(connected)
	check([]string{"--check-urls"}, "s3://photos/a: open", "s3://photos/a")
	if fromUser == 0 || len(connected) == fromUser {
		t.Errorf("%d connections for the URL of the user, then %d for that of a list: this test shows nothing", fromUser, len(connected)-fromUser)
	}
}
