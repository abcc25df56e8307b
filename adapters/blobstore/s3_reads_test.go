package blobstore_test

import (
	"bytes"
	"crypto/md5"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// readObject opens an object and reads it to its end.
func readObject(t *testing.T, source pipeline.Source, o pipeline.Object) (string, pipeline.Object, error) {
	t.Helper()
	r, err := source.Open(t.Context(), o)
	if err != nil {
		return "", o, err
	}
	content, err := io.ReadAll(r)
	return string(content), r.Object(), errors.Join(err, r.Close())
}

// mustRead asks for the content of an object.
func mustRead(t *testing.T, source pipeline.Source, o pipeline.Object, want string) pipeline.Object {
	t.Helper()
	got, opened, err := readObject(t, source, o)
	if err != nil || got != want {
		t.Errorf("%q: got %d bytes, %v; want %d", o.Key, len(got), err, len(want))
	}
	return opened
}

func isA(t *testing.T, err, sentinel error) {
	t.Helper()
	if !errors.Is(err, sentinel) {
		t.Errorf("got %v, want %v", err, sentinel)
	}
}

func TestPinnedByVersion(t *testing.T) {
	b := makeBucket(t, awsenv.StartVersitygw(t), true)
	store := b.open(t, blobstore.Config{})
	first := b.put(t, "a", strings.Repeat("first", 1<<18))
	r, err := store.Open(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	second := b.put(t, "a", "second")
	third := b.put(t, "a", "third")
	// What was opened is read to its end, whatever happens to the key.
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(content) != strings.Repeat("first", 1<<18) {
		t.Errorf("got %d bytes, %v", len(content), err)
	}
	for _, v := range []struct {
		o    pipeline.Object
		want string
	}{{second, "second"}, {third, "third"}, {pipeline.Object{Bucket: b.name, Key: "a", VersionID: second.VersionID}, "second"}} {
		opened := mustRead(t, store, v.o, v.want)
		if opened.VersionID != v.o.VersionID || opened.ETag == "" || opened.Size != int64(len(v.want)) {
			t.Errorf("opened %+v", opened)
		}
	}
	now, err := store.Stat(t.Context(), first)
	if err != nil || now.VersionID != third.VersionID || now.SameVersion(first) {
		t.Errorf("Stat: %+v, %v; want the current version %s", now, err, third.VersionID)
	}

	b.delete(t, "a", second.VersionID)
	_, err = store.Open(t.Context(), second)
	isA(t, err, pipeline.ErrNotFound) // the version is gone
	out, err := b.client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String("a")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Stat(t.Context(), first)
	isA(t, err, pipeline.ErrNotFound) // what is current is a marker
	_, err = store.Open(t.Context(), pipeline.Object{Bucket: b.name, Key: "a", VersionID: *out.VersionId})
	isA(t, err, pipeline.ErrNotFound)
	mustRead(t, store, first, strings.Repeat("first", 1<<18))

	// An id that the store can never have given.
	_, err = store.Open(t.Context(), pipeline.Object{Bucket: b.name, Key: "a", VersionID: "no such id"})
	if pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v, want a permanent error", err)
	}
}

// The version that S3 calls "null" is overwritten in place: its id says nothing.
func TestNullVersion(t *testing.T) {
	b := makeBucket(t, awsenv.StartVersitygw(t), false)
	store := b.open(t, blobstore.Config{})
	old := b.put(t, "a", "old")
	b.setVersioning(t, types.BucketVersioningStatusEnabled)
	b.setVersioning(t, types.BucketVersioningStatusSuspended)
	old.VersionID = "null"
	if now := mustRead(t, store, old, "old"); now.VersionID != "" || !now.SameVersion(old) {
		t.Errorf("opened %+v", now)
	}
	fresh := b.put(t, "a", "fresh")
	_, err := store.Open(t.Context(), old)
	isA(t, err, pipeline.ErrChanged)
	fresh.VersionID = "null"
	mustRead(t, store, fresh, "fresh")
	if now, err := store.Stat(t.Context(), fresh); err != nil || now.SameVersion(old) || !now.SameVersion(fresh) {
		t.Errorf("Stat: %+v, %v", now, err)
	}
}

// Overwritten twice while it is read: never a mixture.
func TestOverwrittenWhileRead(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	for name, versioned := range map[string]bool{"by ETag": false, "by version": true} {
		t.Run(name, func(t *testing.T) {
			var overwrite func()
			b := makeBucket(t, server, versioned)
			cut := cutter{left: []int64{70_000, 1 << 40}}
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Header.Get("Range") != "" {
					overwrite()
				}
				cut.serve(w, r, next)
			})
			old := b.put(t, "a", strings.Repeat("x", 200_000))
			overwrite = func() {
				b.put(t, "a", strings.Repeat("y", 200_000))
				b.put(t, "a", strings.Repeat("z", 200_000))
			}
			content, _, err := readObject(t, b.through(proxy).open(t, blobstore.Config{}), old)
			if versioned {
				if err != nil || content != strings.Repeat("x", 200_000) {
					t.Errorf("got %d bytes, %v", len(content), err)
				}
				return
			}
			isA(t, err, pipeline.ErrChanged)
			if strings.Trim(content, "x") != "" {
				t.Error("a mixture was read")
			}
		})
	}
}

