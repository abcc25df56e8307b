package redrive

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// What a summary keeps of untrusted messages.
const (
	maxGroups  = 100
	maxSamples = 3
	maxSample  = 300 // bytes
)

// Tally counts messages. Found counts a message again if the queue delivers it again.
type Tally struct {
	Found     int `json:"found"`
	Matched   int `json:"matched"`
	Sent      int `json:"sent"`
	Discarded int `json:"discarded"`
	Failed    int `json:"failed"`    // matched, and could not be sent or deleted
	CameBack  int `json:"came_back"` // sent in this run, and dead-lettered again meanwhile
}

// Left returns how many were given back.
func (t Tally) Left() int { return t.Found - t.Sent - t.Discarded }

// Group are the messages with one kind of reason.
type Group struct {
	Reason string `json:"reason"` // numbers, names and identifiers are replaced by N and …
	Tally
	// Oldest and Newest are when the queue got them; zero if it does not tell.
	Oldest  time.Time `json:"oldest,omitzero"`
	Newest  time.Time `json:"newest,omitzero"`
	Samples []Sample  `json:"samples,omitempty"`
	Fault   string    `json:"fault,omitempty"` // why one of them failed
}

// Sample is an object that one of the messages names. Both are empty for a message that cannot be decoded.
type Sample struct {
	Bucket    string `json:"bucket,omitempty"`
	Key       string `json:"key,omitempty"`
	MessageID string `json:"message_id,omitempty"`
}

// tally collects groups. Safe for concurrent use.
type tally struct {
	mu     sync.Mutex
	groups map[string]*Group
	total  Tally
}

// found counts a message and returns its group.
func (t *tally) found(l letter, id string, sent time.Time, matched bool) *Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.groups[l.kind]
	if g == nil {
		if len(t.groups) >= maxGroups {
			l.kind = Others
			g = t.groups[Others]
		}
		if g == nil {
			g = &Group{Reason: l.kind}
			t.groups[l.kind] = g
		}
	}
	for _, c := range []*Tally{&g.Tally, &t.total} {
		c.Found++
		if matched {
			c.Matched++
		}
	}
	if !sent.IsZero() {
		if g.Oldest.IsZero() || sent.Before(g.Oldest) {
			g.Oldest = sent
		}
		if sent.After(g.Newest) {
			g.Newest = sent
		}
	}
	if len(g.Samples) < maxSamples {
		s := Sample{MessageID: readable.Cut(id, maxSample)}
		if len(l.objects) > 0 {
			s.Bucket, s.Key = readable.Cut(l.objects[0].Bucket, maxSample), readable.Cut(l.objects[0].Key, maxSample)
		}
		g.Samples = append(g.Samples, s)
	}
	return g
}

// count changes the counts of a group and of all.
func (t *tally) count(g *Group, change func(*Tally)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&g.Tally)
	change(&t.total)
}

func (t *tally) failed(g *Group, err error) {
	t.count(g, func(c *Tally) { c.Failed++ })
	t.mu.Lock()
	defer t.mu.Unlock()
	if g.Fault == "" {
		g.Fault = readable.Cut(readable.Text(err.Error()), maxSample)
	}
}

func (t *tally) totals() Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total
}

// sorted returns the groups that have messages, the largest first.
func (t *tally) sorted() []Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	groups := make([]Group, 0, len(t.groups))
	for _, g := range t.groups {
		if g.Found > 0 {
			groups = append(groups, *g)
		}
	}
	slices.SortFunc(groups, func(a, b Group) int {
		if a.Found != b.Found {
			return b.Found - a.Found
		}
		return strings.Compare(a.Reason, b.Reason)
	})
	return groups
}

// objectsOf returns the objects that a message names, under each reading of their keys.
func objectsOf(events []pipeline.Event) []pipeline.Object {
	var objects []pipeline.Object
	for _, e := range events {
		if e.Object.Bucket == "" {
			continue
		}
		objects = append(objects, e.Object)
		if e.OtherKey != "" {
			other := e.Object
			other.Key = e.OtherKey
			objects = append(objects, other)
		}
	}
	return objects
}
