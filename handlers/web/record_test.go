package web_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

func recordOf(key string) pipeline.Record {
	o := livetest.Object(key, 5)
	o.VersionID, o.ETag = "v1", "etag"
	at := time.Date(2024, 9, 12, 8, 30, 1, 123456789, time.FixedZone("", 7200))
	return pipeline.Record{
		Source: o, ComputedAt: at, VerifiedAt: at.Add(time.Hour),
		Digests: map[string]string{"md5": helloMD5, "sha256": helloSHA256, "xxh3": "555c6f602f9383e3"},
		Checks:  []pipeline.Check{{Name: "etag", Algorithm: "md5", Verdict: digest.Verdict{Outcome: digest.Match}}},
	}
}

// request sends a request line as it is and returns the answer. A client of net/http would clean the path.
func (s *server) request(t *testing.T, method, path string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { response.Body.Close() })
	return response
}

// TestRecordKeys: the path of a record holds its key exactly. Nothing cleans it, and it is decoded once.
func TestRecordKeys(t *testing.T) {
	keys := map[string]string{ // key by path
		"a":                     "a",
		"photos/a.jpg":          "photos/a.jpg",
		"photos%2Fa.jpg":        "photos/a.jpg",
		"a+b":                   "a+b",
		"a%2Bb":                 "a+b",
		"a%20b":                 "a b",
		"a%2520b":               "a%20b",
		"a%3Fb%23c":             "a?b#c",
		"a//b":                  "a//b",
		"/a":                    "/a",
		"a/":                    "a/",
		"a/../b":                "a/../b",
		"../../v1/status":       "../../v1/status",
		"..":                    "..",
		".":                     ".",
		"a/./b/.":               "a/./b/.",
		"%2E%2E/a":              "../a",
		"%2e%2e%2fa":            "../a",
		"%00%01%0A":             "\x00\x01\n",
		"%C3%A9%F0%9F%98%80":    "é😀",
		"a;b=c&d,e:f@g$h!*'()~": "a;b=c&d,e:f@g$h!*'()~",
		"a%5Cb":                 `a\b`,
		"a%7C%22%3C%3E":         `a|"<>`,
	}
	held := records{}
	for _, key := range keys {
		held[key] = recordOf(key)
	}
	s := start(t, web.Config{Records: map[string]web.Records{"inbox": held}})
	for path, key := range keys {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			response := s.request(t, method, "/v1/records/inbox/"+path)
			if response.StatusCode != http.StatusOK {
				t.Errorf("%s %s: %d, Location %q", method, path, response.StatusCode, response.Header.Get("Location"))
				continue
			}
			if method == http.MethodHead {
				continue
			}
			var answer struct{ Bucket, Key string }
			if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || answer.Key != key || answer.Bucket != "inbox" {
				t.Errorf("%s is the record of %+v, %v, want %q", path, answer, err, key)
			}
		}
	}
}

func TestRecordV1(t *testing.T) {
	longest := strings.Repeat("k", 4096)
	s := start(t, web.Config{Records: map[string]web.Records{
		"inbox": records{"a b/c+d%20e.txt": recordOf(""), longest: recordOf("")}, "a/b ": records{},
	}})
	response, body := s.get(t, "/v1/records/inbox/a%20b/c+d%2520e.txt")
	golden(t, "record_v1.json", body)
	sum := sha256.Sum256([]byte(body))
	for header, want := range map[string]string{
		"Content-Type": "application/json", "Cache-Control": "no-store",
		"Repr-Digest": "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
	} {
		if got := response.Header.Get(header); got != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	tag := response.Header.Get("ETag")
	again, body := s.get(t, "/v1/records/inbox/a%20b/c+d%2520e.txt", "If-None-Match", `"x", `+tag)
	if again.StatusCode != http.StatusNotModified || body != "" || again.Header.Get("ETag") != tag {
		t.Errorf("asked again: %d, %q, %v", again.StatusCode, body, again.Header)
	}
	if whole, _ := s.get(t, "/v1/records/inbox/a%20b/c+d%2520e.txt", "Range", "bytes=0-1"); whole.StatusCode != http.StatusOK {
		t.Errorf("a part was asked for: %d", whole.StatusCode)
	}

	for path, want := range map[string]struct {
		status  int
		problem string
	}{
		"inbox/" + longest:       {200, ""},
		"inbox/" + longest + "k": {400, "invalid-name"},
		longest + "/a":           {400, "invalid-name"},
		"inbox/%ff":              {400, "invalid-name"},
		"inbox/":                 {400, "invalid-name"},
		"inbox":                  {400, "invalid-name"},
		"":                       {400, "invalid-name"},
		"/a":                     {400, "invalid-name"},
		"inbox/none":             {404, "no-record"},
		"inbox/impossible":       {404, "no-record"},
		"a%2Fb%20/none":          {404, "no-record"},
		"a/b%20/none":            {404, "no-bucket"},
		"inbox/broken":           {502, "store-failed"},
		"inbox/none?version=1":   {400, "invalid-query"},
	} {
		response, err := s.client.Get(s.url("/v1/records/" + path))
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != want.status {
			t.Errorf("%.40s: %d, want %d", path, response.StatusCode, want.status)
		}
		if want.problem == "" {
			_ = response.Body.Close()
		} else if got := problemOf(t, response); got != want.problem {
			t.Errorf("%.40s: %q, want %q", path, got, want.problem)
		}
	}
}
