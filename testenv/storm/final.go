package storm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// settle waits until the queues are empty. The faults have ended and all workers are up.
// Messages that wait for a retry come back at once, so that nothing takes minutes.
func (s *storm) settle(ctx context.Context) {
	deadline := time.Now().Add(s.patience)
	for empty := 0; empty < 3; pause(ctx, 500*time.Millisecond) {
		left := map[string]int{}
		for _, l := range s.lanes {
			if l.queue == nil {
				continue
			}
			for _, suffix := range []string{"", "-failed", "-results"} {
				if n, err := l.queue.client.count(ctx, l.name+suffix); err != nil || n > 0 {
					left[l.name+suffix] = n
				}
			}
			l.queue.server.Redeliver(l.queue.name, queueSeconds*time.Second, 1000)
		}
		if empty++; len(left) > 0 || s.outbox.pending.Load() > 0 {
			empty = 0
		}
		if time.Now().After(deadline) {
			s.fault("the queues are not empty %s after the faults ended: %v, %d events unsent", s.patience, left, s.outbox.pending.Load())
			return
		}
	}
}

// lost is an object that has no right record at the end.
type lost struct {
	object *object
	why    string
}

// inspect compares everything in a lane with what the users know.
func (s *storm) inspect(ctx context.Context, l *lane) (faults []lost, tally map[string]int) {
	tally = make(map[string]int)
	for _, o := range l.all() {
		now := o.current()
		found, err := o.place.store.stat(ctx, o.key)
		switch {
		case err != nil && !errors.Is(err, errGone):
			s.fault("stat %s: %v", o, err)
			continue
		case (now == nil) != errors.Is(err, errGone), now != nil && (found.etag != now.etag || found.id != now.id && now.id != ""):
			s.fault("the storm is wrong about %s: the store has %+v (%v)%s", o, found, err, o.story())
			continue
		}
		if now == nil {
			tally["gone"]++
		} else {
			tally["current"]++
		}
		for _, alg := range l.algorithms {
			if why := recordFault(ctx, o, now, alg); why != "" {
				faults = append(faults, lost{o, why})
				continue
			}
			if now != nil {
				tally["records"]++
			}
		}
		if now != nil && l.queue != nil && !o.wasAnnounced(now) {
			faults = append(faults, lost{o, "its current version was never announced"})
		}
	}
	return append(faults, s.strays(ctx, l, tally)...), tally
}

// recordFault explains what is wrong with the record of an object's current version; empty if
// nothing is.
func recordFault(ctx context.Context, o *object, now *version, alg string) string {
	r, err := o.place.store.record(ctx, o.key, alg)
	switch {
	case errors.Is(err, errGone) && now == nil:
		return ""
	case errors.Is(err, errGone):
		return "no " + alg + " record"
	case err != nil:
		return fmt.Sprintf("its %s record cannot be read: %v", alg, err)
	case now == nil:
		return fmt.Sprintf("%s record without an object: %s", alg, r.raw)
	case r.value != now.content.sums[alg]:
		return fmt.Sprintf("its %s record is of another content: %s", alg, r.raw)
	case r.etag != now.etag, now.id != "" && r.version != "" && r.version != now.id:
		return fmt.Sprintf("its %s record names another version: %s", alg, r.raw)
	}
	return o.wrong(r, alg)
}

// strays finds what lies in the buckets of a lane besides objects and their records.
func (s *storm) strays(ctx context.Context, l *lane, tally map[string]int) []lost {
	var faults []lost
	look := func(p *place, bucket, prefix string, keys []string) {
		for _, key := range keys {
			if strings.HasPrefix(key, driver.Checkpoints) || strings.HasPrefix(key, filebucket.Hidden+"/checkpoints/") {
				tally["checkpoints left"]++
				continue
			}
			if l.folder && filebucket.IsHidden(key) {
				tally["notes"]++
				continue
			}
			rest := strings.TrimPrefix(key, prefix)
			if prefix != "" && rest == key {
				continue // of the other bucket
			}
			if o := l.find(p.name, key); prefix == "" && o != nil && o.current() != nil {
				continue
			}
			of, alg, ok := l.layout.ObjectKey(rest)
			if l.keeper != "" && prefix == "" || l.tags {
				ok = false // records are elsewhere
			}
			o := l.find(p.name, of)
			switch {
			case !ok:
				faults = append(faults, lost{&object{place: p, key: key}, "it is neither an object nor a record"})
			case o == nil || l.layout.IsRecord(of) && l.keeper == "" && l.find(p.name, of) == nil:
				faults = append(faults, lost{&object{place: p, key: key}, "it is a record of what never was an object"})
			case !slices.Contains(l.algorithms, alg):
				faults = append(faults, lost{o, "it has a " + alg + " record, which is not configured"})
			}
		}
	}
	for _, p := range l.places {
		keys, err := p.store.keys(ctx)
		if err != nil {
			s.fault("list %s: %v", p.name, err)
		}
		look(p, p.name, "", keys)
		if l.keeper != "" {
			if keys, err = keysIn(ctx, s.s3, l.keeper); err != nil {
				s.fault("list %s: %v", l.keeper, err)
			}
			look(p, l.keeper, p.name+"/", keys)
		}
	}
	return faults
}

// verdict inspects all lanes at the end. A lost object that has a dead letter with its reason
// is explained, not lost.
func (s *storm) verdict(ctx context.Context) {
	for _, l := range s.lanes {
		faults, tally := s.inspect(ctx, l)
		for deadline := time.Now().Add(s.patience); l.local && len(faults) > 0 && time.Now().Before(deadline); {
			pause(ctx, time.Second) // it has no queue that tells when the work is done
			faults, tally = s.inspect(ctx, l)
		}
		for _, f := range faults {
			if reason := l.reasonOf(f.object); reason != "" {
				tally["dead-lettered"]++
				s.explained = append(s.explained, fmt.Sprintf("%s: %s; dead letter: %s", f.object, f.why, reason))
				continue
			}
			tally["lost or wrong"]++
			phase := ""
			if f.object.phase != nil {
				phase = fmt.Sprintf(" (phase %s, faults %s)", f.object.phase, f.object.phase.faults)
			}
			s.fault("lane %s: %s%s: %s%s", l.name, f.object, phase, f.why, f.object.story())
		}
		s.tallies[l.name] = tally
	}
}

// checkLetters expects a reason in each dead letter, and a dead letter of each message that can
// never be handled.
func (s *storm) checkLetters() {
	got := 0
	for _, l := range s.lanes {
		got += len(l.letters)
		for _, letter := range l.letters {
			if letter.reason == "" {
				s.fault("lane %s: a dead letter without a reason: %s", l.name, letter.body)
			}
		}
	}
	sent := s.outbox.sent.counts()
	if want := sent["garbage"] + sent["event of another bucket"]; got < want {
		s.fault("%d dead letters of %d messages that can never be handled", got, want)
	}
}

// reasonOf returns the reason of a dead letter that names the object; empty if there is none.
func (l *lane) reasonOf(o *object) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, letter := range l.letters {
		if letter.bucket == o.place.name && letter.key == o.key && letter.reason != "" {
			return letter.reason
		}
	}
	return ""
}