// cutter lets through so many bytes of each body that is asked for, one after the
// other, and then closes the connection.
type cutter struct {
	mu   sync.Mutex
	left []int64 // bytes
	sent atomic.Int64
}

type cutWriter struct {
	http.ResponseWriter
	*cutter
	left int64
}

func (c *cutter) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	c.mu.Lock()
	left := int64(1 << 40)
	if r.Method == http.MethodGet && len(c.left) > 0 {
		left, c.left = c.left[0], c.left[1:]
	}
	c.mu.Unlock()
	next.ServeHTTP(&cutWriter{w, c, left}, r)
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) < w.left {
		w.left -= int64(len(p))
		w.sent.Add(int64(len(p)))
		return w.ResponseWriter.Write(p)
	}
	w.sent.Add(w.left)
	n, err := w.ResponseWriter.Write(p[:w.left])
	if err == nil {
		// What was let through arrives.
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	if err != nil {
		return n, err
	}
	panic(http.ErrAbortHandler)
}

// Bodies are cut a thousand times: every checksum is right, and no byte is asked
// for that came already.
func TestBodiesThatBreakOff(t *testing.T) {
	const (
		objects = 50
		cuts    = 20 // of each
		size    = 1 << 20
	)
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	var cut cutter
	store := b.through(server.Before(t, cut.serve)).open(t, blobstore.Config{})
	content := make([]byte, size)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	o, want := b.put(t, "a", string(content)), md5.Sum(content)
	random := mathrand.New(mathrand.NewPCG(1, 2))
	for range objects {
		offsets := make([]int64, cuts)
		for i := range offsets {
			offsets[i] = random.Int64N(size)
		}
		slices.Sort(offsets)
		cut.left, cut.sent = nil, atomic.Int64{}
		last := int64(0)
		for _, offset := range offsets {
			cut.left = append(cut.left, max(offset-last, 1))
			last = max(offset, last+1)
		}
		r, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		sum := md5.New()
		n, err := io.Copy(sum, r)
		if err := errors.Join(err, r.Close()); err != nil {
			t.Fatal(err)
		}
		if got := [md5.Size]byte(sum.Sum(nil)); n != size || got != want {
			t.Fatalf("got %d bytes with checksum %x, want %x", n, got, want)
		}
		if len(cut.left) != 0 {
			t.Errorf("%d cuts did not happen", len(cut.left))
		}
		if again := cut.sent.Load() - size; again != 0 {
			t.Errorf("%d bytes were sent again", again)
		}
	}
}

// A body that never gets on is given up, and says how far it came.
func TestBodyThatNeverGetsOn(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	o := b.put(t, "a", strings.Repeat("x", 5000))
	etag := `"` + o.ETag + `"`
	for name, then := range map[string]func(w http.ResponseWriter, r *http.Request, next http.Handler){
		"the store has a fault": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { answer(w, 500, "InternalError") },
		"without another byte":  func(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) },
		"the store was asked for": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.Header().Set("Content-Length", "5000")
			w.Header().Set("ETag", etag) // from the start, as a store does that knows no ranges
			_, _ = io.WriteString(w, strings.Repeat("x", 5000))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cut := cutter{left: []int64{1000}}
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Header.Get("Range") != "" {
					then(w, r, next)
					return
				}
				cut.serve(w, r, next)
			})
			content, _, err := readObject(t, b.through(proxy).open(t, blobstore.Config{}), o)
			if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "1000 of 5000") {
				t.Errorf("got %v", err)
			}
			if len(content) != 1000 {
				t.Errorf("got %d bytes", len(content))
			}
		})
	}
}

