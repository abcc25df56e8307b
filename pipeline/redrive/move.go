package redrive

import (
	"context"
	"errors"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// move lets the service itself move everything. done is false if it cannot, or if not everything is to be moved.
func (r *run) move(ctx context.Context) (_ Summary, done bool, err error) {
	move := r.from.Traits().Move
	if r.Action != Send || move == nil || !r.Match.all() || r.Limit != unlimited {
		return Summary{}, false, nil
	}
	if to, _ := r.Drivers.Of(r.To); to.Traits().Schemes[0] != r.from.Traits().Schemes[0] { // drivers have no scheme in common
		return Summary{}, false, nil
	}
	last := time.Now()
	moved, err := move(ctx, r.From, r.To, func(n int) {
		if r.Told != nil && time.Since(last) >= r.Every {
			last = time.Now()
			r.Told(Tally{Found: n, Matched: n, Sent: n})
		}
	})
	if errors.Is(err, errors.ErrUnsupported) {
		r.Log.Debug("the service moves nothing by itself, so each message is received, sent and deleted", "err", redact.Error(redact.Error(err, r.From), r.To))
		return Summary{}, false, nil
	}
	end := Empty
	switch {
	case ctx.Err() != nil:
		end, err = Interrupted, nil
	case err != nil:
		end, err = Broken, redact.Error(redact.Error(err, r.From), r.To)
	}
	r.tally.total = Tally{Found: moved, Matched: moved, Sent: moved}
	if moved > 0 {
		r.tally.groups[Moved] = &Group{Reason: Moved, Tally: r.tally.total}
	}
	return r.summary(ctx, end), true, err
}
