package pipeline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
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

// ErrMismatch is wrapped, in a [Permanent] error, when an object's content is not
// what its store claims. A [Result] has announced it by then.
var ErrMismatch = errors.New("the content is not what its store claims")

// ErrUnknownBucket is wrapped, in a [Permanent] error, when an event names a bucket that
// is not configured. Nothing was touched.
var ErrUnknownBucket = errors.New("is not configured")

// Class says what becomes of a message whose handling ended with an error.
type Class string

// The classes of errors.
const (
	ClassNone       Class = ""           // no error: acknowledged
	ClassTransient  Class = "transient"  // may succeed later: retried, then back to the queue
	ClassUnfinished Class = "unfinished" // cut to go on later: see Unfinished
	ClassPermanent  Class = "permanent"  // never succeeds: dead-lettered at once
	ClassSuperseded Class = "superseded" // nobody needs the work any more: acknowledged and counted
)

// Classify returns the class of err. An error of a kind that nobody thought of
// is transient, so that it costs time and never an object. So is one that wraps
// the end of a context, marked permanent or not: that we stopped or a time ran
// out says nothing about the message.
//
// Of several failures joined by errors.Join, or of several events of one
// message, the one that asks for the most care decides: transient before
// unfinished before permanent before superseded. An error that fmt.Errorf wraps with several %w is
// one failure.
func Classify(err error) Class {
	if err == nil {
		return ClassNone
	}
	if failures := joined(err); failures != nil {
		return mostCareful(failures)
	}
	switch {
	case is[*exhaustedError](err):
		return ClassPermanent
	case is[*interruptedError](err), is[*stuckError](err), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return ClassTransient
	case is[*unfinishedError](err):
		return ClassUnfinished
	case is[*permanentError](err):
		return ClassPermanent
	case slices.ContainsFunc(superseding, func(s error) bool { return errors.Is(err, s) }):
		return ClassSuperseded
	default:
		return ClassTransient
	}
}

var superseding = []error{ErrNotFound, ErrChanged, ErrArchived, ErrOwnRecord, ErrFiltered}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// joinedType tells errors.Join, which puts several failures side by side, from
// fmt.Errorf with several %w, which gives one failure several names.
var joinedType = reflect.TypeOf(errors.Join(errors.ErrUnsupported))

// joined returns the failures that stand side by side in err; nil if it is a
// single one. What is marked as a whole is a single one.
func joined(err error) []error {
	for ; err != nil; err = errors.Unwrap(err) {
		switch e := err.(type) {
		case *permanentError, *exhaustedError, *interruptedError, *stuckError:
			return nil
		case *eventErrors:
			return e.failed
		case interface{ Unwrap() []error }:
			if reflect.TypeOf(err) == joinedType {
				return e.Unwrap()
			}
		}
	}
	return nil
}

// byCare orders the classes from the one that asks for the least care.
var byCare = []Class{ClassNone, ClassSuperseded, ClassPermanent, ClassUnfinished, ClassTransient}

func (c Class) care() int { return slices.Index(byCare, c) }

func mostCareful(failures []error) Class {
	most := ClassNone
	for _, err := range failures {
		if c := Classify(err); c.care() > most.care() {
			most = c
		}
	}
	return most
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

// exhaustedError is a transient error that came once too often.
type exhaustedError struct {
	deliveries int
	err        error
}

func (e *exhaustedError) Error() string {
	return fmt.Sprintf("given up after %d deliveries: %v", e.deliveries, e.err)
}
func (e *exhaustedError) Unwrap() error { return e.err }

// interruptedError is what a handler returned after the context of its message
// had ended. It is transient whatever it wraps: it may be the end that speaks.
type interruptedError struct{ cause, err error }

func (e *interruptedError) Error() string {
	if errors.Is(e.err, e.cause) {
		return e.err.Error()
	}
	return fmt.Sprintf("%v: %v", e.cause, e.err)
}
func (e *interruptedError) Unwrap() []error { return []error{e.cause, e.err} }
