// Package output shows what a pass found: each object as a line of text or JSON, all of them as a summary, as a
// page of HTML and as PREMIS, and, while the pass runs, its progress. It also says with which status a pass ends.
//
// Everything in a row is foreign: keys, reasons, storage classes. Nothing from it reaches a terminal or a document
// unescaped.
package output

import (
	"errors"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Sink takes the rows of a pass, in their order; by the workers of a queue, in any order. Its methods are not safe for concurrent use.
type Sink interface {
	// Row takes the next row. After an error the pass has to end, because its output has a gap.
	Row(r sweep.Row) error
	// Close finishes the output. It is called once, also if the pass was stopped early or Row has failed.
	Close(e End) error
}

// End says how a pass ended.
type End struct {
	Begun time.Time // of the pass; zero: Pass.Begun
	At    time.Time
	Pass  string // its name, if it was not known before
	// Resumed: a part was done before this process ran the pass, so that its rate is not known.
	Resumed bool
	// Again: all was done before. The pass is only shown again, from its reports.
	Again bool
	// Refused: the pass did not begin. Nothing is shown or written; what is in the place of a file stays.
	Refused bool
	// Stopped says in one line why it ended early, and how to resume it, as a sentence without a full stop: it may end with
	// a command. Empty: the pass is complete.
	Stopped string
}

// Sinks hand each row to all of them.
type Sinks []Sink

// Row returns the first error.
func (s Sinks) Row(r sweep.Row) error {
	for _, sink := range s {
		if err := sink.Row(r); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all, and returns all errors.
func (s Sinks) Close(e End) error {
	var errs []error
	for _, sink := range s {
		errs = append(errs, sink.Close(e))
	}
	return errors.Join(errs...)
}
