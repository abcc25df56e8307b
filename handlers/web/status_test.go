package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/pipeline"
)

var update = flag.Bool("update", false, "write the golden files")

// sample is a status with every field set.
func sample(t *testing.T) live.Status {
	t.Helper()
	var s live.Status
	synctest.Test(t, func(t *testing.T) { // the clock of the bubble starts at midnight, 2000-01-01 UTC
		a := live.NewActivity()
		time.Sleep(1234567 * time.Microsecond)
		o := livetest.Object("photos/a b.jpg", 5)
		o.VersionID = "3HL4kqtJlcpXroDTDmJ+rmSpXd3dIbrHY"
		livetest.Publish(t, a, livetest.Result(pipeline.Recorded, o))
		livetest.Publish(t, a, livetest.Result(pipeline.Removed, livetest.Object("old", 7)))
		livetest.Publish(t, a, livetest.Result(pipeline.Current, livetest.Object("<&>\x01\u202e\u009b\U000e0041é\xff", 0)))
		livetest.End(t, a, livetest.Delivery(pipeline.Nacked, "secret", errors.New("permission denied")))
		livetest.End(t, a, pipeline.Delivery{MessageID: "m", Attempt: 1, Fate: pipeline.DeadLettered, Err: errors.New("not JSON")})
		for _, size := range []int64{1 << 40, pipeline.UnknownSize} {
			time.Sleep(time.Second)
			r, err := a.Observer().Bucket(pipeline.Bucket{Source: livetest.Source{}}).Source.Open(t.Context(), livetest.Object("big", size))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.CopyN(io.Discard, r, 1000)
		}
		s = a.Status()
	})
	return s
}

// get returns an answer and its body.
func (s *server) get(t testing.TB, path string, header ...string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			request.Host = header[i+1]
		}
		request.Header.Set(header[i], header[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// TestStatus compares the bytes of the answer with a golden file, because scripts read it.
func TestStatus(t *testing.T) {
	full := sample(t)
	var empty live.Status
	synctest.Test(t, func(*testing.T) { empty = live.NewActivity().Status() })
	for name, status := range map[string]live.Status{"status.json": full, "status_empty.json": empty} {
		t.Run(name, func(t *testing.T) {
			s := start(t, web.Config{Status: func() live.Status { return status }})
			response, body := s.get(t, "/status")
			golden(t, name, body)
			var read live.Status
			if err := json.Unmarshal([]byte(body), &read); err != nil {
				t.Fatal(err)
			}
			for i, r := range read.Results {
				if want := strings.ToValidUTF8(status.Results[i].Key, "\ufffd"); r.Key != want {
					t.Errorf("key is %q, want %q", r.Key, want)
				}
			}
			for header, want := range map[string]string{
				"Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "",
			} {
				if got := response.Header.Get(header); got != want {
					t.Errorf("%s is %q, want %q", header, got, want)
				}
			}
			tag := response.Header.Get("ETag")
			if again, body := s.get(t, "/status", "If-None-Match", tag); again.StatusCode != http.StatusNotModified || body != "" {
				t.Errorf("asked again: %d, %q", again.StatusCode, body)
			}
			if again, _ := s.get(t, "/status", "If-None-Match", `"other"`); again.StatusCode != http.StatusOK {
				t.Errorf("asked with another tag: %d", again.StatusCode)
			}
		})
	}
}

// records are the records of a bucket in memory.
type records map[string]pipeline.Record

func (r records) Lookup(_ context.Context, o pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	switch record, ok := r[o.Key]; {
	case o.Key == "broken":
		return record, nil, errors.New("secret of the store")
	case o.Key == "impossible":
		return record, nil, pipeline.Permanent(errors.New("no such key can be"))
	case !ok || o.Bucket != "inbox":
		return record, nil, pipeline.ErrNotFound
	default:
		return record, nil, nil
	}
}

func TestRecords(t *testing.T) {
	longest := strings.Repeat("k", 4096)
	computed := time.Date(2024, 9, 12, 8, 30, 1, 123456789, time.FixedZone("", 7200))
	record := func(key string) pipeline.Record {
		o := livetest.Object(key, 5)
		o.VersionID, o.ETag = "v1", "etag"
		return pipeline.Record{Source: o, ComputedAt: computed, Digests: map[string]string{"md5": "5d41", "crc32c": "9a71"}}
	}
	s := start(t, web.Config{Records: map[string]web.Records{
		"inbox": records{"a b/c+d%20e.txt": record(""), longest: record(""), "\x01": record("")},
	}})
	query := func(bucket, key string) string {
		return "/records?" + url.Values{"bucket": {bucket}, "key": {key}}.Encode()
	}
	for name, tc := range map[string]struct {
		path   string
		status int
		answer string // whole, or a golden file
	}{
		"found":              {query("inbox", "a b/c+d%20e.txt"), 200, "record.json"},
		"longest key":        {query("inbox", longest), 200, ""},
		"control character":  {query("inbox", "\x01"), 200, ""},
		"none":               {query("inbox", "b"), 404, `{"error":"The object has no record"}`},
		"impossible":         {query("inbox", "impossible"), 404, `{"error":"The object has no record"}`},
		"other bucket":       {query("other", "a"), 404, `{"error":"The bucket is not configured"}`},
		"store fails":        {query("inbox", "broken"), 502, `{"error":"The record cannot be read"}`},
		"too long":           {query("inbox", longest+"k"), 400, `{"error":"The key is longer than 4096 bytes"}`},
		"bucket too long":    {query(longest, "a"), 400, `{"error":"The bucket's name is longer than 255 bytes"}`},
		"not UTF-8":          {"/records?bucket=inbox&key=%ff", 400, `{"error":"The name is not UTF-8"}`},
		"malformed":          {"/records?bucket=inbox&key=%zz", 400, `{"error":"The query is malformed"}`},
		"nothing":            {"/records", 400, `{"error":"Name one object: /records?bucket=NAME\u0026key=KEY"}`},
		"no key":             {"/records?bucket=inbox", 400, `{"error":"Name one object: /records?bucket=NAME\u0026key=KEY"}`},
		"two keys":           {"/records?bucket=inbox&key=a&key=b", 400, `{"error":"Name one object: /records?bucket=NAME\u0026key=KEY"}`},
		"key, but no bucket": {"/records?key=a", 400, `{"error":"Name one object: /records?bucket=NAME\u0026key=KEY"}`},
	} {
		t.Run(name, func(t *testing.T) {
			response, body := s.get(t, tc.path)
			if response.StatusCode != tc.status || response.Header.Get("Content-Type") != "application/json" {
				t.Errorf("got %d, %q", response.StatusCode, response.Header.Get("Content-Type"))
			}
			switch {
			case strings.HasSuffix(tc.answer, ".json"):
				golden(t, tc.answer, body)
			case tc.answer != "" && body != tc.answer+"\n":
				t.Errorf("got %s, want %s", body, tc.answer)
			}
		})
	}
}

// TestAbsent shows that routes that are not configured do not exist.
func TestAbsent(t *testing.T) {
	s := start(t, web.Config{})
	for _, path := range []string{"/status", "/records?bucket=a&key=b"} {
		if response, _ := s.get(t, path); response.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, response.StatusCode)
		}
	}
	_, html := s.get(t, "/")
	for _, part := range []string{`id="results"`, `id="lookup"`, "GET /status", "GET /records"} {
		if strings.Contains(html, part) {
			t.Errorf("page has %s", part)
		}
	}
}