// Bodies that are shorter than announced, or are not announced at all. Of longer
// ones, HTTP itself takes no more than was announced.
func TestBodiesOfWrongLength(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	o := b.put(t, "a", "content")
	for name, body := range map[string]string{
		"does not say":         "",
		"without another byte": "cont",
	} {
		t.Run(name, func(t *testing.T) {
			proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
				w.Header().Set("ETag", `"`+o.ETag+`"`)
				if body == "" || r.Header.Get("Range") != "" {
					w.WriteHeader(http.StatusOK)
					_ = http.NewResponseController(w).Flush() // chunked: no length
					return
				}
				// By hand, as Go's server keeps to what it announced.
				conn, rw, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				fmt.Fprintf(rw, "HTTP/1.1 200 OK\r\nETag: %q\r\nContent-Length: %d\r\n\r\n%s", o.ETag, 7, body)
				_ = rw.Flush()
			})
			content, _, err := readObject(t, b.through(proxy).open(t, blobstore.Config{}), o)
			if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "does not say") {
				t.Errorf("got %q, %v", content, err)
			}
		})
	}
}

// A body that arrives whole but differs from S3's own checksum of it is not summed.
func TestBodyThatWasDamaged(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	o := b.put(t, "a", "content")
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(damager{w}, r)
	})
	_, _, err := readObject(t, b.through(proxy).open(t, blobstore.Config{}), o)
	if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "checksum did not match") {
		t.Errorf("got %v", err)
	}
}

type damager struct{ http.ResponseWriter }

func (d damager) Write(p []byte) (int, error) {
	return d.ResponseWriter.Write(bytes.ReplaceAll(p, []byte("content"), []byte("c0ntent")))
}

// answer answers as S3 does when something is wrong.
func answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>as told</Message></Error>", code)
}

func TestErrorsOfS3(t *testing.T) {
	for _, test := range []struct {
		status   int
		code     string
		class    pipeline.Class
		sentinel error
		says     string
	}{
		{404, "NoSuchKey", pipeline.ClassSuperseded, pipeline.ErrNotFound, ""},
		{404, "NoSuchVersion", pipeline.ClassSuperseded, pipeline.ErrNotFound, ""},
		{404, "NoSuchBucket", pipeline.ClassTransient, nil, `there is no bucket "test"`},
		{404, "SomethingElse", pipeline.ClassTransient, nil, ""},
		{405, "MethodNotAllowed", pipeline.ClassTransient, nil, ""}, // not of a marker
		{412, "PreconditionFailed", pipeline.ClassSuperseded, pipeline.ErrChanged, ""},
		{403, "InvalidObjectState", pipeline.ClassSuperseded, pipeline.ErrArchived, ""},
		{403, "AccessDenied", pipeline.ClassTransient, nil, "s3:GetObject"},
		{403, "InvalidAccessKeyId", pipeline.ClassTransient, nil, "renew them"},
		{403, "RequestTimeTooSkewed", pipeline.ClassTransient, nil, "clock"},
		{400, "ExpiredToken", pipeline.ClassTransient, nil, "credentials have expired"},
		{400, "KMS.DisabledException", pipeline.ClassTransient, nil, "KMS key"},
		{400, "KMS.NotFoundException", pipeline.ClassTransient, nil, "KMS key"},
		{400, "InvalidRequest", pipeline.ClassTransient, nil, "--sse-c-key-file"},
		{400, "AuthorizationHeaderMalformed", pipeline.ClassTransient, nil, "AWS_REGION"},
		{301, "PermanentRedirect", pipeline.ClassTransient, nil, "region eu-west-9"},
		{400, "KeyTooLongError", pipeline.ClassPermanent, nil, ""},
		{503, "SlowDown", pipeline.ClassTransient, nil, "fewer requests"},
		{500, "InternalError", pipeline.ClassTransient, nil, "has a fault"},
		{418, "Teapot", pipeline.ClassTransient, nil, "Teapot"},
	} {
		t.Run(test.code, func(t *testing.T) {
			t.Parallel()
			server := awsenv.Server{URL: "http://127.0.0.1:1"}.Before(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
				w.Header().Set("X-Amz-Bucket-Region", "eu-west-9")
				answer(w, test.status, test.code)
			})
			store := s3Bucket{server, "test", nil}.open(t, blobstore.Config{})
			o := pipeline.Object{Bucket: "test", Key: "a", ETag: "e", Size: pipeline.UnknownSize}
			_, err := store.Open(t.Context(), o)
			if got := pipeline.Classify(err); got != test.class {
				t.Errorf("got %v (%q), want one of class %q", err, got, test.class)
			}
			if test.sentinel != nil {
				isA(t, err, test.sentinel)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v does not say %q", err, test.says)
			}
			if test.class == pipeline.ClassTransient {
				for name, err := range map[string]error{
					"Save":  store.Bucket().Records.Save(t.Context(), record(o)),
					"Check": store.Check(t.Context()),
				} {
					if pipeline.Classify(err) != pipeline.ClassTransient {
						t.Errorf("%s: got %v, want a transient error", name, err)
					}
				}
			}
		})
	}
}

