package pipeline

import (
	"context"
	"errors"
)

// Sentinels that adapters wrap around their technology's errors. An error that
// wraps one of them is of class Superseded.
var (
	// ErrNotFound: the object, version or record does not exist.
	ErrNotFound = errors.New("not found")
	// ErrChanged: the object is no longer the version that was asked for, or a
	// newer record is there. The newer version has an event of its own.
	ErrChanged = errors.New("changed meanwhile")
	// ErrArchived: the object cannot be read before it is restored, which
	// brings an event of its own.
	ErrArchived = errors.New("archived, waits for its restore")
	// ErrOwnRecord: the event is about a record.
	ErrOwnRecord = errors.New("is a checksum record itself")
	// ErrFiltered: the configuration excludes the object.
	ErrFiltered = errors.New("excluded by configuration")
)

// Class says what becomes of a message whose handling ended with an error.
type Class string

// The classes of errors.
const (
	ClassNone       Class = ""           // no error: acknowledged
	ClassTransient  Class = "transient"  // may succeed later: retried, then back to the queue
	ClassPermanent  Class = "permanent"  // never succeeds: dead-lettered at once
	ClassSuperseded Class = "superseded" // nobody needs the work any more: acknowledged and counted
)

// Classify returns the class of err. An error of a kind that nobody thought of
// is transient, so that it costs time and never an object. When several events
// of one message failed, the failure that asks for the most care decides:
// transient before permanent before superseded.
func Classify(err error) Class {
	if err == nil {
		return ClassNone
	}
	if e := (*exhaustedError)(nil); errors.As(err, &e) {
		return ClassPermanent
	}
	var several eventErrors
	if errors.As(err, &several) {
		return several.class()
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return ClassTransient // our own stop says nothing about the message
	}
	if p := (*permanentError)(nil); errors.As(err, &p) {
		return ClassPermanent
	}
	for _, s := range []error{ErrNotFound, ErrChanged, ErrArchived, ErrOwnRecord, ErrFiltered} {
		if errors.Is(err, s) {
			return ClassSuperseded
		}
	}
	return ClassTransient
}

// Permanent marks err as one that no retry can mend. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// eventErrors are the failures of the events of one message.
type eventErrors []error

func (e eventErrors) Error() string { return errors.Join(e...).Error() }

func (e eventErrors) class() Class {
	found := make(map[Class]bool)
	for _, err := range e {
		found[Classify(err)] = true
	}
	for _, c := range []Class{ClassTransient, ClassPermanent, ClassSuperseded} {
		if found[c] {
			return c
		}
	}
	return ClassNone
}
