package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// startLocal runs local on a folder until the test ends, and returns the URL of its HTTP side and the file
// that it reports to.
func startLocal(t *testing.T, dir string, change func(*Config)) (url, report string) {
	t.Helper()
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := Config{Drivers: queue.Drivers{ownQueues{suffix: "-" + rand.Text()}}, Listen: "127.0.0.1:0"}
	if change != nil {
		change(&c)
	}
	ended := make(chan error, 1)
	go func() { ended <- Local(ctx, LocalConfig{Dir: dir, Settle: time.Millisecond, Out: out, Worker: c}) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, ErrIncomplete) {
			t.Error(err)
		}
		out.Close()
	})
	eventually(t, "the page is named", func() bool {
		said, err := os.ReadFile(out.Name())
		_, after, found := strings.Cut(string(said), "http://")
		host, _, ok := strings.Cut(after, "/")
		url = "http://" + host
		return err == nil && found && ok
	})
	return url, out.Name()
}

// putFile sends a file, and returns the status and the answer.
func putFile(t *testing.T, url, path, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.URL.Opaque = "//" + r.URL.Host + path // as it is
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	r.Close = true
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// filesIn returns the files of a folder with their contents. Of those of bucketsum it has only uploads.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var files strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		_, own, _ := strings.Cut(filepath.ToSlash(path), "/.bucketsum/")
		if err == nil && d.Type().IsRegular() && (own == "" || strings.HasPrefix(own, "uploads/")) {
			var content []byte
			content, err = os.ReadFile(path)
			name, _ := filepath.Rel(dir, path)
			fmt.Fprintf(&files, "%s=%s;", name, content)
		}
		if errors.Is(err, os.ErrNotExist) { // a record was written meanwhile
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files.String()
}

// TestPut writes a file by HTTP: it gets its checksum as any other file. What must not be written is refused,
// and leaves nothing.
func TestPut(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "in box")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	url, _ := startLocal(t, dir, func(c *Config) { c.MaxUpload, c.Exclude = 1000, []string{"*.tmp"} })
	const objects = "/v1/objects/in%20box/"
	status, answer := putFile(t, url, objects+"a%2Fb%20%C3%A9.txt", "hello\n", "Content-MD5", "sZRqySSS0jR8YjW00mERhA==")
	if status != 201 || !strings.Contains(answer, `"key":"a/b é.txt"`) || !strings.Contains(answer, `"md5":"b1946ac92492d2347c6235b4d2611184"`) || !strings.Contains(answer, `"outcome":"match"`) {
		t.Fatalf("status %d: %s", status, answer)
	}
	eventually(t, "it gets its record", func() bool {
		sum, err := os.ReadFile(filepath.Join(dir, "a", "b é.txt.md5"))
		return err == nil && string(sum) == "b1946ac92492d2347c6235b4d2611184  b é.txt\n"
	})
	before := filesIn(t, parent)
	for name, tc := range map[string]struct {
		path, body string
		header     []string
		want       int
		says       string
	}{
		"it is there":                  {objects + "a/b%20%C3%A9.txt", "x", nil, 409, "overwrite=true"},
		"it must not be there":         {objects + "a/b%20%C3%A9.txt", "x", []string{"If-None-Match", "*"}, 412, "precondition-failed"},
		"it must be there":             {objects + "c", "x", []string{"If-Match", "*"}, 412, "precondition-failed"},
		"another version":              {objects + "a/b%20%C3%A9.txt", "x", []string{"If-Match", `"1-2"`}, 412, "precondition-failed"},
		"a list of versions":           {objects + "a/b%20%C3%A9.txt", "x", []string{"If-Match", `"1", "2"`}, 400, "invalid-query"},
		"both":                         {objects + "c?overwrite=true", "x", []string{"If-None-Match", "*"}, 400, "excludes"},
		"a strange overwrite":          {objects + "c?overwrite=yes", "x", nil, 400, "true or false"},
		"another content than stated":  {objects + "c", "x", []string{"Content-MD5", "sZRqySSS0jR8YjW00mERhA=="}, 422, "digest-mismatch"},
		"no valid digest":              {objects + "c", "x", []string{"Content-MD5", "x"}, 400, "invalid-digest"},
		"too large":                    {objects + "c", strings.Repeat("x", 1001), nil, 413, "too-large"},
		"a part":                       {objects + "c", "x", []string{"Content-Range", "bytes 0-0/2"}, 400, "Content-Range"},
		"compressed":                   {objects + "c", "x", []string{"Content-Encoding", "gzip"}, 415, "content-encoding"},
		"another site":                 {objects + "c", "x", []string{"Origin", "http://evil.example"}, 403, "foreign-origin"},
		"through a proxy":              {objects + "c", "x", []string{"X-Forwarded-For", "192.0.2.1"}, 403, "forwarded"},
		"another bucket":               {"/v1/objects/other/c", "x", nil, 404, "no-bucket"},
		"no key":                       {objects, "x", nil, 400, "invalid-name"},
		"no bucket":                    {"/v1/objects/", "x", nil, 400, "invalid-name"},
		"up":                           {objects + "../c", "x", nil, 400, "invalid-object"},
		"up, escaped":                  {objects + "%2e%2e%2fc", "x", nil, 400, "invalid-object"},
		"up, escaped twice":            {objects + "%252e%252e%252fc", "x", nil, 201, ""},
		"up below":                     {objects + "a/..%2f..%2fc", "x", nil, 400, "invalid-object"},
		"absolute":                     {objects + "%2Fetc%2Fc", "x", nil, 400, "invalid-object"},
		"empty element":                {objects + "a//c", "x", nil, 400, "invalid-object"},
		"a folder":                     {objects + "a/", "x", nil, 400, "invalid-object"},
		"below a file":                 {objects + "a/b%20%C3%A9.txt/c", "x", nil, 400, "is a file"},
		"over a folder":                {objects + "a?overwrite=true", "x", nil, 400, "not a regular file"},
		"NUL":                          {objects + "a%00b", "x", nil, 400, "control character"},
		"a line":                       {objects + "a%0Ab", "x", nil, 400, "control character"},
		"not UTF-8":                    {objects + "a%ffb", "x", nil, 400, "not UTF-8"},
		"a record":                     {objects + "c.md5", "x", nil, 400, "name of a record"},
		"a record of another kind":     {objects + "c.sha256", "x", nil, 400, "name of a record"},
		"our folder":                   {objects + ".bucketsum/records/aa/x.json", "x", nil, 400, "leaves"},
		"our folder, in another case":  {objects + ".BucketSum./c", "x", nil, 400, "leaves"},
		"version control":              {objects + "r/.git/hooks/post-checkout", "x", nil, 400, "leaves"},
		"version control, upper case":  {objects + ".GIT/config", "x", nil, 400, "leaves"},
		"excluded":                     {objects + "c.tmp", "x", nil, 400, "--exclude"},
		"a long name":                  {objects + strings.Repeat("n", 300), "x", nil, 400, "too long"},
		"a long key":                   {objects + strings.Repeat("n/", 3000) + "x", "x", nil, 400, "longer than"},
		"many folders":                 {objects + strings.Repeat("n/", 100) + "x", "x", nil, 400, "more than 64 folders"},
		"many folders, none is missed": {objects + strings.Repeat("..%2f", 30) + "etc/c", "x", nil, 400, "invalid-object"},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := putFile(t, url, tc.path, tc.body, tc.header...)
			if status != tc.want || !strings.Contains(answer, tc.says) {
				t.Errorf("status %d, want %d with %q: %s", status, tc.want, tc.says, answer)
			}
			if status == 201 {
				return
			}
			after := filesIn(t, parent)
			for _, own := range []string{"in box/%2e%2e%2fc=x;", "in box/%2e%2e%2fc.md5=9dd4e461268c8034f5c8564e155c67a6  %2e%2e%2fc\n;"} {
				after = strings.Replace(after, own, "", 1)
			}
			if after != before {
				t.Errorf("files: %q, want %q", after, before)
			}
		})
	}

	_, record := call(t, "GET", url+"/v1/records/in%20box/a%2Fb%20%C3%A9.txt", "")
	_, etag, _ := strings.Cut(record, `"etag":"`)
	etag, _, _ = strings.Cut(etag, `"`)
	if status, answer := putFile(t, url, objects+"a/b%20%C3%A9.txt", "new", "If-Match", `"`+etag+`"`); status != 201 {
		t.Errorf("the version that the record is of: status %d: %s", status, answer)
	}
	if status, answer := putFile(t, url, objects+"a/b%20%C3%A9.txt?overwrite=true&algorithms=sha256", "newer"); status != 201 || !strings.Contains(answer, `"sha256":"`) {
		t.Errorf("overwritten: status %d: %s", status, answer)
	}
	eventually(t, "the new content gets its record", func() bool {
		sum, err := os.ReadFile(filepath.Join(dir, "a", "b é.txt.md5"))
		return err == nil && string(sum) == "0c10f4a0c12ba89211235026b861263d  b é.txt\n"
	})
}

// TestPutIsAborted: a client that goes away leaves nothing.
func TestPutIsAborted(t *testing.T) {
	dir := t.TempDir()
	url, _ := startLocal(t, dir, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT /v1/objects/%s/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nhalf", filepath.Base(dir))
	eventually(t, "the upload is under way", func() bool { return strings.Contains(filesIn(t, dir), ".bucketsum/uploads/") })
	conn.Close()
	eventually(t, "nothing is left", func() bool { return filesIn(t, dir) == "" })
}
