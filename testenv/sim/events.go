package sim

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// Lie is what events say that is not what the store stored. The empty one is an honest store.
type Lie string

// The lies. All of them occur in stores and gateways of third parties.
const (
	Honest             Lie = ""
	ETagCut            Lie = "etag-cut"           // only the first half
	ETagUpperCase      Lie = "etag-upper-case"    //
	ETagEscaped        Lie = "etag-escaped"       // with HTML's quotes around it
	VersionOne         Lie = "version-1"          // of a store without versions
	VersionNull        Lie = "version-null"       // likewise
	KeyRaw             Lie = "key-raw"            // where the form encodes it
	KeyEncoded         Lie = "key-encoded"        // where the form does not
	SequencerRestarts  Lie = "sequencer-restarts" // each event has the first one or a lower one than before
	SequencerForeign   Lie = "sequencer-foreign"  // the first events have higher ones, of another store
	SizeWrong          Lie = "size-wrong"         //
	foreignSequencerOf     = 5                    // so many changes come before the store moves
)

// Lies are all lies, in a fixed order.
var Lies = []Lie{
	ETagCut, ETagUpperCase, ETagEscaped, VersionOne, VersionNull, KeyRaw, KeyEncoded, SequencerRestarts, SequencerForeign, SizeWrong,
}

// lie changes what an event says.
func (l Lie) lie(e *wording, form form) {
	switch l {
	case ETagCut:
		e.etag = e.etag[:len(e.etag)/2]
	case ETagUpperCase:
		e.etag = strings.ToUpper(e.etag)
	case ETagEscaped:
		if e.etag != "" {
			e.etag = "&quot;" + e.etag + "&quot;"
		}
	case VersionOne:
		e.version = "1"
	case VersionNull:
		e.version = "null"
	case KeyRaw, KeyEncoded:
		e.misspelt = true
	case SequencerRestarts:
		e.sequencer = fmt.Sprintf("00%014X", e.n%3+1)
	case SequencerForeign:
		if e.n < foreignSequencerOf {
			e.sequencer = fmt.Sprintf("17%014X", e.n)
		}
	case SizeWrong:
		e.size += 7
	}
}

// wording is what an event says.
type wording struct {
	change                   change
	n                        int
	bucket, key              string
	etag, version, sequencer string
	size                     int
	misspelt                 bool
	at                       time.Time
	id                       string
}

// object is a JSON object.
type object = map[string]any

// word returns what the event of a change says.
func (k *kernel) word(c change) wording {
	w := wording{
		change: c, n: c.n, bucket: c.store.name, key: c.key, etag: c.version.etag, version: c.version.id, size: len(c.version.data),
		sequencer: fmt.Sprintf("00%014X", c.n), at: c.at.Add(k.profile.ClockJump), id: fmt.Sprintf("e-%s-%d", c.store.name, c.n),
	}
	if c.kind == "marked" {
		w.etag = "d41d8cd98f00b204e9800998ecf8427e"
	} else if c.kind == "removed" && !c.store.versioned {
		w.etag = ""
	}
	if k.profile.ClockJump != 0 && c.n%2 == 0 {
		w.at = c.at // the clock jumps back and forth
	}
	k.profile.Lie.lie(&w, k.profile.Form)
	return w
}

// bodyOf returns a message with the events.
func (k *kernel) bodyOf(events ...wording) string {
	var body any
	if k.profile.Form == eventBridge {
		body = events[0].eventBridge()
	} else {
		var records []object
		for _, e := range events {
			records = append(records, e.record())
		}
		body = object{"Records": records}
	}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err) // cannot happen: strings and numbers
	}
	return string(text)
}

func (w wording) eventBridge() object {
	o := object{"key": w.key, "sequencer": w.sequencer}
	if w.misspelt {
		o["key"] = url.QueryEscape(w.key)
	}
	d := object{"version": "0", "bucket": object{"name": w.bucket}, "object": o}
	if w.etag != "" {
		o["etag"] = w.etag
	}
	if w.version != "" {
		o["version-id"] = w.version
	}
	kind := "Object Deleted"
	switch w.change.kind {
	case "created":
		kind, d["reason"], o["size"] = "Object Created", "PutObject", w.size
	case "marked":
		d["deletion-type"] = "Delete Marker Created"
	default:
		d["deletion-type"] = "Permanently Deleted"
	}
	return object{
		"version": "0", "id": w.id, "detail-type": kind, "source": "aws.s3", "time": w.at.UTC().Format(time.RFC3339Nano), "detail": d,
	}
}

func (w wording) record() object {
	o := object{"key": url.QueryEscape(w.key), "sequencer": w.sequencer}
	if w.misspelt {
		o["key"] = w.key
	}
	if w.etag != "" {
		o["eTag"] = w.etag
	}
	if w.version != "" {
		o["versionId"] = w.version
	}
	name := "ObjectRemoved:Delete"
	switch w.change.kind {
	case "created":
		name, o["size"] = "ObjectCreated:Put", w.size
	case "marked":
		name = "ObjectRemoved:DeleteMarkerCreated"
	}
	return object{
		"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name, "eventTime": w.at.UTC().Format(time.RFC3339Nano),
		"s3": object{"bucket": object{"name": w.bucket}, "object": o},
	}
}

// publish sends the event of a change to the queue, perhaps twice, perhaps together with others.
func (k *kernel) publish(c change) {
	if !k.profile.OwnEvents && !c.byUser {
		return // a rule filters them out
	}
	w := k.word(c)
	if k.profile.Form == batches {
		k.batch = append(k.batch, w)
		if len(k.batch) < 3 && k.rng.IntN(2) == 0 && !k.calm {
			k.later(time.Second, k.flush)
			return
		}
		k.flush()
		return
	}
	k.post(w)
}

// flush sends the events that wait for others.
func (k *kernel) flush() {
	if len(k.batch) > 0 {
		k.post(k.batch...)
		k.batch = nil
	}
}

func (k *kernel) post(events ...wording) {
	m := &msg{body: k.bodyOf(events...)}
	for _, e := range events {
		m.changes = append(m.changes, e.change)
	}
	k.queue.byBody[m.body] = m
	delay := func() time.Duration {
		if k.calm || k.profile.Delay == 0 {
			return 0
		}
		return k.between(0, k.profile.Delay)
	}
	k.queue.send(m, delay())
	if k.chance(k.profile.Again) && !k.calm {
		k.counts["event sent twice"]++
		k.queue.send(&msg{body: m.body, changes: m.changes}, delay())
	}
}