// TestReadOnly shows that methods that would change something are refused.
func TestReadOnly(t *testing.T) {
	s := start(t, web.Config{Status: func() live.Status { return live.Status{} }, Records: map[string]web.Records{"inbox": records{}}})
	for _, path := range []string{"/status", "/records"} {
		response, err := s.client.Post(s.url(path), "text/plain", nil)
		if err != nil {
			t.Fatal(err)
		}
		decode(t, response)
		if response.StatusCode != http.StatusMethodNotAllowed || response.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("POST %s: %d, Allow %q", path, response.StatusCode, response.Header.Get("Allow"))
		}
	}
}

// TestHosts shows that names that a web site could resolve to this server are not answered.
func TestHosts(t *testing.T) {
	config := web.Config{Status: func() live.Status { return live.Status{} }, Records: map[string]web.Records{"inbox": records{}}}
	open := start(t, config)
	config.Hosts = []string{"localhost"}
	closed := start(t, config)
	for host, known := range map[string]bool{
		"localhost": true, "LOCALHOST:5000": true, "127.0.0.1:5000": true, "[::1]:5000": true, "::1": true,
		"evil.example": false, "evil.example:5000": false, "localhost.evil.example": false, "127.0.0.1.evil.example": false,
	} {
		for path, status := range map[string]int{"/": 200, "/status": 200, "/records": 400} {
			want := status
			if !known {
				want = http.StatusMisdirectedRequest
			}
			if response, _ := closed.get(t, path, "Host", host); response.StatusCode != want {
				t.Errorf("GET %s of %s: %d, want %d", path, host, response.StatusCode, want)
			}
			if response, _ := open.get(t, path, "Host", host); response.StatusCode != status {
				t.Errorf("without Hosts, GET %s of %s: %d", path, host, response.StatusCode)
			}
		}
		if response, _ := closed.get(t, "/health", "Host", host); response.StatusCode != http.StatusOK {
			t.Errorf("GET /health of %s: %d", host, response.StatusCode)
		}
	}
}
