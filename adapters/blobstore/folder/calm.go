package folder

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// The times of a Calm.
const (
	// manyRemovals are as many as make it likely that a user removes a whole folder.
	manyRemovals = 8
	// calmAfter is how long after the last removal records are written again.
	calmAfter = 100 * time.Millisecond
	// longestHold is how long records are held back at most. They are then written for as
	// long at least: some users remove files all the time.
	longestHold = 30 * time.Second
	// withdrawn is how long before the hold a record may have been written that is withdrawn.
	withdrawn = 250 * time.Millisecond
)

// Calm holds records back while users remove many files. "rm -rf" lists a folder, removes
// what it has listed and then the folder: it fails if a record appears meanwhile. So a
// folder writes no record until it is calm again, and withdraws the records that it wrote
// just before, while the removals were not noticed yet; the watcher reports those as
// removed. A nil Calm holds nothing back. Its methods are safe for concurrent use.
type Calm struct {
	mu       sync.Mutex
	removals int             // in a row
	last     time.Time       // the last of them
	folders  map[string]bool // where they were, and the folders above; the top is "."
	recent   []placement     // oldest first

	held     chan struct{} // not nil: records are held back until it is closed
	began    time.Time     // when the hold began
	notUntil time.Time     // the earliest time of the next hold
}

// placement is a record that got its name a moment ago.
type placement struct {
	at       time.Time
	dir      string // with slashes; the top is "."
	withdraw func()
}

// Removed tells that a user removed an object or a record.
func (c *Calm) Removed(key string) {
	c.mu.Lock()
	now := time.Now()
	if c.removals == 0 || now.Sub(c.last) > calmAfter {
		c.removals, c.folders = 0, make(map[string]bool)
	}
	c.removals++
	c.last = now
	for dir := key; dir != "."; {
		if i := strings.LastIndexByte(dir, '/'); i >= 0 {
			dir = dir[:i]
		} else {
			dir = "."
		}
		if c.folders[dir] {
			break
		}
		c.folders[dir] = true
	}
	if c.held == nil && c.removals >= manyRemovals && now.After(c.notUntil) {
		c.held, c.began = make(chan struct{}), now
		time.AfterFunc(calmAfter, c.look)
	}
	var lost []placement
	if c.held != nil {
		lost = c.take()
	}
	c.mu.Unlock()
	for _, p := range lost {
		p.withdraw()
	}
}

// take takes out the recent records in folders with removals. The caller holds c.mu.
func (c *Calm) take() (lost []placement) {
	kept := c.recent[:0]
	for _, p := range c.recent {
		switch {
		case p.at.Before(c.began.Add(-withdrawn)): // it is listed by now
		case c.folders[p.dir]:
			lost = append(lost, p)
		default:
			kept = append(kept, p)
		}
	}
	clear(c.recent[len(kept):])
	c.recent = kept
	return lost
}

// look ends the hold when it is calm, or when the hold has lasted too long.
func (c *Calm) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	rest := c.last.Add(calmAfter).Sub(now)
	over := now.Sub(c.began) >= longestHold
	if rest > 0 && !over {
		time.AfterFunc(rest, c.look)
		return
	}
	close(c.held)
	c.held = nil
	if over {
		c.notUntil = now.Add(longestHold)
	}
}

// wait waits while records are held back, or until ctx ends.
func (c *Calm) wait(ctx context.Context) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	held := c.held
	c.mu.Unlock()
	if held == nil {
		return nil
	}
	select {
	case <-held:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errWithdrawn = errors.New("users remove files around it: the record was withdrawn, and is written when they are done")

// placed tells that a record has got its name. If users remove files around it, placed
// withdraws it and returns an error.
func (c *Calm) placed(dir string, withdraw func()) error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	if c.held != nil && c.folders[dir] {
		c.mu.Unlock()
		withdraw()
		return errWithdrawn
	}
	defer c.mu.Unlock()
	now := time.Now()
	old := 0
	for c.held == nil && old < len(c.recent) && c.recent[old].at.Before(now.Add(-withdrawn)) {
		old++
	}
	c.recent = append(c.recent[old:], placement{now, dir, withdraw})
	return nil
}
