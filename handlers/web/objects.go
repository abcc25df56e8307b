package web

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/bucketsum/bucketsum/handlers/web/bounds"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Objects take new files for a bucket.
type Objects interface {
	// Create begins a file, which nothing shows before it is placed. A permanent error says why no file can have
	// this key.
	Create(key string) (Upload, error)
}

// Upload is a file that arrives.
type Upload interface {
	io.Writer
	// Place makes the file visible and returns its ETag. pipeline.ErrChanged: the condition does not hold.
	Place(Replace) (etag string, err error)
	// Close removes a file that was not placed.
	Close() error
}

// Replace says which file a new one may replace. The zero value: none.
type Replace struct {
	Any   bool   // any, or none
	There bool   // any, and there must be one
	ETag  string // the one with this ETag
}

// The problems of objects.
var (
	problemObject       = problem{"invalid-object", http.StatusBadRequest, "The file cannot have this name"}
	problemPart         = problem{"part", http.StatusBadRequest, "A part of a file cannot be written"}
	problemExists       = problem{"exists", http.StatusConflict, "There is a file of this name"}
	problemPrecondition = problem{"precondition-failed", http.StatusPreconditionFailed, "The file is not as the request expects"}
	problemFull         = problem{"full", http.StatusInsufficientStorage, "The disk is full"}
	problemDenied       = problem{"not-permitted", http.StatusForbidden, "The server may not write there"}
	problemWrite        = problem{"not-written", http.StatusInternalServerError, "The file was not written"}
)

// objectAnswer is the answer of PUT /v1/objects. Fields may be added and are never renamed.
type objectAnswer struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
	ETag   string `json:"etag"`
	checksumsAnswer
}

// put writes the body of a request as a file.
func (s *service) put(w http.ResponseWriter, r *http.Request) {
	bucket, key, wrong := objectOf(r, "/v1/objects/")
	if wrong == "" && strings.ContainsFunc(key, unicode.IsControl) {
		wrong = "The key has a control character"
	}
	if wrong != "" {
		problemName.answer(w, r, wrong)
		return
	}
	objects, ok := s.config.Actions.Objects[bucket]
	if !ok {
		problemNoBucket.answer(w, r, "The bucket is the folder that bucketsum local watches")
		return
	}
	replace, f := replaceOf(r)
	var want wanted
	if f == nil {
		want, f = wantedOf(w, r)
	}
	if f == nil && r.Header.Get("Content-Range") != "" {
		f = &fault{problemPart, "Leave Content-Range out, and send the whole file"}
	}
	if f != nil {
		f.kind.answer(w, r, f.message)
		return
	}
	b := newBody(w, r, s.config)
	refused := func(f *fault) { refuse(w, r, b, f, func() { f.kind.answer(w, r, f.message) }) }
	if s.config.MaxUpload != Unlimited && r.ContentLength > s.config.MaxUpload {
		refused(s.faultOf(&http.MaxBytesError{Limit: s.config.MaxUpload}, b))
		return
	}
	up, err := objects.Create(key)
	if err != nil {
		refused(s.writeFault(r, err))
		return
	}
	defer func() {
		if err := up.Close(); err != nil {
			s.config.Log.WarnContext(r.Context(), "an upload was not removed", "bucket", bucket, "key", key, "err", err)
		}
	}()
	content, f := s.upload(w, r, b, func() (*digest.Digest, error) {
		return readAll(r, b, io.TeeReader(b, &faultyWriter{up, func(err error) error { return s.writeFault(r, err) }}), slices.Concat(want.names, want.stated.Algorithms()))
	})
	if f != nil {
		refused(f)
		return
	}
	a := objectAnswer{Bucket: bucket, Key: key, checksumsAnswer: want.answerOf(content, want.stated.Check("request", content.Sums()))}
	if a.differs(w, r, ". Nothing was written") {
		return
	}
	a.ETag, err = up.Place(replace)
	switch {
	case errors.Is(err, pipeline.ErrChanged) && (replace != Replace{} || r.Header.Get("If-None-Match") != ""):
		problemPrecondition.answer(w, r, "Nothing was written")
	case errors.Is(err, pipeline.ErrChanged):
		problemExists.answer(w, r, "Nothing was written. To replace it, add ?overwrite=true")
	case err != nil:
		f := s.writeFault(r, err)
		f.kind.answer(w, r, f.message)
	default:
		s.config.Log.InfoContext(r.Context(), "file written", "bucket", bucket, "key", key, "bytes", a.Size, "address", bounds.ClientOf(r).String())
		w.Header().Set("Location", "/v1/records/"+url.PathEscape(bucket)+"/"+(&url.URL{Path: key}).EscapedPath())
		answer(w, http.StatusCreated, a)
	}
}

// faultyWriter makes the errors of an upload faults, which readers pass on.
type faultyWriter struct {
	io.Writer
	of func(error) error
}

func (w *faultyWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		err = w.of(err)
	}
	return n, err
}

// writeFault returns the fault that the client reads for an error of an upload.
func (s *service) writeFault(r *http.Request, err error) *fault {
	switch {
	case pipeline.Classify(err) == pipeline.ClassPermanent:
		return &fault{problemObject, err.Error()}
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return &fault{problemFull, "Nothing was written. Make room and send it again"}
	}
	s.config.Log.WarnContext(r.Context(), "file not written", "err", err)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return &fault{problemDenied, "Nothing was written. The log says why"}
	}
	return &fault{problemWrite, "Nothing was written. The log says why"}
}

// replaceOf returns what a request says about a file that is there already.
func replaceOf(r *http.Request) (Replace, *fault) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	overwrite, none, match := query.Get("overwrite"), r.Header.Get("If-None-Match"), strings.TrimSpace(r.Header.Get("If-Match"))
	quoted := len(match) > 2 && strings.HasPrefix(match, `"`) && strings.HasSuffix(match, `"`) && !strings.Contains(match[1:len(match)-1], `"`)
	switch {
	case err != nil || len(query["overwrite"]) > 1 || !slices.Contains([]string{"", "true", "false"}, overwrite):
		return Replace{}, &fault{problemQuery, "overwrite is true or false"}
	case none != "" && none != "*":
		return Replace{}, &fault{problemQuery, "If-None-Match can only be *"}
	case none != "" && (match != "" || overwrite == "true"):
		return Replace{}, &fault{problemQuery, "If-None-Match: * excludes If-Match and overwrite=true"}
	case match == "*":
		return Replace{There: true}, nil
	case quoted:
		return Replace{ETag: match[1 : len(match)-1]}, nil
	case match != "":
		return Replace{}, &fault{problemQuery, `If-Match is * or one ETag, such as the etag of the record in quotes`}
	}
	return Replace{Any: overwrite == "true"}, nil
}