// A bucket that is gone must not look like objects that are.
func TestBucketThatIsGone(t *testing.T) {
	b := makeBucket(t, awsenv.StartVersitygw(t), false)
	store := b.open(t, blobstore.Config{})
	o := b.put(t, "a", "content")
	b.delete(t, "a", "")
	if _, err := b.client.DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: &b.name}); err != nil {
		t.Fatal(err)
	}
	_, statErr := store.Stat(t.Context(), o)
	_, openErr := store.Open(t.Context(), o)
	_, lookupErr := store.Bucket().Records.Lookup(t.Context(), o)
	_, removeErr := store.Bucket().Records.Remove(t.Context(), o)
	var listErr error
	for _, listErr = range store.List(t.Context()) {
	}
	for name, err := range map[string]error{
		"Stat": statErr, "Open": openErr, "Lookup": lookupErr, "Remove": removeErr, "List": listErr,
		"Save": store.Bucket().Records.Save(t.Context(), record(o)),
	} {
		if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "there is no bucket") {
			t.Errorf("%s: got %v, want a transient error that says so", name, err)
		}
	}
}

// A store with a fault or too much to do for a moment costs nothing but time.
func TestBurstsOfFaults(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	o := b.put(t, "a", "content")
	var requests atomic.Int64
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch requests.Add(1) % 3 {
		case 1:
			answer(w, 503, "SlowDown")
		case 2:
			next.ServeHTTP(w, r)
		default:
			panic(http.ErrAbortHandler)
		}
	})
	bucket := b.through(proxy).open(t, blobstore.Config{}).Bucket()
	opened := mustRead(t, bucket.Source, o, "content")
	r := record(opened)
	if err := bucket.Records.Save(t.Context(), r); err != nil {
		t.Error(err)
	}
	if got, err := bucket.Records.Lookup(t.Context(), o); err != nil || got.Digests["md5"] != r.Digests["md5"] {
		t.Errorf("Lookup: %v, %v", got, err)
	}
}

