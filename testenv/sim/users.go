package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// fates of messages that are no events of configured buckets.
const (
	isIgnored = "is ignored"       // a test event
	isRefused = "is dead-lettered" // it cannot be decoded, or names a bucket that is not configured
)

// users change objects while the workers work.
type users struct {
	kernel *kernel
	keys   []string
	left   int // operations
	writes int
	claims map[string]bool // contents for which the stores claim a wrong checksum, or not
}

// odd keys are spelt differently in some forms of events.
var keyPool = []string{"k0", "dir/a b+c%41", "skip/k2", "k3"}

// plan puts the operations on the agenda. Those that are left over are for meddle.
func (u *users) plan() {
	k := u.kernel
	p := &k.profile
	first := k.rng.IntN(len(keyPool))
	for i := range p.Keys {
		u.keys = append(u.keys, keyPool[(first+i)%len(keyPool)])
	}
	for _, s := range k.store {
		for _, key := range u.keys {
			s.names[s.checkpointKey(key)] = key
		}
	}
	for range p.Operations {
		k.later(k.between(0, p.Span), func() { u.act(pick(k, k.store[:p.Buckets]...), pick(k, u.keys...)) })
	}
	if p.Meddling > 0 {
		u.left = 2 * p.Operations
	}
	for range k.rng.IntN(3) {
		k.later(k.between(0, p.Span), u.disturbQueue)
	}
	k.later(p.Span+k.between(0, 2*time.Minute), k.calmDown)
}

// meddle changes an object that a worker is just about to read or to record.
func (u *users) meddle(s *store, key string) bool {
	key = objectOf(strings.TrimPrefix(key, s.name+"/"))
	if u.left == 0 || !s.configured || !slices.Contains(u.keys, key) {
		return false
	}
	u.left--
	u.kernel.counts["meddled"]++
	u.act(s, key)
	return true
}

// act does one operation on a key.
func (u *users) act(s *store, key string) {
	k := u.kernel
	now := s.current(key)
	x := k.rng.IntN(100)
	switch {
	case now == nil && x < 60 && s.at(key).last() != nil: // put back
		u.put(s, key, s.at(key).last().data)
	case now == nil || x < 40:
		u.put(s, key, u.fresh())
	case x < 50: // the same content again
		u.put(s, key, now.data)
	case x < 60: // deleted and put back
		u.remove(s, key)
		u.put(s, key, now.data)
	case x < 65:
		u.remove(s, key)
		u.put(s, key, u.fresh())
	case x < 80:
		u.remove(s, key)
	case x < 90 && s.versioned:
		h := s.at(key)
		v := h.stack[k.rng.IntN(len(h.stack))]
		k.history.note("user deletes", s.nameOf(key), v.id)
		s.removeVersion(key, v)
	case x < 95 && k.profile.OwnFiles:
		u.putOwnFile(s, key)
	default: // what an earlier version had
		if old := s.at(key).ever[0]; !old.marker {
			u.put(s, key, old.data)
		}
	}
}

// fresh returns new content, large enough for checkpoints if they are on.
func (u *users) fresh() []byte {
	k := u.kernel
	u.writes++
	text := fmt.Sprintf("content %d of this run\n", u.writes)
	n := k.rng.IntN(100)
	if k.profile.Resume.Every > 0 && k.rng.IntN(2) == 0 {
		n = int(k.profile.Resume.Every) * (2 + k.rng.IntN(5))
	}
	return []byte(strings.Repeat(text, n/len(text)+1)[:max(n, len(text))])
}

func (u *users) put(s *store, key string, data []byte) {
	k := u.kernel
	v := &version{data: data, byUser: true, parts: len(data) > 500 && k.rng.IntN(2) == 0}
	v.falseClaim = !v.parts && u.falsely(string(data))
	s.put(key, v)
	k.history.note("user puts", s.nameOf(key), fmt.Sprintf("%d bytes, etag %.8s, version %q, false claim %v", len(data), v.etag, v.id, v.falseClaim))
}

// falsely reports whether the stores claim a wrong checksum for some content. They always do, or never.
func (u *users) falsely(content string) bool {
	k := u.kernel
	falsely, known := u.claims[content]
	if !known {
		falsely = k.chance(k.profile.FalseClaims)
		u.claims[content] = falsely
	}
	if falsely {
		k.counts["false claim"]++
	}
	return falsely
}

func (u *users) remove(s *store, key string) {
	u.kernel.history.note("user deletes", s.nameOf(key), "")
	s.remove(key, true)
}

// putOwnFile puts a checksum file of the user's own in the place of a record: a right one or a wrong one.
// Records of bucketsum's stay, since a user who overwrites them wants no record there.
func (u *users) putOwnFile(s *store, key string) {
	k := u.kernel
	at := layout.RecordKey(key, pick(k, k.profile.Algorithms...))
	if s.current(at) != nil {
		return
	}
	line := "my own notes\n"
	if v := s.current(key); v != nil && k.rng.IntN(2) == 0 && strings.HasSuffix(at, ".md5") {
		line = v.sum("md5") + "  " + key[strings.LastIndex(key, "/")+1:] + "\n"
	}
	k.counts["own file"]++
	s.put(at, &version{data: []byte(line), byUser: true})
	k.history.note("user puts", s.nameOf(at), "a file of their own: "+strings.TrimSpace(line))
}

// disturbQueue sends a message that is no event of a configured bucket.
func (u *users) disturbQueue() {
	k := u.kernel
	m := &msg{expect: isRefused}
	switch k.rng.IntN(3) {
	case 0:
		m.body, m.expect = `{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-11-29T00:00:00Z","Bucket":"a"}`, isIgnored
	case 1:
		m.body = fmt.Sprintf(`{"nonsense":%d}`, k.queue.last)
	default:
		v := &version{data: []byte("x"), byUser: true}
		other := newStore("elsewhere", false)
		other.put("k0", v)
		m.body = k.bodyOf(k.word(change{store: other, key: "k0", kind: "created", version: v, n: 1000 + k.queue.last, at: time.Now()}))
	}
	k.queue.byBody[m.body] = m
	k.history.note("message", "", m.body[:min(len(m.body), 60)])
	k.queue.send(m, 0)
}
