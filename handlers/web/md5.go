package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

const (
	algorithm = "md5"
	fileField = "file"

	// What may precede the file, as far as it is skipped.
	maxParts      = 1000
	maxPartHeader = 64 << 10 // bytes of each part
	maxSkipped    = 64 << 20 // bytes of all parts together

	// lingerTime is how long a client whose upload was refused may go on
	// sending before its connection is closed.
	lingerTime = 2 * time.Second
)

// fault is an upload that gets no checksum. Its text is a constant or made of
// the configuration, never of what the client sent.
type fault struct {
	status  int
	message string
}

func (f *fault) Error() string { return f.message }

// The first two are worded as the clients of the service know them.
var (
	errNoFilePart     = &fault{http.StatusBadRequest, "No file part in the request"}
	errNoFileSelected = &fault{http.StatusBadRequest, "No file selected for uploading"}
	errTruncated      = &fault{http.StatusBadRequest, "The upload ended before it was complete"}
	errMalformed      = &fault{http.StatusBadRequest, "The request body is not valid multipart/form-data"}
	errTooMuchBefore  = &fault{http.StatusBadRequest, "Too much precedes the file part in the request"}
	errInternal       = &fault{http.StatusInternalServerError, "The checksum cannot be computed"}
)

// md5 answers the checksum of the file in an upload.
func (s *service) md5(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	b := newBody(w, r, s.config)
	sum, size, err := s.sum(r, b)
	extendWriteDeadline(w, r)
	if err != nil {
		f := s.faultOf(err, b)
		s.config.Log.WarnContext(r.Context(), "upload refused", "status", f.status, "duration", time.Since(start), "err", f)
		refuse(w, r, b, f)
		return
	}
	s.config.Log.InfoContext(r.Context(), "upload digested", "bytes", size, "duration", time.Since(start))
	answer(w, http.StatusOK, map[string]string{"md5_checksum": sum})
}

// sum reads the whole upload and returns the checksum and the size of its file.
func (s *service) sum(r *http.Request, b *body) (string, int64, error) {
	if s.config.MaxUpload != Unlimited && r.ContentLength > s.config.MaxUpload {
		return "", 0, &http.MaxBytesError{Limit: s.config.MaxUpload}
	}
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" || r.ContentLength == 0 {
		return "", 0, errNoFilePart
	}
	file, err := findFile(multipart.NewReader(b, params["boundary"]), b)
	if err != nil {
		return "", 0, err
	}
	d, err := digest.New(algorithm)
	if err != nil {
		return "", 0, errInternal // cannot be: Handler tried
	}
	b.unbound()
	// The body itself tells when the client is gone. The request's context
	// would stop the work also for a client that has sent everything and closed
	// its own side.
	size, err := digest.Copy(context.WithoutCancel(r.Context()), d, file)
	if err != nil {
		return "", 0, err
	}
	// Whatever follows the file is read too: many clients look for an answer
	// only when they have sent everything, and half an upload is no success.
	if _, err := io.Copy(io.Discard, b); err != nil {
		return "", 0, err
	}
	return d.Sums()[algorithm], size, nil
}

// findFile returns the first part that is a file in the field for it. Parts
// before it are skipped within bounds.
func findFile(parts *multipart.Reader, b *body) (*multipart.Part, error) {
	skip := int64(maxSkipped)
	for range maxParts {
		b.bound(maxPartHeader)
		// Raw, as the checksum is of what was sent: a transfer encoding has no
		// meaning in forms (RFC 7578, section 4.7).
		part, err := parts.NextRawPart()
		if err == io.EOF { // not one that is wrapped: that is a truncated body
			return nil, errNoFilePart
		}
		if err != nil {
			return nil, err
		}
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			return nil, errMalformed
		}
		// A part without a file name is a value, one with an empty file name is
		// a browser's form in which no file was chosen.
		name, isFile := params["filename"]
		if isFile && params["name"] == fileField {
			if name == "" {
				return nil, errNoFileSelected
			}
			return part, nil
		}
		b.bound(skip)
		n, err := io.Copy(io.Discard, part)
		if err != nil {
			return nil, err
		}
		skip -= n
	}
	return nil, errTooMuchBefore
}

// faultOf returns what the client is told about an error of sum.
func (s *service) faultOf(err error, b *body) *fault {
	if b.err != nil {
		err = b.err // the cause, whatever the parser made of it
	}
	var (
		f        *fault
		tooLarge *http.MaxBytesError
	)
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &tooLarge):
		return &fault{http.StatusRequestEntityTooLarge, fmt.Sprintf("The upload is larger than %d bytes", tooLarge.Limit)}
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &fault{http.StatusRequestTimeout, fmt.Sprintf("The upload made no progress for %v", s.config.IdleTimeout)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errTruncated
	default:
		return errMalformed
	}
}

// refuse answers a fault. The client may still be sending: a connection that is
// closed over data nobody read is reset, which takes the answer from the client.
// So what it sends is read for a moment after the answer.
func refuse(w http.ResponseWriter, r *http.Request, b *body, f *fault) {
	if b.ended {
		answerError(w, f.status, f.message)
		return
	}
	conn := http.NewResponseController(w)
	w.Header().Set("Connection", "close")
	// Without full duplex, the server would read on before it answers. A writer
	// that cannot do any of this has no connection to care for.
	_ = conn.EnableFullDuplex()
	answerError(w, f.status, f.message)
	if conn.Flush() != nil || conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // ends with the client, or at the deadline
}

// extendWriteDeadline gives the answer to an upload the time that the server
// gives to any answer. The server counts it from the head of the request, and
// an upload may have taken longer.
func extendWriteDeadline(w http.ResponseWriter, r *http.Request) {
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if ok && srv.WriteTimeout > 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(srv.WriteTimeout))
	}
}
