package kafka

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestProgress: a worker that resumes from a commit, at any time, repeats all unfinished
// messages and no finished one.
func TestProgress(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := resume(int64(r.IntN(3))-1, "")
		finished := make(map[int64]bool)
		var inWork []int64
		offset := p.offset()
		for range 300 {
			if r.IntN(2) == 0 {
				offset += int64(1 + r.IntN(2)*r.IntN(3)) // transactions leave gaps
				p.deliver(offset)
				inWork = append(inWork, offset)
			} else if len(inWork) > 0 {
				i := r.IntN(len(inWork))
				p.finish(inWork[i])
				finished[inWork[i]] = true
				inWork = append(inWork[:i], inWork[i+1:]...)
			}
			next := resume(p.offset(), p.metadata())
			for o := range offset + 3 {
				again := o >= next.offset() && !next.done(o)
				if again && finished[o] {
					t.Fatalf("seed %d: offset %d is done twice: commit %d %q", seed, o, p.offset(), p.metadata())
				}
			}
			for _, o := range inWork {
				if o < next.offset() || next.done(o) {
					t.Fatalf("seed %d: offset %d is lost: commit %d %q", seed, o, p.offset(), p.metadata())
				}
			}
		}
	}
}

// TestProgressThatDoesNotFit: with very many open messages the next worker repeats some
// finished ones, and loses none.
func TestProgressThatDoesNotFit(t *testing.T) {
	p := resume(1_000_000, "")
	const n = 20_000
	for i := range int64(n) {
		p.deliver(1_000_000 + i)
		if i%2 == 1 {
			p.finish(1_000_000 + i)
		}
	}
	m := p.metadata()
	if len(m) > 4096 {
		t.Errorf("the metadata has %d bytes", len(m))
	}
	next := resume(p.offset(), m)
	skipped := 0
	for i := range int64(n) {
		if next.done(1_000_000 + i) {
			if i%2 == 0 {
				t.Fatalf("offset %d is lost", i)
			}
			skipped++
		}
	}
	if skipped < 500 {
		t.Errorf("%d messages are skipped, want some hundreds", skipped)
	}
}

func FuzzResume(f *testing.F) {
	for _, m := range []string{"", "bucketsum1", "bucketsum1 5", "bucketsum1 5 1 3", "bucketsum1 5 9", "bucketsum1 -1", "bucketsum1 5 3 1", "other"} {
		f.Add(int64(7), m)
	}
	f.Fuzz(func(t *testing.T, offset int64, m string) {
		offset = max(offset, -1) & (1<<60 - 1)
		if p := resume(offset, m); p.done(offset) {
			t.Errorf("%q: the committed offset itself is taken for done", m)
		}
		if !strings.HasPrefix(m, metadataPrefix) {
			if p := resume(offset, m); p.done(offset + 1) {
				t.Errorf("%q: the metadata of another program is used", m)
			}
		}
	})
}
