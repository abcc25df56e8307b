package web_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
)

// crlf ends the lines of a form with CR LF.
func crlf(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }

const (
	noPart     = "No file part in the request"
	noFile     = "No file selected for uploading"
	truncated  = "The upload ended before it was complete"
	malformed  = "The request body is not valid multipart/form-data"
	muchBefore = "Too much precedes the file part in the request"
)

// TestMD5 compares the answers with those of the service that this one replaces.
func TestMD5(t *testing.T) {
	const sum = "5d41402abc4b2a76b9719d911017c592" // of hello
	const file = "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\n\nhello\n"
	for name, tc := range map[string]struct {
		contentType string // formType if empty
		body        string
		status      int
		answer      string
	}{
		"file":               {body: file + "--b--\n", status: 200, answer: sum},
		"empty file":         {body: "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\n\n\n--b--\n", status: 200, answer: "d41d8cd98f00b204e9800998ecf8427e"},
		"after a field":      {body: "--b\nContent-Disposition: form-data; name=\"note\"\n\nx\n" + file + "--b--\n", status: 200, answer: sum},
		"after another file": {body: "--b\nContent-Disposition: form-data; name=\"other\"; filename=\"o\"\n\nx\n" + file + "--b--\n", status: 200, answer: sum},
		"after a value":      {body: "--b\nContent-Disposition: form-data; name=\"file\"\n\nx\n" + file + "--b--\n", status: 200, answer: sum},
		"first of two":       {body: file + "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"2\"\n\nworld\n--b--\n", status: 200, answer: sum},
		"preamble, epilogue": {body: "not a part\n" + file + "--b--\nnor this", status: 200, answer: sum},
		"name in UTF-8":      {body: "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"ä b\\\"c.txt\"\n\nhello\n--b--\n", status: 200, answer: sum},
		"extended name":      {body: "--b\nContent-Disposition: form-data; name=\"file\"; filename*=utf-8''%C3%A4\n\nhello\n--b--\n", status: 200, answer: sum},
		"transfer encoding":  {body: "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\nContent-Transfer-Encoding: quoted-printable\n\n=41\n--b--\n", status: 200, answer: sumOf([]byte("=41"))},
		"quoted boundary":    {contentType: `Multipart/Form-Data; charset=utf-8; boundary="b"`, body: file + "--b--\n", status: 200, answer: sum},

		"other field":          {body: "--b\nContent-Disposition: form-data; name=\"File\"; filename=\"a\"\n\nx\n--b--\n", status: 400, answer: noPart},
		"value, not file":      {body: "--b\nContent-Disposition: form-data; name=\"file\"\n\nx\n--b--\n", status: 400, answer: noPart},
		"no parts":             {body: "--b--\n", status: 400, answer: noPart},
		"no body":              {status: 400, answer: noPart},
		"no boundary":          {contentType: "multipart/form-data", body: file + "--b--\n", status: 400, answer: noPart},
		"other multipart":      {contentType: "multipart/mixed; boundary=b", body: file + "--b--\n", status: 400, answer: noPart},
		"not multipart":        {contentType: "application/octet-stream", body: "hello", status: 400, answer: noPart},
		"bad type":             {contentType: "/", body: "hello", status: 400, answer: noPart},
		"nothing chosen":       {body: "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\n\n\n--b--\n", status: 400, answer: noFile},
		"nothing chosen first": {body: "--b\nContent-Disposition: form-data; name=\"file\"; filename=\"\"\n\n\n" + file + "--b--\n", status: 400, answer: noFile},

		"ends in file":      {body: strings.TrimSuffix(file, "\n"), status: 400, answer: truncated},
		"ends in header":    {body: "--b\nContent-Disp", status: 400, answer: malformed},
		"ends before file":  {body: "--b\nContent-Disposition: form-data; name=\"note\"\n\nx", status: 400, answer: truncated},
		"no boundary found": {body: "hello\n", status: 400, answer: truncated},
		"no disposition":    {body: "--b\nContent-Type: text/plain\n\nx\n--b--\n", status: 400, answer: malformed},
		"bad header":        {body: "--b\nno header\n\nx\n--b--\n", status: 400, answer: malformed},
		"long header":       {body: "--b\nX: " + strings.Repeat("x", 100<<10) + "\n\nx\n--b--\n", status: 400, answer: muchBefore},
		"long preamble":     {body: strings.Repeat("x\n", 100<<10) + file + "--b--\n", status: 400, answer: muchBefore},
		"many parts":        {body: strings.Repeat("--b\nContent-Disposition: form-data; name=\"x\"\n\n\n", 1000) + file + "--b--\n", status: 400, answer: muchBefore},
		"many bytes":        {body: "--b\nContent-Disposition: form-data; name=\"x\"\n\n" + strings.Repeat("x", 65<<20) + file + "--b--\n", status: 400, answer: muchBefore},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, web.Config{})
			contentType := tc.contentType
			if contentType == "" {
				contentType = formType
			}
			status, fields := s.post(t, contentType, strings.NewReader(crlf(tc.body)))
			key := "error"
			if tc.status == 200 {
				key = "md5_checksum"
			}
			if status != tc.status {
				t.Errorf("status is %d, want %d", status, tc.status)
			}
			if diff := cmp.Diff(map[string]string{key: tc.answer}, fields); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

// TestMD5Literal compares the bytes of an answer with those of the service that this one replaces.
func TestMD5Literal(t *testing.T) {
	s := start(t, web.Config{})
	contentType, body := form(t, []byte("hello"))
	response, err := s.client.Post(s.url("/md5"), contentType, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	got, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"md5_checksum":"5d41402abc4b2a76b9719d911017c592"}` + "\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUploadTooLarge(t *testing.T) {
	contentType, body := form(t, make([]byte, 1<<20))
	s := start(t, web.Config{MaxUpload: int64(len(body)) - 1})
	want := map[string]string{"error": fmt.Sprintf("The upload is larger than %d bytes", len(body)-1)}
	for name, reader := range map[string]io.Reader{
		"declared":   bytes.NewReader(body),
		"undeclared": io.MultiReader(bytes.NewReader(body)), // sent in chunks
	} {
		t.Run(name, func(t *testing.T) {
			status, fields := s.post(t, contentType, reader)
			if status != http.StatusRequestEntityTooLarge {
				t.Errorf("status is %d", status)
			}
			if diff := cmp.Diff(want, fields); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("just not", func(t *testing.T) {
		s := start(t, web.Config{MaxUpload: int64(len(body))})
		if status, fields := s.post(t, contentType, bytes.NewReader(body)); status != http.StatusOK {
			t.Errorf("got %d, %v", status, fields)
		}
	})
}

// TestUploadStreams shows that an upload is kept neither in memory nor on disk.
func TestUploadStreams(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	s := start(t, web.Config{})
	s.post(t, formType, strings.NewReader("--b--\r\n")) // connects

	const size = 64 << 20
	contentType, body := endless(size)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	status, fields := s.post(t, contentType, body)
	runtime.ReadMemStats(&after)

	if status != http.StatusOK || fields["md5_checksum"] != "7f614da9329cd3aebf59b91aadc30bf0" {
		t.Errorf("got %d, %v", status, fields)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > size/8 {
		t.Errorf("%d bytes were allocated for an upload of %d", got, size)
	}
	left, err := os.ReadDir(temp)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("temporary files: %v", left)
	}
}

func TestUploadsConcurrently(t *testing.T) {
	s := start(t, web.Config{})
	var uploads sync.WaitGroup
	for i := range 16 {
		content := bytes.Repeat([]byte{byte(i)}, i<<15)
		contentType, body := form(t, content)
		uploads.Go(func() {
			response, err := s.client.Post(s.url("/md5"), contentType, bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			if want := fmt.Sprintf(`{"md5_checksum":%q}`+"\n", sumOf(content)); err != nil || string(got) != want {
				t.Errorf("got %q, %v; want %q", got, err, want)
			}
		})
	}
	uploads.Wait()
}

// TestLogHoldsNoPayload searches the log for content that a client sent.
func TestLogHoldsNoPayload(t *testing.T) {
	var out syncBuffer
	s := start(t, web.Config{Log: slog.New(slog.NewTextHandler(&out, nil))})
	for _, body := range []string{
		"--b\nContent-Disposition: form-data; name=\"file\"; filename=\"secret\"\n\nsecret\n--b--\n",
		"--b\nsecret\n\nsecret\n--b--\n",
		"--b\nContent-Disposition: secret; secret\n\n--b--\n",
		"--b\nContent-Disposition: form-data; name=\"secret\"\n\nsecret\n--bsecret",
	} {
		s.post(t, formType, strings.NewReader(crlf(body)))
	}
	log := out.String()
	if strings.Contains(log, "secret") {
		t.Errorf("log holds what was sent:\n%s", log)
	}
	if !strings.Contains(log, "upload digested") || !strings.Contains(log, "upload refused") {
		t.Errorf("log lacks an upload:\n%s", log)
	}
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func BenchmarkUpload(b *testing.B) {
	const size = 64 << 20
	s := start(b, web.Config{})
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		contentType, body := endless(size)
		if status, fields := s.post(b, contentType, body); status != http.StatusOK {
			b.Fatalf("got %d, %v", status, fields)
		}
	}
}
