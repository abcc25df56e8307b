// Package livetest feeds a [live.Activity] in tests.
package livetest

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
)

// Object returns an object of the bucket inbox.
func Object(key string, size int64) pipeline.Object {
	return pipeline.Object{Bucket: "inbox", Key: key, Size: size}
}

// Result returns a result with the digest of the key as content.
func Result(outcome pipeline.Outcome, o pipeline.Object) pipeline.Result {
	r := pipeline.Result{Outcome: outcome, Record: pipeline.Record{Source: o}, Duration: 1500 * time.Millisecond}
	if outcome == pipeline.Recorded || outcome == pipeline.Current {
		r.Record.Digests = map[string]string{"md5": Sum(o.Key)}
	}
	return r
}

// Publish tells the activity a result.
func Publish(t testing.TB, a *live.Activity, r pipeline.Result) {
	a.Observer().Result(t.Context(), r, nil)
}

// End tells the activity the end of a delivery.
func End(t testing.TB, a *live.Activity, d pipeline.Delivery) { a.Observer().End(t.Context(), d) }

// Delivery returns a delivery of a message with one failed event.
func Delivery(fate pipeline.Fate, key string, err error) pipeline.Delivery {
	return pipeline.Delivery{
		MessageID: "m-" + key, Attempt: 2, Fate: fate, Err: err,
		Events: []pipeline.Handled{{Event: pipeline.Event{Object: Object(key, 1)}, Err: err}},
	}
}

// Source opens endless objects that report the requested size.
type Source struct{ pipeline.Source }

// Open implements pipeline.Source.
func (Source) Open(_ context.Context, o pipeline.Object) (pipeline.Reader, error) {
	if o.Key == "" {
		return nil, pipeline.ErrNotFound
	}
	return opened{zeros{}, o}, nil
}

type opened struct {
	io.Reader
	object pipeline.Object
}

func (r opened) Object() pipeline.Object { return r.object }
func (opened) Close() error              { return nil }

func (opened) Claims(context.Context) []pipeline.Claim { return nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Sum returns the MD5 of content.
func Sum(content string) string {
	sum := md5.Sum([]byte(content))
	return hex.EncodeToString(sum[:])
}
