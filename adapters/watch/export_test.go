package watch

import "time"

// Source is the source that tests can replace.
type Source = source

// SetOpen replaces the function that opens the folder's source.
func (f *Folder) SetOpen(open func() (Source, error)) { f.open = open }

// Sequencer makes sequencers.
type Sequencer struct{ sequencer }

// Next returns the next sequencer at the given time.
func (s *Sequencer) Next(now time.Time) string { return s.next(now) }
