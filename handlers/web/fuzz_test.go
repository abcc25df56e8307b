package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/pipeline"
)

// ask sends a request to a handler and expects an answer in JSON.
func ask(t *testing.T, h http.Handler, r *http.Request, allowed ...int) *answerWriter {
	t.Helper()
	w := &answerWriter{header: make(http.Header)}
	h.ServeHTTP(w, r)
	if !slices.Contains(allowed, w.status) || !json.Valid([]byte(w.body.String())) {
		t.Errorf("the answer is %d: %q", w.status, w.body.String())
	}
	return w
}

// FuzzUpload uploads any body, and any content in a right form.
func FuzzUpload(f *testing.F) {
	f.Add(formType, []byte("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nhello\r\n--b--\r\n"))
	f.Add(`multipart/form-data; boundary="--"`, []byte("----\r\n\r\n------"))
	f.Add("multipart/form-data; boundary=b; boundary=c", []byte("--b\r\nContent-Disposition: form-data; name*0=fi; name*1=le; filename*=utf-8''%ff\r\n\r\n--b--"))
	f.Add("", []byte("--b\r\n--b\r\n"))
	h, err := web.Handler(web.Config{MaxUpload: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		upload := func(contentType string, body []byte) *answerWriter {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/md5", bytes.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", contentType)
			return ask(t, h, r, 200, 400, 408, 413)
		}
		upload(contentType, body)
		whole, content := form(t, body)
		if len(content) > 1<<20 {
			return
		}
		got := upload(whole, content)
		if want := fmt.Sprintf(`{"md5_checksum":%q}`+"\n", sumOf(body)); got.body.String() != want {
			t.Errorf("the sum of %q is %s, want %s", body, got.body.String(), want)
		}
	})
}

// asked remembers the object of the last lookup.
type asked struct{ o pipeline.Object }

func (a *asked) Lookup(_ context.Context, o pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	a.o = o
	return pipeline.Record{}, nil, pipeline.ErrNotFound
}

// FuzzRecords asks for records with any query: only the configured bucket is looked at, by
// exactly the key of the query.
func FuzzRecords(f *testing.F) {
	for _, query := range []string{"bucket=inbox&key=a", "bucket=inbox&key=..%2F..%2Fetc", "bucket=inbox&bucket=x&key=a", "key=%00&bucket=inbox", ";", "bucket=inbox&key=%ff", "%"} {
		f.Add(query, "a/../b\x00")
	}
	records := &asked{}
	h, err := web.Handler(web.Config{Records: map[string]web.Records{"inbox": records}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, key string) {
		get := func(query string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/records", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.URL.RawQuery = query
			records.o = pipeline.Object{}
			ask(t, h, r, 400, 404)
		}
		get(query)
		if values, err := url.ParseQuery(query); records.o.Key != "" && (err != nil || records.o.Bucket != "inbox" || records.o.Key != values.Get("key")) {
			t.Errorf("%q looks for %q in %q", query, records.o.Key, records.o.Bucket)
		}
		get(url.Values{"bucket": {"inbox"}, "key": {key}}.Encode())
		if records.o.Key != "" && records.o.Key != key {
			t.Errorf("%q looks for %q", key, records.o.Key)
		}
	})
}
