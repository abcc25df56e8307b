package telemetry_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// atHand is an object whose ReadNow returns the content and then fails with err.
type atHand struct {
	pipeline.Source
	pipeline.Reader
	content *strings.Reader
	err     error
}

func (s *atHand) Open(context.Context, pipeline.Object) (pipeline.Reader, error) { return s, nil }
func (s *atHand) Object() pipeline.Object                                        { return pipeline.Object{} }
func (s *atHand) Close() error                                                   { return nil }
func (s *atHand) Stat(context.Context, pipeline.Object) (pipeline.Object, error) {
	return pipeline.Object{}, nil
}

func (s *atHand) ReadNow(p []byte) (int, error) {
	n, err := s.content.Read(p)
	if err == io.EOF {
		err = s.err
	}
	return n, err
}

// TestReadNow asserts that the bytes that ReadNow returns are counted, and that its errors reach
// the caller unchanged.
func TestReadNow(t *testing.T) {
	broken := errors.New("broken")
	for _, last := range []error{io.EOF, digest.ErrWait, errors.ErrUnsupported, broken} {
		b := newBench(t, true)
		bucket := b.telemetry.Observer().Bucket(pipeline.Bucket{Source: &atHand{content: strings.NewReader("content"), err: last}})
		r, err := bucket.Source.Open(t.Context(), pipeline.Object{})
		if err != nil {
			t.Fatal(err)
		}
		p := make([]byte, 100)
		n, err := r.(digest.ReaderNow).ReadNow(p)
		if n != 7 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		if n, err := r.(digest.ReaderNow).ReadNow(p); n != 0 || err != last {
			t.Errorf("got %d, %v, want %v", n, err, last)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if got := b.metrics()["bucketsum_bytes_total"]; got != 7 {
			t.Errorf("%v bytes were measured, want 7", got)
		}
	}
}
