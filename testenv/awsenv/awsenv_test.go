package awsenv_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return 0, err.Error()
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return r.StatusCode, string(body)
}

// A server answers while its test runs, and is gone afterwards.
func TestServers(t *testing.T) {
	for name, of := range map[string]struct {
		start func(testing.TB) awsenv.Server
		says  string
	}{
		"moto": {awsenv.StartMoto, "<Error>"}, "versitygw": {awsenv.StartVersitygw, "<Error>"},
		"fake-gcs-server": {awsenv.StartFakeGCS, ""}, "azurite": {awsenv.StartAzurite, ""},
	} {
		var server awsenv.Server
		t.Run(name, func(t *testing.T) {
			server = of.start(t)
			if status, body := get(t, server.URL+"/no-such-bucket/key"); status < 400 || status >= 500 || !strings.Contains(body, of.says) {
				t.Errorf("got status %d, body %q", status, body)
			}
		})
		if server.URL == "" {
			continue // it is not installed
		}
		if status, _ := get(t, server.URL); status != 0 {
			t.Errorf("%s still answers after its test", name)
		}
	}
}

// The AWS CLI finds the server by the environment too.
func TestEnviron(t *testing.T) {
	aws, err := exec.LookPath("aws")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the aws CLI is not installed: pip install awscli")
		}
		t.Skip("the aws CLI is not installed")
	}
	server := awsenv.StartMoto(t)
	c := exec.Command(aws, "s3", "mb", "s3://made-by-cli")
	c.Env = append(c.Environ(), server.Environ()...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if status, _ := get(t, server.URL+"/made-by-cli"); status != http.StatusOK {
		t.Errorf("the bucket that the CLI made: got status %d", status)
	}
}

func TestBefore(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Host+r.URL.EscapedPath())
	}))
	defer s.Close()
	proxy := awsenv.Server{URL: s.URL}.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Path == "/stop" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		next.ServeHTTP(w, r)
	})
	if status, _ := get(t, proxy.URL+"/stop"); status != http.StatusTeapot {
		t.Errorf("got status %d, want %d", status, http.StatusTeapot)
	}
	// Host and path stay as they were signed.
	if _, body := get(t, proxy.URL+"/b/a%2F..%2Fb//c"); "http://"+body != proxy.URL+"/b/a%2F..%2Fb//c" {
		t.Errorf("the server got %s", body)
	}
}
