package main

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/bucketsum/bucketsum/pipeline"
)

// end observes the end of a delivery.
func (f *siege) end(_ context.Context, d pipeline.Delivery) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, ok := f.sent[d.MessageID]
	if !ok || m.ended {
		f.t.Errorf("message %s was delivered again after its end", d.MessageID)
		return
	}
	complain := func(what string) { f.t.Errorf("message %s (%s): %s", d.MessageID, m.name, what) }
	if p, ok := errors.AsType[*pipeline.PanicError](d.Err); ok {
		complain(fmt.Sprintf("panic: %v\n%s", p.Value, p.Stack))
	}
	switch {
	case d.Fate == pipeline.Nacked:
		f.outcomes["given back"]++
		return
	case d.Fate == pipeline.DeadLettered:
		f.outcomes["dead letter: "+string(d.GivenUp())]++
	case d.Fate != pipeline.Acked:
		complain(fmt.Sprintf("its fate is %s", d.Fate))
	case len(d.Events) == 0:
		complain("acknowledged without an event")
	case d.Err != nil:
		f.outcomes["superseded"]++
	case !slices.ContainsFunc(d.Events, func(h pipeline.Handled) bool { return h.Event.Kind != pipeline.Ignored }):
		f.outcomes["ignored"]++
	default:
		f.outcomes["done"]++
	}
	if *hostileOnly >= 0 {
		f.t.Logf("message %s (%s): %s, %q", d.MessageID, m.name, d.Fate, fmt.Sprint(d.Err))
	}
	if m.ended = true; m.letter || d.Fate != pipeline.DeadLettered {
		f.settle(d.MessageID)
	}
}

// result observes the result of an event.
func (f *siege) result(_ context.Context, r pipeline.Result, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.recorded[r.Record.Source.Key] = r.Outcome == pipeline.Recorded || r.Outcome == pipeline.Current
	if r.Record.Digests["md5"] == fmt.Sprintf("%x", md5.Sum([]byte(canarySecret))) {
		f.t.Errorf("an object outside the bucket was read as %q", r.Record.Source.Key)
	}
}

func (f *siege) letter(letter *message.Message) {
	defer letter.Ack()
	f.mu.Lock()
	defer f.mu.Unlock()
	if reason := letter.Metadata.Get(pipeline.MetadataReason); reason == "" || len(reason) > 1000 {
		f.t.Errorf("dead letter %s has the reason %q", letter.UUID, reason)
	}
	m, ok := f.sent[letter.UUID]
	if !ok || m.letter || m.hash != sha256.Sum256(letter.Payload) {
		f.t.Errorf("dead letter %s has another body than its message, or came twice", letter.UUID)
		return
	}
	if m.letter = true; m.ended {
		f.settle(letter.UUID)
	}
}

// wantOnlyRecords expects nothing but objects and right records in the bucket.
func (f *siege) wantOnlyRecords() {
	f.t.Helper()
	for _, name := range filesIn(f.t, f.dir) {
		key, isRecord := strings.CutSuffix(name, ".md5")
		content, err := os.ReadFile(filepath.Join(f.dir, name))
		switch {
		case strings.HasPrefix(name, "link"), name == "loop", strings.HasPrefix(name, ".bucketsum/"):
		case err != nil:
			f.t.Error(err)
		case isRecord:
			if want := fmt.Sprintf("%x  %s\n", md5.Sum([]byte("content of "+key)), path.Base(key)); string(content) != want {
				f.t.Errorf("the record of %q is %q, want %q", key, content, want)
			}
		case string(content) != "content of "+name:
			f.t.Errorf("the object %q is %.100q", name, content)
		}
	}
	for _, key := range f.good {
		if _, err := os.Stat(filepath.Join(f.dir, key+".md5")); err != nil {
			f.t.Error(err)
		}
	}
}
