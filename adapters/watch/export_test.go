package watch

import "time"

// Source is what tests put in the place of the system's watcher.
type Source = source

// SetOpen replaces how the folder opens its source.
func (f *Folder) SetOpen(open func() (Source, error)) { f.open = open }

// Sequencer makes sequencers.
type Sequencer struct{ sequencer }

// Next returns the next one at a time.
func (s *Sequencer) Next(now time.Time) string { return s.next(now) }
