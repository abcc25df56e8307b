package sweep

import (
	"context"
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
)

// A listing that fails is begun again where it was. It is given up after listAttempts failures without an item
// between them, about two minutes.
const listAttempts = 10

var listWaits = backoff.Backoff{First: 500 * time.Millisecond, Longest: 30 * time.Second, Jitter: backoff.Below}

// list yields the items of the range as tasks until the range, the cut, Stop or ctx ends it.
func (s *run) list(ctx context.Context, yield func(task) bool) {
	ctx, stop := stopContext(ctx, s.Stop)
	defer stop()
	if s.Cut.Time > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, s.Cut.Time)
		defer cancel()
	}
	last, selected := s.in.After, 0
	for failures := 0; !s.ended(ctx); {
		var failed error
		for i, err := range s.Source.Items(ctx, Range{After: last, Through: s.in.Through}) {
			if s.ended(ctx) {
				return
			}
			if err != nil && i.At == "" {
				failed = err
				break
			}
			if s.in.Through != "" && i.At > s.in.Through {
				break
			}
			if i.At <= last {
				failed = pipeline.Permanent(fmt.Errorf("%q is listed after %q: a pass needs the order of bytes", i.At, last))
				break
			}
			last, failures = i.At, 0
			i.Object.Bucket = s.Bucket
			t := task{item: i, fault: err, skip: s.Selects != nil && !s.Selects(i)}
			if !yield(t) {
				return
			}
			if !t.skip {
				selected++
			}
			if s.Cut.Items > 0 && selected == s.Cut.Items {
				return
			}
		}
		if failed == nil {
			s.listed = !s.ended(ctx)
			return
		}
		failures++
		if pipeline.Classify(failed) == pipeline.ClassPermanent || failures == listAttempts {
			s.listErr = fmt.Errorf("list bucket %s after %q: %w", s.Bucket, last, failed)
			return
		}
		s.log.WarnContext(ctx, "the listing failed and is begun again", "bucket", s.Bucket, "after", last, "err", failed)
		listWaits.Wait(ctx, failures)
	}
}

// ended reports whether no further items are to be begun.
func (s *run) ended(ctx context.Context) bool {
	return isClosed(s.Stop) || ctx.Err() != nil
}
