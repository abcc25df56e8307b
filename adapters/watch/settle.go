package watch

import (
	"container/list"
	"time"
)

// settling holds the keys that something happened to, until nothing has
// happened to them for a while. All of them wait equally long, so that the list is
// in the order of their ends.
type settling struct {
	wait  time.Duration
	order *list.List // of *unsettled
	keys  map[string]*list.Element
}

// unsettled is one key that waits.
type unsettled struct {
	key  string
	seen sight // when the wait began
	end  time.Time
	// again: it is to be announced even if nothing happened to it.
	again bool
}

func newSettling(wait time.Duration) *settling {
	return &settling{wait, list.New(), make(map[string]*list.Element)}
}

// touch lets the key wait from now on.
func (s *settling) touch(key string, seen sight, now time.Time) {
	if e := s.keys[key]; e != nil {
		u := e.Value.(*unsettled)
		u.seen, u.end = seen, now.Add(s.wait)
		s.order.MoveToBack(e)
		return
	}
	s.keys[key] = s.order.PushBack(&unsettled{key: key, seen: seen, end: now.Add(s.wait)})
}

// again lets the key wait from now on, to be announced whatever happens.
func (s *settling) again(key string, seen sight, now time.Time) {
	s.touch(key, seen, now)
	s.keys[key].Value.(*unsettled).again = true
}

// calm ends the wait of the key, if it waits because something seemed to have
// happened to it.
func (s *settling) calm(key string) {
	if e := s.keys[key]; e != nil && !e.Value.(*unsettled).again {
		s.drop(key)
	}
}

// drop ends the wait of the key, if it waits.
func (s *settling) drop(key string) {
	if e := s.keys[key]; e != nil {
		s.order.Remove(e)
		delete(s.keys, key)
	}
}

// next returns when the first wait ends; the zero time if nothing waits.
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
