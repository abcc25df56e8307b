package web_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/handlers/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is a running server and a client for it.
type server struct {
	addr   string
	client *http.Client
	stop   context.CancelFunc
	done   <-chan error // Serve's result
}

func (s *server) url(path string) string { return "http://" + s.addr + path }

// start serves the handler of a configuration on loopback until the test ends.
func start(t testing.TB, config web.Config) *server {
	t.Helper()
	return startHandler(t, newHandler(t, config))
}

func newHandler(t testing.TB, config web.Config) http.Handler {
	t.Helper()
	h, err := web.Handler(config)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func startHandler(t testing.TB, h http.Handler) *server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		result <- web.Serve(ctx, nil, l, h, 10*time.Second, nil, slog.New(slog.DiscardHandler))
	}()
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		<-ended
		select {
		case err := <-result:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		default: // the test looked at it
		}
	})
	return &server{l.Addr().String(), &http.Client{Transport: transport}, stop, result}
}

// post sends a request body to /md5 and returns the answer.
func (s *server) post(t testing.TB, contentType string, body io.Reader) (status int, fields map[string]string) {
	t.Helper()
	response, err := s.client.Post(s.url("/md5"), contentType, body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, decode(t, response)
}

// decode reads an answer, which must be JSON with the right content type.
func decode(t testing.TB, response *http.Response) map[string]string {
	t.Helper()
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if got := response.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
	var fields map[string]string
	if err := json.NewDecoder(response.Body).Decode(&fields); err != nil {
		t.Fatalf("answer is not JSON: %v", err)
	}
	return fields
}

const boundary = "b"
const formType = "multipart/form-data; boundary=" + boundary

// form returns a form with one file.
func form(t testing.TB, content []byte) (contentType string, body []byte) {
	t.Helper()
	var buf bytes.Buffer
	w := multipart.NewWriter(&buf)
	part, err := w.CreateFormFile("file", "a.bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), buf.Bytes()
}

// endless is a form with one file of n bytes, which are generated while it is read.
func endless(n int64) (contentType string, body io.Reader) {
	const head = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n"
	return formType, io.MultiReader(
		bytes.NewReader([]byte(head)),
		io.LimitReader(zeros{}, n),
		bytes.NewReader([]byte("\r\n--b--\r\n")),
	)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func sumOf(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}