// Keys that gocloud would rewrite. versitygw has no name for some.
func TestRawKeys(t *testing.T) {
	b := makeBucket(t, awsenv.StartMoto(t), false)
	store := b.open(t, blobstore.Config{})
	records := store.Bucket().Records
	var want []string
	for _, key := range []string{
		"../up", "a/../b", "./x", "a//b", "/lead", "//", "slash/", "\x01\x1f", "tab\t", "__0x2f__", "__0x41__/__0x0a__",
		"a+b c", "%25", "ü\u2028", strings.Repeat("k", 1020), strings.Repeat("ü/", 339) + "123",
	} {
		o := b.put(t, key, "content of "+key)
		mustRead(t, store, o, "content of "+key)
		if now, err := store.Stat(t.Context(), o); err != nil || now != o {
			t.Errorf("Stat %q: %+v, %v", key, now, err)
		}
		r := record(o)
		if err := records.Save(t.Context(), r); err != nil {
			t.Errorf("Save: %v", err)
		}
		if _, ok := b.get(t, key+".md5"); !ok {
			t.Errorf("%q has no record beside it", key)
		}
		if got, err := records.Lookup(t.Context(), o); err != nil || got.Digests["md5"] != r.Digests["md5"] {
			t.Errorf("Lookup %q: %v, %v", key, got, err)
		}
		if key != "tab\t" {
			if removed, err := records.Remove(t.Context(), o); err != nil || !removed {
				t.Errorf("Remove %q: %v, %v", key, removed, err)
			}
		}
		want = append(want, key)
	}
	b.put(t, "folder/", "")
	slices.Sort(want)
	var got []string
	for o, err := range store.List(t.Context()) {
		if o.Key == "folder/" {
			isA(t, err, pipeline.ErrFiltered)
			continue
		}
		if err != nil {
			t.Errorf("List %q: %v", o.Key, err)
		}
		if now, err := store.Stat(t.Context(), o); err != nil || now != o {
			t.Errorf("listed %+v, Stat: %+v, %v", o, now, err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed\n%q, want\n%q", got, want)
	}

	// A key may be so long that there can be no record.
	long := b.put(t, strings.Repeat("k", 1024), "content")
	mustRead(t, store, long, "content")
	if err := records.Save(t.Context(), record(long)); pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), "1028 bytes") {
		t.Errorf("got %v, want a permanent error that says how long its record's key would be", err)
	}
	if removed, err := records.Remove(t.Context(), long); removed || err != nil {
		t.Errorf("Remove: %v, %v", removed, err)
	}
	long.Key += "k"
	if _, err := store.Open(t.Context(), long); pipeline.Classify(err) != pipeline.ClassPermanent {
		t.Errorf("got %v, want a permanent error", err)
	}
}

func TestFoldersAndEmptyObjects(t *testing.T) {
	b := makeBucket(t, awsenv.StartVersitygw(t), false)
	store := b.open(t, blobstore.Config{})
	folder, empty := b.put(t, "folder/", ""), b.put(t, "empty", "")
	mustRead(t, store, empty, "")
	for _, size := range []int64{0, pipeline.UnknownSize} {
		folder.Size = size
		_, err := store.Open(t.Context(), folder)
		isA(t, err, pipeline.ErrFiltered)
	}
	_, err := store.Stat(t.Context(), folder)
	isA(t, err, pipeline.ErrFiltered)
	_, err = store.Stat(t.Context(), pipeline.Object{Key: "gone/"})
	isA(t, err, pipeline.ErrNotFound)
}

func TestArchived(t *testing.T) {
	b := makeBucket(t, awsenv.StartMoto(t), false)
	store := b.open(t, blobstore.Config{})
	o := b.put(t, "a", "content", func(in *s3.PutObjectInput) { in.StorageClass = types.StorageClassGlacier })
	_, err := store.Open(t.Context(), o)
	isA(t, err, pipeline.ErrArchived)
	if now, err := store.Stat(t.Context(), o); err != nil || !now.SameVersion(o) {
		t.Errorf("Stat: %+v, %v", now, err)
	}
}

// ListObjects of several pages asks for nothing but the pages.
func TestListS3(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	var want []string
	for _, key := range manyKeys() {
		b.put(t, key, key)
		want = append(want, key)
	}
	b.put(t, want[0]+".md5", "a record, by its name")
	slices.Sort(want)
	var requests atomic.Int64
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		requests.Add(1)
		next.ServeHTTP(w, r)
	})
	store := b.through(proxy).open(t, blobstore.Config{})
	var got []string
	for o, err := range store.List(t.Context()) {
		if err != nil || o.Bucket != b.name || o.Size != int64(len(o.Key)) || o.ETag != fmt.Sprintf("%x", md5.Sum([]byte(o.Key))) {
			t.Fatalf("listed %+v, %v", o, err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("listed %d objects, want %d, in order", len(got), len(want))
	}
	if n := requests.Load(); n != int64(len(want)+1)/1000+1 {
		t.Errorf("it took %d requests", n)
	}
	for range store.List(t.Context()) {
		break // a listing may be left
	}
}

// encrypted stands in for S3 where objects are encrypted with a customer's key,
// as neither versitygw nor moto does that: an object that was put with a key needs
// it, another refuses it.
func encrypted(t *testing.T, server awsenv.Server) awsenv.Server {
	var keys sync.Map // path → MD5 of the key
	return server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		const header = "X-Amz-Server-Side-Encryption-Customer-"
		given := r.Header.Get(header + "Key-Md5")
		if given != "" {
			key, err := base64.StdEncoding.DecodeString(r.Header.Get(header + "Key"))
			if sum := md5.Sum(key); err != nil || len(key) != 32 || base64.StdEncoding.EncodeToString(sum[:]) != given || r.Header.Get(header+"Algorithm") != "AES256" {
				answer(w, 400, "InvalidArgument")
				return
			}
		}
		if r.Method == http.MethodPut {
			keys.Store(r.URL.Path, given)
			next.ServeHTTP(w, r)
			return
		}
		needed, _ := keys.LoadOrStore(r.URL.Path, "")
		switch {
		case needed == given:
			next.ServeHTTP(w, r)
		case needed == "" || given == "":
			answer(w, 400, "InvalidRequest")
		default:
			answer(w, 403, "AccessDenied")
		}
	})
}

