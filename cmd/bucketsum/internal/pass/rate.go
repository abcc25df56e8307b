package pass

import (
	"context"

	"golang.org/x/time/rate"

	"github.com/bucketsum/bucketsum/pipeline"
)

// burst is how many bytes may be read at once under a limit: less than a second of any sensible rate, and no less
// than one read of a body.
const burst = 1 << 20

// limitRate returns the bucket with the bytes of all its readers limited.
func limitRate(b pipeline.Bucket, l *rate.Limiter) pipeline.Bucket {
	b.Source = limitedSource{b.Source, l}
	return b
}

type limitedSource struct {
	pipeline.Source
	limiter *rate.Limiter
}

// Open implements pipeline.Source.
func (s limitedSource) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	return s.limit(ctx)(s.Source.Open(ctx, o))
}

// OpenAt implements pipeline.Source.
func (s limitedSource) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	return s.limit(ctx)(s.Source.OpenAt(ctx, o, offset))
}

func (s limitedSource) limit(ctx context.Context) func(pipeline.Reader, error) (pipeline.Reader, error) {
	return func(r pipeline.Reader, err error) (pipeline.Reader, error) {
		if err != nil {
			return nil, err
		}
		return &limitedReader{r, ctx, s.limiter}, nil
	}
}

// limitedReader has no ReadNow, so that a reader of many objects waits for each of them in Read.
type limitedReader struct {
	pipeline.Reader
	ctx     context.Context // of the reading
	limiter *rate.Limiter
}

// Read implements io.Reader.
func (r *limitedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p[:min(len(p), burst)])
	if n > 0 {
		if waited := r.limiter.WaitN(r.ctx, n); waited != nil {
			return 0, waited
		}
	}
	return n, err
}
