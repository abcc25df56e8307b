package handlers_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

// TestForgedSequencer: a sender of events can send an event with the highest sequencer. It does no harm to later
// versions of the object.
func TestForgedSequencer(t *testing.T) {
	s, a := newStore(), &announced{}
	handle := handlerOf(t, s, a)
	forged := created(s.put("a", "one"))
	forged.Object.Sequencer = "FFFFFFFFFFFFFFFF"
	if err := handle(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	err := handle(t.Context(), created(s.put("a", "two")))
	if err != nil || s.recorded("a") != md5sum("two") {
		t.Errorf("the second version got the record %q (%v)", s.recorded("a"), err)
	}
	if err := handle(t.Context(), deleted(s.drop("a"))); err != nil || s.recorded("a") != md5sum("one") {
		t.Errorf("the version that is current again got the record %q (%v)", s.recorded("a"), err)
	}
}

// TestForgedCheckpoint: a writer of checkpoints can write records, too. Nothing in the
// bucket shows who wrote a checkpoint. A claim of the store contradicts it, and then the
// object is read from its beginning.
func TestForgedCheckpoint(t *testing.T) {
	content, other := big(1000), strings.Repeat("x", 1000)
	forge := func(t *testing.T, o pipeline.Object) []byte {
		t.Helper()
		l := newLarge()
		foreign := l.put("a", other)
		l.onByte = func(_ context.Context, offset int64) {
			if offset > 700 {
				panic("SIGKILL")
			}
		}
		handle, _ := l.worker(t, &announced{}, often)
		if dead, err := killed(func() error { return handle(t.Context(), created(foreign)) }); !dead {
			t.Fatal(err)
		}
		var c struct {
			Object pipeline.Object `json:"object"`
			Offset int64           `json:"offset"`
			State  []byte          `json:"state"`
		}
		_, body, _ := bytes.Cut(l.checkpoints["a"], []byte("\n"))
		if err := json.Unmarshal(body, &c); err != nil {
			t.Fatal(err)
		}
		c.Object = o
		body, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Appendf(nil, "bucketsum checkpoint 2 %x\n%s", sha256.Sum256(body), body)
	}
	for name, claims := range map[string][]pipeline.Claim{"with a claim": {claim("etag", "md5", md5sum(content))}, "without": nil} {
		t.Run(name, func(t *testing.T) {
			l := newLarge()
			o := l.put("a", content)
			l.claims = claims
			l.checkpoints["a"] = forge(t, o)
			handle, log := l.worker(t, &announced{}, often)
			if err := handle(t.Context(), created(o)); err != nil {
				t.Fatal(err)
			}
			if log.count("reading resumes at a checkpoint") == 0 {
				t.Fatal("the checkpoint was not used, so this test shows nothing")
			}
			if claims != nil {
				l.finished(t, "a", content)
			} else if got := l.recorded("a"); got == md5sum(content) {
				t.Error("the record is right: docs/threats.md says that it is not")
			}
		})
	}
}
