package storm

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
)

// watch reads records while the storm lasts: none may be wrong for the version that it names,
// not even for a moment. It prefers keys that changed lately.
func (s *storm) watch(ctx context.Context) {
	d := newDice(s.seed, 5)
	tick := time.NewTicker(s.watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		l := s.lanes[d.below(int64(len(s.lanes)))]
		objects := l.all()
		if len(objects) == 0 {
			continue
		}
		recent := min(len(objects), 200)
		o := objects[len(objects)-1-int(d.below(int64(recent)))]
		for _, alg := range l.algorithms {
			r, err := o.place.store.record(ctx, o.key, alg)
			switch {
			case errors.Is(err, errGone):
				s.seen.add("no record")
			case err != nil && ctx.Err() == nil:
				s.fault("the watcher cannot read the %s record of %s: %v", alg, o, err)
			case err == nil:
				s.seen.add("record")
				s.check(o, alg, r)
			}
		}
	}
}

// check reports a record that is wrong.
func (s *storm) check(o *object, alg string, r *record) {
	if why := o.wrong(r, alg); why != "" {
		s.wrong.Add(1)
		s.fault("wrong record of %s: %s\n  record %s%s", o, why, r.raw, o.story())
	}
}

// letter is a dead letter.
type letter struct {
	reason, body string
	bucket, key  string // if the body names them
}

// listen takes the results and dead letters of all lanes until ctx ends.
func (s *storm) listen(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	for _, l := range s.lanes {
		if l.queue == nil {
			continue
		}
		running.Go(func() {
			l.queue.client.drain(ctx, l.name+"-results", func(m types.Message) { s.result(l, aws.ToString(m.Body)) })
		})
		running.Go(func() {
			l.queue.client.drain(ctx, l.name+"-failed", func(m types.Message) {
				letter := letter{body: aws.ToString(m.Body)}
				if a, ok := m.MessageAttributes["reason_poisoned"]; ok {
					letter.reason = aws.ToString(a.StringValue)
				}
				var e s3Event
				if json.Unmarshal([]byte(letter.body), &e) == nil {
					letter.bucket, letter.key = e.Detail.Bucket.Name, e.Detail.Object.Key
				}
				l.mu.Lock()
				defer l.mu.Unlock()
				l.letters = append(l.letters, letter)
			})
		})
	}
}

// result checks a result, and notes that it came.
func (s *storm) result(l *lane, body string) {
	var e struct {
		Type string
		Data cloudevents.Data
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		s.fault("result %q: %v", body, err)
		return
	}
	s.results.add(e.Type)
	if e.Type != cloudevents.TypeRecorded {
		return
	}
	o := l.find(e.Data.Bucket, e.Data.Key)
	if o == nil {
		s.fault("result of an object that never was: %s", body)
		return
	}
	for alg, value := range e.Data.Checksums {
		r := &record{value: value, etag: e.Data.ETag, version: e.Data.VersionID, size: -1, raw: "(a result) " + body}
		if e.Data.Size != nil {
			r.size = *e.Data.Size
		}
		s.check(o, alg, r)
	}
	o.announced(e.Data.ETag, e.Data.VersionID)
}
