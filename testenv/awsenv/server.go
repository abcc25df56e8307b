package awsenv

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/testenv/freeport"
)

// The credentials that the servers accept, and their region.
const (
	AccessKey = "bucketsum-test"
	SecretKey = "bucketsum-test-secret"
	Region    = "us-east-1"
)

// Server is a server on this machine.
type Server struct {
	URL string
	Dir string // where it keeps the objects of each bucket as files; empty if it does not

	Authority string // file with the certificate that a client has to trust; empty without TLS
}

// BucketURL returns the URL under which gocloud opens a bucket of the server.
func (s Server) BucketURL(bucket string) string {
	return "s3://" + bucket + "?" + url.Values{
		"endpoint":                     {s.URL},
		"region":                       {Region},
		"use_path_style":               {"true"},
		"request_checksum_calculation": {"when_required"},
	}.Encode()
}

// Environ returns the environment that lets a program use the server through the
// AWS SDK's default chain.
func (s Server) Environ() []string {
	environ := []string{
		"AWS_ENDPOINT_URL=" + s.URL,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region, // which the command line reads
		"AWS_ACCESS_KEY_ID=" + AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + SecretKey,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	if s.Authority != "" {
		environ = append(environ, "AWS_CA_BUNDLE="+s.Authority)
	}
	return environ
}

// StartMoto starts moto_server, which has most services of AWS, wired to each
// other.
func StartMoto(t testing.TB) Server {
	t.Helper()
	name, err := exec.LookPath("moto_server")
	if err != nil {
		missing(t, "moto_server is not installed: pip install 'moto[server]'")
	}
	return start(t, "/moto-api/data.json", func(port string) *exec.Cmd {
		c := exec.Command(name, "-H", "127.0.0.1", "-p", port)
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, "AWS_") { // it is a client of the SDK, too
				c.Env = append(c.Env, v)
			}
		}
		return c
	})
}

// MotoVersion returns the version of moto, as the Python of the PATH knows it.
func MotoVersion(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import moto; print(moto.__version__)").Output()
	if err != nil {
		missing(t, fmt.Sprintf("python3 has no moto: %v", err))
	}
	return strings.TrimSpace(string(out))
}

// StartVersitygw starts a versitygw that keeps buckets in a folder of the test,
// with versions where a bucket asks for them.
func StartVersitygw(t testing.TB) Server {
	t.Helper()
	return StartVersitygwIn(t, Region)
}

// StartVersitygwIn is StartVersitygw in a region, which requests must be signed
// for, with more flags of versitygw, such as those that tell it where to send events.
func StartVersitygwIn(t testing.TB, region string, flags ...string) Server {
	t.Helper()
	name, err := findVersitygw(t)
	if err != nil {
		missing(t, fmt.Sprintf("versitygw is not installed: %v", err))
	}
	dir := t.TempDir()
	objects, versions := filepath.Join(dir, "objects"), filepath.Join(dir, "versions")
	for _, d := range []string{objects, versions} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, "/healthz", func(port string) *exec.Cmd {
		args := append([]string{"--port", "127.0.0.1:" + port, "--health", "/healthz", "--keep-alive", "--quiet", "--region", region}, flags...)
		c := exec.Command(name, append(args, "posix", "--versioning-dir", versions, objects)...)
		c.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
		return c
	})
	s.Dir = objects
	return s
}

// missing skips a test whose server is not there, and fails it in CI.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// start starts a server on a free port, waits until it answers at a path with 200,
// or with whatever at its root if path is empty, and kills it at the end of the test.
func start(t testing.TB, path string, command func(port string) *exec.Cmd) Server {
	t.Helper()
	var said string
	for range 3 { // somebody else may take the port first
		port := freeport.Find(t)
		s := Server{URL: "http://127.0.0.1:" + port}
		c := command(port)
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = c.Wait() // it is killed
		}()
		stop := func() {
			_ = c.Process.Kill() // it may have ended
			<-ended
		}
		if answers(s.URL+path, path == "", ended) {
			t.Cleanup(func() {
				stop()
				if t.Failed() {
					t.Logf("the server said:\n%s", tail(out.Bytes()))
				}
			})
			return s
		}
		stop()
		said = tail(out.Bytes())
	}
	t.Fatalf("the server does not answer; it said:\n%s", said)
	return Server{}
}

// tail returns the last of what a server said.
func tail(out []byte) string { return string(out[max(0, len(out)-8<<10):]) }

// answers waits until the server answers; not if it ends before or takes more
// than two minutes.
func answers(url string, anything bool, ended <-chan struct{}) bool {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	late := time.After(2 * time.Minute)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if r, err := client.Get(url); err == nil {
			_ = r.Body.Close() // only that it came counts
			if r.StatusCode == http.StatusOK || anything {
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-late:
			return false
		case <-again.C:
		}
	}
}

// moduleRoot returns the folder of this module.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