func TestCustomerKey(t *testing.T) {
	b := makeBucket(t, encrypted(t, awsenv.StartVersitygw(t)), false)
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"raw": string(key), "base64": base64.StdEncoding.EncodeToString(key) + "\n", "wrong": "too short",
	} {
		writeFile(t, filepath.Join(dir, name), content)
		got, err := blobstore.ReadCustomerKey(filepath.Join(dir, name))
		if ok := name != "wrong"; ok != (err == nil) || ok && !bytes.Equal(got, key) {
			t.Errorf("%s: got %x, %v", name, got, err)
		}
	}
	if _, err := blobstore.ReadCustomerKey(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}

	sum := md5.Sum(key)
	o := b.put(t, "secret", "content", func(in *s3.PutObjectInput) {
		in.SSECustomerAlgorithm, in.SSECustomerKey = aws.String("AES256"), aws.String(base64.StdEncoding.EncodeToString(key))
		in.SSECustomerKeyMD5 = aws.String(base64.StdEncoding.EncodeToString(sum[:]))
	})
	if _, err := b.open(t, blobstore.Config{}).Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "--sse-c-key-file") {
		t.Errorf("without the key: %v", err)
	}

	store := b.open(t, blobstore.Config{S3: blobstore.S3Options{CustomerKey: key}})
	records := store.Bucket().Records
	plain := b.put(t, "plain", "open to all")
	for o, content := range map[pipeline.Object]string{o: "content", plain: "open to all"} {
		mustRead(t, store, o, content)
		if now, err := store.Stat(t.Context(), o); err != nil || !now.SameVersion(o) {
			t.Errorf("Stat: %+v, %v", now, err)
		}
		if err := records.Save(t.Context(), record(o)); err != nil {
			t.Errorf("Save: %v", err)
		}
		if _, err := records.Lookup(t.Context(), o); err != nil {
			t.Errorf("Lookup: %v", err)
		}
		if _, ok := b.get(t, o.Key+".md5"); !ok {
			t.Errorf("the record of %s cannot be read without the key", o.Key)
		}
	}
	_, err := store.Stat(t.Context(), pipeline.Object{Key: "gone"})
	isA(t, err, pipeline.ErrNotFound)

	other := b.open(t, blobstore.Config{S3: blobstore.S3Options{CustomerKey: bytes.Repeat([]byte("k"), 32)}})
	if _, err := other.Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("with another key: %v", err)
	}
}

func TestRequesterPays(t *testing.T) {
	server := awsenv.StartVersitygw(t)
	b := makeBucket(t, server, false)
	o := b.put(t, "a", "content")
	proxy := server.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Header.Get("X-Amz-Request-Payer") != "requester" {
			answer(w, 403, "AccessDenied")
			return
		}
		next.ServeHTTP(w, r)
	})
	b = b.through(proxy)
	if _, err := b.open(t, blobstore.Config{}).Open(t.Context(), o); pipeline.Classify(err) != pipeline.ClassTransient {
		t.Errorf("got %v, want a transient error", err)
	}
	store := b.open(t, blobstore.Config{S3: blobstore.S3Options{RequesterPays: true}})
	mustRead(t, store, o, "content")
	records := store.Bucket().Records
	_, statErr := store.Stat(t.Context(), o)
	saveErr := records.Save(t.Context(), record(o))
	_, lookupErr := records.Lookup(t.Context(), o)
	_, removeErr := records.Remove(t.Context(), o)
	for _, err := range store.List(t.Context()) {
		if err != nil {
			t.Error(err)
		}
	}
	if err := errors.Join(statErr, saveErr, lookupErr, removeErr, store.Check(t.Context())); err != nil {
		t.Error(err)
	}
}
