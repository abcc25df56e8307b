package web_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

type checksums struct {
	Type, Detail string
	Size         int64
	Digests      map[string]string
	Checked      []struct{ Field, Of, Algorithm, Outcome, Stated, Computed string }
}

// postV1 posts a body with headers and returns the answer.
func (s *server) postV1(t testing.TB, path string, body io.Reader, header ...string) (*http.Response, checksums) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url(path), body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Add(header[i], header[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer checksums
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("answer is not JSON: %v", err)
	}
	want := "application/json"
	if answer.Type != "" {
		want = "application/problem+json"
	}
	if got := response.Header.Get("Content-Type"); got != want {
		t.Errorf("Content-Type is %q, want %q", got, want)
	}
	_, answer.Type, _ = strings.Cut(answer.Type, "/docs/http.md#")
	return response, answer
}

func base64Of(t *testing.T, value string) string {
	t.Helper()
	raw, err := hex.DecodeString(value)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

const (
	helloMD5    = "5d41402abc4b2a76b9719d911017c592"
	helloSHA256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	emptyMD5    = "d41d8cd98f00b204e9800998ecf8427e"
)

func TestChecksums(t *testing.T) {
	s := start(t, web.Config{MaxUpload: 1000})
	hello := crlf("--b\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\n\nhello\n--b--\n")
	all := strings.Join(digest.Computable(), ",")
	for name, tc := range map[string]struct {
		path, body string
		header     []string
		status     int
		problem    string
		size       int64
		digests    map[string]string // nil: not looked at
	}{
		"raw":            {"", "hello", nil, 200, "", 5, map[string]string{"md5": helloMD5}},
		"empty":          {"", "", nil, 200, "", 0, map[string]string{"md5": emptyMD5}},
		"of curl":        {"", "hello", []string{"Content-Type", "application/x-www-form-urlencoded"}, 200, "", 5, map[string]string{"md5": helloMD5}},
		"form":           {"", hello, []string{"Content-Type", formType}, 200, "", 5, map[string]string{"md5": helloMD5}},
		"several":        {"?algorithms=sha256,md5", "hello", nil, 200, "", 5, map[string]string{"md5": helloMD5, "sha256": helloSHA256}},
		"repeated":       {"?algorithms=sha256&algorithms=md5,%20md5", "hello", nil, 200, "", 5, map[string]string{"md5": helloMD5, "sha256": helloSHA256}},
		"all":            {"?algorithms=" + all, "hello", nil, 200, "", 5, nil},
		"not of records": {"?algorithms=blake2b-8", "", nil, 200, "", 0, map[string]string{"blake2b-8": "2e"}},
		"unknown":        {"?algorithms=md5,sha-265", "hello", nil, 400, "unknown-algorithm", 0, nil},
		"none":           {"?algorithms=", "hello", nil, 400, "unknown-algorithm", 0, nil},
		"too many":       {"?algorithms=" + all + ",blake2b-8", "hello", nil, 400, "invalid-query", 0, nil},
		"malformed":      {"?algorithms=%zz", "hello", nil, 400, "invalid-query", 0, nil},
		"misspelt":       {"?algorithm=sha256", "hello", nil, 400, "invalid-query", 0, nil},
		"no file":        {"", "--b--\r\n", []string{"Content-Type", formType}, 400, "invalid-form", 0, nil},
		"no boundary":    {"", hello, []string{"Content-Type", "multipart/form-data"}, 400, "invalid-form", 0, nil},
		"truncated":      {"", hello[:len(hello)-10], []string{"Content-Type", formType}, 400, "truncated", 0, nil},
		"too large":      {"", strings.Repeat("x", 1001), nil, 413, "too-large", 0, nil},
		"compressed":     {"", "hello", []string{"Content-Encoding", "gzip"}, 415, "content-encoding", 0, nil},
		"identity":       {"", "hello", []string{"Content-Encoding", "Identity"}, 200, "", 5, map[string]string{"md5": helloMD5}},
	} {
		t.Run(name, func(t *testing.T) {
			response, answer := s.postV1(t, "/v1/checksums"+tc.path, strings.NewReader(tc.body), tc.header...)
			if response.StatusCode != tc.status || answer.Type != tc.problem || answer.Size != tc.size {
				t.Errorf("got %d, %q, size %d", response.StatusCode, answer.Type, answer.Size)
			}
			if diff := cmp.Diff(tc.digests, answer.Digests); diff != "" && tc.digests != nil {
				t.Errorf("digests (-want +got):\n%s", diff)
			}
			if name == "misspelt" && answer.Detail != `There is no parameter "algorithm"; did you mean algorithms?` {
				t.Errorf("detail is %q", answer.Detail)
			}
			if tc.problem == "unknown-algorithm" && !strings.Contains(answer.Detail, "sha512") {
				t.Errorf("detail is %q", answer.Detail)
			}
		})
	}
	if _, answer := s.postV1(t, "/v1/checksums?algorithms="+all, strings.NewReader("hello")); len(answer.Digests) != len(digest.Computable()) {
		t.Errorf("got %d digests: %v", len(answer.Digests), answer.Digests)
	}
}

// TestChecksumsAreChecked: what the headers of a request state is compared with its body, what those of a part state
// with the file.
func TestChecksumsAreChecked(t *testing.T) {
	s := start(t, web.Config{})
	md5, sha := base64Of(t, helloMD5), base64Of(t, helloSHA256)
	part := func(header string) string {
		return crlf("--b\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\n" + header + "\nhello\n--b--\n")
	}
	whole := sha256.Sum256([]byte(part("")))
	ofForm := base64.StdEncoding.EncodeToString(whole[:])
	for name, tc := range map[string]struct {
		body    string
		header  []string
		status  int
		problem string
		checked string // field, of, algorithm and outcome of each
	}{
		"nothing":              {"hello", nil, 200, "", ""},
		"Content-MD5":          {"hello", []string{"Content-MD5", md5}, 200, "", "Content-MD5 request md5 match\n"},
		"other Content-MD5":    {"hallo", []string{"Content-MD5", md5}, 422, "digest-mismatch", "Content-MD5 request md5 mismatch\n"},
		"short Content-MD5":    {"hello", []string{"Content-MD5", "XUFA"}, 400, "invalid-digest", ""},
		"hexadecimal":          {"hello", []string{"Content-MD5", helloMD5}, 400, "invalid-digest", ""},
		"Repr-Digest":          {"hello", []string{"Repr-Digest", "sha-256=:" + sha + ":"}, 200, "", "Repr-Digest request sha256 match\n"},
		"several":              {"hello", []string{"Content-Digest", "md5=:" + md5 + ":,\tsha-256=:" + sha + ":;x=1"}, 200, "", "Content-Digest request md5 match\nContent-Digest request sha256 match\n"},
		"several lines":        {"hello", []string{"Content-Digest", "md5=:" + md5 + ":", "Content-Digest", "sha-256=:" + sha + ":"}, 200, "", "Content-Digest request md5 match\nContent-Digest request sha256 match\n"},
		"one wrong":            {"hello", []string{"Content-Digest", "md5=:" + md5 + ":, sha-256=:" + ofForm + ":"}, 422, "digest-mismatch", "Content-Digest request md5 match\nContent-Digest request sha256 mismatch\n"},
		"unknown":              {"hello", []string{"Repr-Digest", "unixsum=:AAA=:"}, 200, "", "Repr-Digest request unixsum unchecked\n"},
		"our name":             {"hello", []string{"Repr-Digest", "sha256=:" + sha + ":"}, 200, "", "Repr-Digest request sha256 unchecked\n"},
		"without colons":       {"hello", []string{"Repr-Digest", "sha-256=" + sha}, 400, "invalid-digest", ""},
		"in upper case":        {"hello", []string{"Repr-Digest", "SHA-256=:" + sha + ":"}, 400, "invalid-digest", ""},
		"of the wrong length":  {"hello", []string{"Repr-Digest", "sha-256=:" + md5 + ":"}, 400, "invalid-digest", ""},
		"empty":                {"hello", []string{"Repr-Digest", ""}, 400, "invalid-digest", ""},
		"too many":             {"hello", []string{"Repr-Digest", strings.Repeat("x=:AA==:, ", 32) + "y=:AA==:"}, 400, "invalid-digest", ""},
		"of a form":            {part(""), []string{"Content-Type", formType, "Content-Digest", "sha-256=:" + ofForm + ":"}, 200, "", "Content-Digest request sha256 match\n"},
		"of the file":          {part("Repr-Digest: sha-256=:" + sha + ":\n"), []string{"Content-Type", formType}, 200, "", "Repr-Digest file sha256 match\n"},
		"of another file":      {part("Content-MD5: 1B2M2Y8AsgTpgAmY7PhCfg==\n"), []string{"Content-Type", formType}, 422, "digest-mismatch", "Content-MD5 file md5 mismatch\n"},
		"of the file, as form": {part(""), []string{"Content-Type", formType, "Content-Digest", "sha-256=:" + sha + ":"}, 422, "digest-mismatch", "Content-Digest request sha256 mismatch\n"},
		"malformed in a part":  {part("Repr-Digest: x\n"), []string{"Content-Type", formType}, 400, "invalid-digest", ""},
	} {
		t.Run(name, func(t *testing.T) {
			response, answer := s.postV1(t, "/v1/checksums?algorithms=sha1", strings.NewReader(tc.body), tc.header...)
			if response.StatusCode != tc.status || answer.Type != tc.problem {
				t.Errorf("got %d, %q, want %d, %q", response.StatusCode, answer.Type, tc.status, tc.problem)
			}
			got := ""
			for _, c := range answer.Checked {
				got += strings.Join([]string{c.Field, c.Of, c.Algorithm, c.Outcome}, " ") + "\n"
				if (c.Outcome == "match") != (c.Stated == c.Computed) || c.Stated == "" || (c.Outcome == "unchecked") != (c.Computed == "") {
					t.Errorf("check is %+v", c)
				}
			}
			if diff := cmp.Diff(tc.checked, got); diff != "" {
				t.Errorf("checked (-want +got):\n%s", diff)
			}
			if _, ok := answer.Digests["sha1"]; len(answer.Digests) != 1 && tc.checked != "" || !ok && tc.checked != "" {
				t.Errorf("digests are %v", answer.Digests)
			}
		})
	}
}

// TestChecksumsStream: an upload costs no memory that grows with it, raw or as a form, with all algorithms.
func TestChecksumsStream(t *testing.T) {
	const size = 256 << 20
	s := start(t, web.Config{})
	for name, of := range map[string]func() (string, io.Reader){
		"raw":  func() (string, io.Reader) { return "application/octet-stream", io.LimitReader(zeros{}, size) },
		"form": func() (string, io.Reader) { return endless(size) },
	} {
		t.Run(name, func(t *testing.T) {
			contentType, body := of()
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			response, answer := s.postV1(t, "/v1/checksums?algorithms=md5,crc32c", body, "Content-Type", contentType)
			runtime.ReadMemStats(&after)
			if response.StatusCode != http.StatusOK || answer.Size != size || answer.Digests["md5"] != "1f5039e50bd66b290c56684d8550c6c2" {
				t.Errorf("got %d, %+v", response.StatusCode, answer)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 16<<20 {
				t.Errorf("%d bytes were allocated for an upload of %d", got, size)
			}
		})
	}
}

// TestChecksumsOfAStalledUpload: a client that stops sending gets a problem.
func TestChecksumsOfAStalledUpload(t *testing.T) {
	s := start(t, web.Config{IdleTimeout: 50 * time.Millisecond})
	body, sender := io.Pipe()
	defer sender.Close()
	go func() { _, _ = sender.Write([]byte("hello")) }()
	if response, answer := s.postV1(t, "/v1/checksums", body); response.StatusCode != http.StatusRequestTimeout || answer.Type != "stalled" {
		t.Errorf("got %d, %q", response.StatusCode, answer.Type)
	}
}
