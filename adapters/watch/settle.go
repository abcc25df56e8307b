package watch

import (
	"container/list"
	"sync/atomic"
	"time"
)

// settling holds the keys that have changed, each until it has not changed for
// the wait. All wait equally long, so that the list is in the order of their ends.
type settling struct {
	wait  time.Duration
	order *list.List // of *unsettled
	keys  map[string]*list.Element
	count *atomic.Int64 // of the keys, for other goroutines
}

// unsettled is one key that waits.
type unsettled struct {
	key   string
	state state // when the wait began
	end   time.Time
	again bool // announce it even if it did not change
}

func newSettling(wait time.Duration, count *atomic.Int64) *settling {
	return &settling{wait, list.New(), make(map[string]*list.Element), count}
}

// touch starts the wait of a key, or starts it again.
func (s *settling) touch(key string, now state) {
	end := time.Now().Add(s.wait)
	if e := s.keys[key]; e != nil {
		u := e.Value.(*unsettled)
		u.state, u.end = now, end
		s.order.MoveToBack(e)
		return
	}
	s.keys[key] = s.order.PushBack(&unsettled{key: key, state: now, end: end})
	s.count.Add(1)
}

// again is touch for a key that is to be announced even if it did not change.
func (s *settling) again(key string, now state) {
	s.touch(key, now)
	s.keys[key].Value.(*unsettled).again = true
}

// calm ends the wait of a key that turns out not to have changed, unless it is to
// be announced even so.
func (s *settling) calm(key string) {
	if e := s.keys[key]; e != nil && !e.Value.(*unsettled).again {
		s.drop(key)
	}
}

// drop ends the wait of a key, if it waits.
func (s *settling) drop(key string) {
	if e := s.keys[key]; e != nil {
		s.order.Remove(e)
		delete(s.keys, key)
		s.count.Add(-1)
	}
}

// next returns when the first wait ends; the zero time if no key waits.
func (s *settling) next() time.Time {
	if e := s.order.Front(); e != nil {
		return e.Value.(*unsettled).end
	}
	return time.Time{}
}

// pop takes out one key whose wait is over.
func (s *settling) pop(now time.Time) (unsettled, bool) {
	e := s.order.Front()
	if e == nil || e.Value.(*unsettled).end.After(now) {
		return unsettled{}, false
	}
	u := *e.Value.(*unsettled)
	s.drop(u.key)
	return u, true
}
