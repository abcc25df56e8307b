package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

const (
	fileField = "file"

	// Limits of the parts before the file, which are skipped.
	maxParts      = 1000
	maxPartHeader = 64 << 10 // bytes of each part
	maxSkipped    = 64 << 20 // bytes of all parts together

	// maxUploads limits the uploads at the same time, so that they leave connections for probes.
	maxUploads = 256

	// lingerTime is how long a client may continue to send after its upload was refused, before
	// the connection is closed.
	lingerTime = 2 * time.Second
)

// fault is why an upload gets no checksum. Its text contains nothing that the client sent.
type fault struct {
	kind    problem
	message string
}

func (f *fault) Error() string { return f.message }

// The problems of uploads.
var (
	problemForm      = problem{"invalid-form", http.StatusBadRequest, "The form has no file"}
	problemTruncated = problem{"truncated", http.StatusBadRequest, "The upload is incomplete"}
	problemStalled   = problem{"stalled", http.StatusRequestTimeout, "The upload made no progress"}
	problemTooLarge  = problem{"too-large", http.StatusRequestEntityTooLarge, "The upload is too large"}
	problemUploads   = problem{"too-many-uploads", http.StatusServiceUnavailable, "Too many uploads are in work"}
)

// The texts of the first two are a contract with clients.
var (
	errNoFilePart     = &fault{problemForm, "No file part in the request"}
	errNoFileSelected = &fault{problemForm, "No file selected for uploading"}
	errTruncated      = &fault{problemTruncated, "The upload ended before it was complete"}
	errMalformed      = &fault{problemForm, "The request body is not valid multipart/form-data"}
	errBroken         = &fault{problemTruncated, "The body is not in the form that its headers say"}
	errTooMuchBefore  = &fault{problemForm, "Too much precedes the file part in the request"}
	errBusy           = &fault{problemUploads, "Too many uploads at the same time"}
	errInternal       = &fault{problemInternal, "The checksum cannot be computed"}
)

// upload runs read for a limited number of uploads at the same time, and writes a line to the log.
func (s *service) upload(w http.ResponseWriter, r *http.Request, b *body, read func() (*digest.Digest, error)) (*digest.Digest, *fault) {
	start := time.Now()
	d, err := s.admit(r, read)
	extendWriteDeadline(w, r)
	if err != nil {
		f := s.faultOf(err, b)
		level := slog.LevelWarn
		if f.kind.status < http.StatusInternalServerError {
			level = slog.LevelInfo // the client is told, and may do it often
		}
		s.config.Log.Log(r.Context(), level, "upload refused", "status", f.kind.status, "duration", time.Since(start), "err", f)
		return nil, f
	}
	s.config.Log.InfoContext(r.Context(), "upload digested", "bytes", d.Size(), "duration", time.Since(start))
	return d, nil
}

func (s *service) admit(r *http.Request, read func() (*digest.Digest, error)) (*digest.Digest, error) {
	if s.config.MaxUpload != Unlimited && r.ContentLength > s.config.MaxUpload {
		return nil, &http.MaxBytesError{Limit: s.config.MaxUpload}
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
		return read()
	default:
		return nil, errBusy
	}
}

// readAll digests the content, and reads the rest of the body.
func readAll(r *http.Request, b *body, content io.Reader, algorithms []string) (*digest.Digest, error) {
	d, err := digest.New(algorithms...)
	if err != nil {
		return nil, errInternal // cannot happen: the names were looked at before
	}
	b.bound(noBound)
	// A read of the body fails when the client is gone. The context of the request would also end for
	// a client that has sent everything and closed its side of the connection.
	if _, err := digest.Copy(context.WithoutCancel(r.Context()), d, content); err != nil {
		return nil, err
	}
	// Many clients read the answer only after they have sent everything, and an incomplete upload is an error.
	if _, err := io.Copy(io.Discard, b); err != nil {
		return nil, err
	}
	return d, nil
}

// fileOf returns the file in an upload that is a form.
func fileOf(r *http.Request, b *body) (*multipart.Part, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" || r.ContentLength == 0 {
		return nil, errNoFilePart
	}
	b.form = true
	return findFile(multipart.NewReader(b, params["boundary"]), b)
}

// findFile returns the first part that is a file in the field "file". It skips the parts before it, within
// limits.
func findFile(parts *multipart.Reader, b *body) (*multipart.Part, error) {
	skip := int64(maxSkipped)
	for range maxParts {
		b.bound(maxPartHeader)
		// Raw, because the checksum covers the bytes that were sent: forms have no transfer
		// encoding (RFC 7578, section 4.7).
		part, err := parts.NextRawPart()
		if err == io.EOF { // a wrapped io.EOF is a truncated body
			return nil, errNoFilePart
		}
		if err != nil {
			return nil, err
		}
		_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			return nil, errMalformed
		}
		// A part without a file name is a value. A part with an empty file name comes from a
		// browser form without a chosen file.
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

// faultOf returns the fault that the client reads for an error of sum.
func (s *service) faultOf(err error, b *body) *fault {
	if b.err != nil {
		err = b.err // the cause, which the parser may hide
	}
	if f, ok := errors.AsType[*fault](err); ok {
		return f
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &fault{problemTooLarge, fmt.Sprintf("The upload is larger than %d bytes", e.Limit)}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &fault{problemStalled, fmt.Sprintf("The upload made no progress for %v", s.config.IdleTimeout)}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errTruncated
	case !b.form:
		return errBroken // such as chunks without their lengths
	default:
		return errMalformed
	}
}

// refuse answers an upload with a fault. The client may still be sending. If the server closes a connection with
// unread data, TCP resets it and the client loses the answer. So refuse reads for a moment after the answer.
func refuse(w http.ResponseWriter, r *http.Request, b *body, f *fault, answer func()) {
	if b.ended {
		answer()
		return
	}
	conn := http.NewResponseController(w)
	w.Header().Set("Connection", "close")
	if f == errBusy {
		w.Header().Set("Retry-After", "5")
	}
	// Without full duplex, the server would read the body before it answers. A writer without these
	// methods has no connection.
	_ = conn.EnableFullDuplex()
	answer()
	if conn.Flush() != nil || conn.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // ends when the client stops, or at the deadline
}

// extendWriteDeadline gives the answer to an upload the write timeout of the server. The server counts it from
// the head of the request, and an upload may take longer.
func extendWriteDeadline(w http.ResponseWriter, r *http.Request) {
	srv, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if ok && srv.WriteTimeout > 0 {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(srv.WriteTimeout))
	}
}
