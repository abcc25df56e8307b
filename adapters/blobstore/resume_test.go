package blobstore

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// silence is a body from which nothing comes until its request is cancelled.
type silence struct{ ctx context.Context }

func (s silence) Read([]byte) (int, error) {
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

func (silence) Close() error { return nil }

// newTestResuming returns a reader of six bytes.
func newTestResuming(ctx context.Context, ask func(ctx context.Context, first, end int64) (io.ReadCloser, error)) *resuming {
	return &resuming{
		reading: &reading{log: slog.New(slog.DiscardHandler), stall: stallTime}, ctx: ctx,
		content: &driver.Content{State: driver.State{Size: 6}, Range: ask}, end: 6,
	}
}

// A body or an answer that does not come is requested again, from the byte where it stopped.
func TestBodyThatStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, calls := time.Now(), 0
		c := newTestResuming(t.Context(), func(ctx context.Context, at, _ int64) (io.ReadCloser, error) {
			switch calls++; calls {
			case 1:
				return struct {
					io.Reader
					io.Closer
				}{io.MultiReader(strings.NewReader("abc"), silence{ctx}), silence{}}, nil
			case 2:
				<-ctx.Done()
				return nil, ctx.Err()
			default:
				return io.NopCloser(strings.NewReader("abcdef"[at:])), nil
			}
		})
		got, err := io.ReadAll(c)
		if err := errors.Join(err, c.Close()); err != nil || string(got) != "abcdef" || calls != 3 {
			t.Errorf("got %q, %v after %d requests", got, err, calls)
		}
		if passed := time.Since(began); passed < 2*stallTime {
			t.Errorf("it was given up after %v", passed)
		}
	})
}

// A cancelled reader does not wait for the next attempt.
func TestBodyThatIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newTestResuming(ctx, func(ctx context.Context, _, _ int64) (io.ReadCloser, error) { return silence{ctx}, nil })
		time.AfterFunc(time.Second, cancel)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
