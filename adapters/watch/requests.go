package watch

import "sync"

// requests holds the keys that somebody asked to be looked at. Safe for
// concurrent use.
type requests struct {
	mu     *sync.Mutex
	keys   map[string]struct{}
	filled chan struct{} // holds one token if there may be keys
}

func newRequests() requests {
	return requests{new(sync.Mutex), make(map[string]struct{}), make(chan struct{}, 1)}
}

func (r requests) put(key string) {
	r.mu.Lock()
	r.keys[key] = struct{}{}
	r.mu.Unlock()
	select {
	case r.filled <- struct{}{}:
	default:
	}
}

// take takes out all keys.
func (r requests) take() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := make([]string, 0, len(r.keys))
	for key := range r.keys {
		keys = append(keys, key)
	}
	clear(r.keys)
	return keys
}
