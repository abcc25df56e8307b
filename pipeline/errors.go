package pipeline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
)

// Adapters translate the errors of their technology to these. They ask for another look at the store
// and never prove by themselves that an event needs no work.
var (
	// ErrNotFound: the object, version or record does not exist.
	ErrNotFound = errors.New("not found")
	// ErrChanged: the object is no longer at the requested version, or the record is no longer
	// as it was seen.
	ErrChanged = errors.New("changed meanwhile")
)

// An error that wraps one of these has the class Superseded: the store was asked, and the event needs no
// work.
var (
	// ErrMissing: the store has no object under any reading of the event's key, and no record
	// of one. Only handlers return it.
	ErrMissing = errors.New("no such object")
	// ErrArchived: the object cannot be read until it is restored. The restore sends an event
	// of its own.
	ErrArchived = errors.New("archived, waits for its restore")
	// ErrOwnRecord: the object is a record.
	ErrOwnRecord = errors.New("is a checksum record itself")
	// ErrFiltered: the configuration excludes the object.
	ErrFiltered = errors.New("excluded by configuration")
)

// ErrMismatch is wrapped in a [Permanent] error when an object's content differs from a claim of its
// store, or of a user, see [ContradictionError]. A [Result] has announced the mismatch before.
var ErrMismatch = errors.New("the content is not what its store claims")

// ContradictionError is an [ErrMismatch] with a checksum file that a user keeps in the place of a record.
type ContradictionError struct {
	Check Check // its Name is the key of the file
}

func (e *ContradictionError) Error() string {
	return fmt.Sprintf("%q, which bucketsum did not write, says %s %s, the content has %s: put the object or this file right, or move the file away",
		e.Check.Name, e.Check.Algorithm, e.Check.Claimed, e.Check.Computed)
}

// Unwrap returns ErrMismatch.
func (e *ContradictionError) Unwrap() error { return ErrMismatch }

// ErrUnknownBucket is wrapped in a [Permanent] error when an event names a bucket that is not
// configured. Nothing was read or written.
var ErrUnknownBucket = errors.New("is not configured")

// ErrLeaseLost means that the queue may have given the message to another worker. It is the
// cancellation cause of the work on the message.
var ErrLeaseLost = errors.New("lease lost")

// Class says what becomes of a message whose handling ended with an error.
type Class string

// The classes of errors.
const (
	ClassNone       Class = ""           // no error: acknowledged
	ClassTransient  Class = "transient"  // may succeed later: retried, then given back to the queue
	ClassUnfinished Class = "unfinished" // stopped to continue later: see Unfinished
	ClassPermanent  Class = "permanent"  // never succeeds: dead-lettered at once
	ClassSuperseded Class = "superseded" // no work is needed: acknowledged and counted
)

// Classify returns the class of err. An unknown error is transient: it costs time, but never an
// object. An error that wraps the end of a context is transient even if it is marked permanent,
// because a shutdown or a time-out says nothing about the message.
//
// Several failures, joined by errors.Join or from several events of one message, have the class
// that needs the most care: transient before unfinished before permanent before superseded. An
// error that fmt.Errorf built with several %w is one failure.
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

var superseding = []error{ErrMissing, ErrArchived, ErrOwnRecord, ErrFiltered}

func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

// joinedType distinguishes errors.Join, which joins several failures, from fmt.Errorf with several
// %w, which gives one failure several names.
var joinedType = reflect.TypeOf(errors.Join(errors.ErrUnsupported))

// joined returns the failures that err joins; nil if err is a single failure. An error that was
// marked as a whole is a single failure.
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

// byCare orders the classes by the care that they need, least first.
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

// Permanent marks err as an error that no retry can fix. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// exhaustedError is a transient error on the last permitted delivery.
type exhaustedError struct {
	deliveries int
	err        error
}

func (e *exhaustedError) Error() string {
	return fmt.Sprintf("given up after %d deliveries: %v", e.deliveries, e.err)
}
func (e *exhaustedError) Unwrap() error { return e.err }

// interruptedError is an error that a handler returned after the context of its message ended. It is
// always transient, because the end of the context may have caused it.
type interruptedError struct{ cause, err error }

func (e *interruptedError) Error() string {
	if errors.Is(e.err, e.cause) {
		return e.err.Error()
	}
	return fmt.Sprintf("%v: %v", e.cause, e.err)
}
func (e *interruptedError) Unwrap() []error { return []error{e.cause, e.err} }
