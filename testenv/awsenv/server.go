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

// The credentials that the servers accept, and the region that requests are signed
// for.
const (
	AccessKey = "bucketsum-test"
	SecretKey = "bucketsum-test-secret"
	Region    = "us-east-1"
)

// Server is a server on this machine.
type Server struct {
	URL string
	Dir string // the folder with a bucket's objects as files; empty if there is none

	Authority string // path of the certificate that a client must trust; empty without TLS
}

// BucketURL returns the URL by which gocloud opens a bucket of the server.
func (s Server) BucketURL(bucket string) string {
	return "s3://" + bucket + "?" + url.Values{
		"endpoint":                     {s.URL},
		"region":                       {Region},
		"use_path_style":               {"true"},
		"request_checksum_calculation": {"when_required"},
	}.Encode()
}

// Environ returns the environment variables by which the AWS SDK's default chain
// finds the server and its credentials.
func (s Server) Environ() []string {
	environ := []string{
		"AWS_ENDPOINT_URL=" + s.URL,
		"AWS_REGION=" + Region,
		"AWS_DEFAULT_REGION=" + Region, // for the AWS CLI
		"AWS_ACCESS_KEY_ID=" + AccessKey,
		"AWS_SECRET_ACCESS_KEY=" + SecretKey,
		"AWS_EC2_METADATA_DISABLED=true",
	}
	if s.Authority != "" {
		environ = append(environ, "AWS_CA_BUNDLE="+s.Authority)
	}
	return environ
}

// Setenv sets the variables of Environ until the end of the test.
func (s Server) Setenv(t testing.TB) {
	t.Helper()
	for _, pair := range s.Environ() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

// StartMoto starts moto_server, which imitates most services of AWS, connected to
// each other.
func StartMoto(t testing.TB) Server {
	t.Helper()
	name, err := exec.LookPath("moto_server")
	if err != nil {
		missing(t, "moto_server is not installed: pip install 'moto[server]'")
	}
	return start(t, "/moto-api/data.json", func(port string) *exec.Cmd {
		c := exec.Command(name, "-H", "127.0.0.1", "-p", port)
		for _, v := range os.Environ() {
			if !strings.HasPrefix(v, "AWS_") { // moto is a client of the SDK too
				c.Env = append(c.Env, v)
			}
		}
		return c
	})
}

// MotoVersion returns the version of moto in the Python of the PATH.
func MotoVersion(t testing.TB) string {
	t.Helper()
	out, err := exec.Command("python3", "-c", "import moto; print(moto.__version__)").Output()
	if err != nil {
		missing(t, fmt.Sprintf("python3 has no moto: %v", err))
	}
	return strings.TrimSpace(string(out))
}

// StartVersitygw starts a versitygw that keeps buckets in a folder of the test, with
// versions in buckets that enable them.
func StartVersitygw(t testing.TB) Server {
	t.Helper()
	return StartVersitygwIn(t, Region)
}

// StartVersitygwIn is StartVersitygw with a region and more flags of versitygw, such
// as those that tell it where to send events.
func StartVersitygwIn(t testing.TB, region string, flags ...string) Server {
	t.Helper()
	name, err := findTool(t, "versitygw", "go.mod", "github.com/versity/versitygw/cmd/versitygw")
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

// start starts a server on a free port, waits until it answers, and kills it at the
// end of the test. It has to answer 200 at the path, or anything at its root if the
// path is empty.
func start(t testing.TB, path string, command func(port string) *exec.Cmd) Server {
	t.Helper()
	var output string
	for range 3 { // another process may take the port first
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
			_ = c.Wait() // the error says that it was killed
		}()
		stop := func() {
			_ = c.Process.Kill() // fails if it has ended
			<-ended
		}
		if answers(s.URL+path, path == "", ended) {
			t.Cleanup(func() {
				stop()
				if t.Failed() {
					t.Logf("output of the server:\n%s", tail(out.Bytes()))
				}
			})
			return s
		}
		stop()
		output = tail(out.Bytes())
	}
	t.Fatalf("the server does not answer; its output:\n%s", output)
	return Server{}
}

// tail returns the last 8 KiB of a server's output.
func tail(out []byte) string { return string(out[max(0, len(out)-8<<10):]) }

// answers waits until the server answers. It returns false if the server ends, or
// after two minutes.
func answers(url string, anything bool, ended <-chan struct{}) bool {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	late := time.After(2 * time.Minute)
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if r, err := client.Get(url); err == nil {
			_ = r.Body.Close() // only the status matters
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
