package pipeline

import (
	"context"
	"time"
)

// Observer watches the work of a process: metrics, traces, the page's activity and the
// progress of the local command are Observers. A nil field is not called. The fields are
// called from several goroutines at once and must not block.
//
// An Observer changes nothing about the work. Announcing results is part of the work,
// because a message is acknowledged only after it: see [Publisher].
type Observer struct {
	// Begin is called before a delivery is handled. Only MessageID, Attempt and Trace of the
	// delivery are known. The handling uses the returned context, which derives from ctx, and
	// the message keeps it until it is acknowledged.
	Begin func(ctx context.Context, d Delivery) context.Context
	// End is called before the queue learns the fate of the delivery. ctx derives from the
	// one that Begin returned.
	End func(ctx context.Context, d Delivery)
	// Trace returns the trace of the work in ctx, for messages that this work sends. The
	// zero Trace stands for the trace that the handled message carries.
	Trace func(ctx context.Context) Trace
	// Result is called when an event's work is done and its result was announced. err is the
	// error of the announcement; the event is then handled again.
	Result func(ctx context.Context, r Result, err error)
	// Step is called before a step of the work, which uses the returned context. The object is
	// zero for a step that concerns a whole message.
	Step func(ctx context.Context, s Step, o Object) context.Context
	// Stepped is called after a step with the context of Step, the time when the step began,
	// and its error.
	Stepped func(ctx context.Context, s Step, began time.Time, err error)
	// Opened is called when an object was opened, Closed once when its reader was closed, and
	// Advanced after each read that returned bytes, with their number.
	Opened   func(r *Reading)
	Advanced func(bytes int)
	Closed   func(r *Reading)
	// Lease is called when the lease on a message changed.
	Lease func(LeaseChange)

	complete bool // no field is nil
}

// Step is a step of the work that takes time: a request to a store or a queue.
type Step string

// The steps.
const (
	StepOpen       Step = "open"        // until the store begins to send the object
	StepHash       Step = "hash"        // reading and hashing the object, until its reader is closed
	StepLookup     Step = "lookup"      // Recorder.Lookup
	StepRecord     Step = "record"      // Recorder.Save
	StepRemove     Step = "remove"      // Recorder.Remove
	StepCheckpoint Step = "checkpoint"  // Checkpoints.Save
	StepPublish    Step = "publish"     // announcing a result
	StepDeadLetter Step = "dead-letter" // sending a dead letter
	StepContinue   Step = "continue"    // sending a continuation
	StepAck        Step = "ack"         // acknowledging a message
	StepNack       Step = "nack"        // giving a message back to its queue
)

// LeaseChange is what happened to a lease.
type LeaseChange string

// The changes of leases.
const (
	LeaseExtended LeaseChange = "extended"
	LeaseLost     LeaseChange = "lost" // another worker may do the same work
)

// Observers returns one Observer that calls all of them, in their order. None of its fields
// is nil.
func Observers(all ...Observer) Observer {
	if len(all) == 1 && all[0].complete {
		return all[0]
	}
	return Observer{
		Begin: func(ctx context.Context, d Delivery) context.Context {
			for i := range all {
				if f := all[i].Begin; f != nil {
					ctx = f(ctx, d)
				}
			}
			return ctx
		},
		End: func(ctx context.Context, d Delivery) { endAll(all, ctx, &d) },
		Trace: func(ctx context.Context) (t Trace) {
			for i := range all {
				if f := all[i].Trace; f != nil && t == (Trace{}) {
					t = f(ctx)
				}
			}
			return t
		},
		Result: func(ctx context.Context, r Result, err error) {
			for i := range all {
				if f := all[i].Result; f != nil {
					f(ctx, r, err)
				}
			}
		},
		Step: func(ctx context.Context, s Step, o Object) context.Context {
			for i := range all {
				if f := all[i].Step; f != nil {
					ctx = f(ctx, s, o)
				}
			}
			return ctx
		},
		Stepped: func(ctx context.Context, s Step, began time.Time, err error) {
			for i := range all {
				if f := all[i].Stepped; f != nil {
					f(ctx, s, began, err)
				}
			}
		},
		Opened:   callAll(all, func(o *Observer) func(*Reading) { return o.Opened }),
		Advanced: callAll(all, func(o *Observer) func(int) { return o.Advanced }),
		Closed:   callAll(all, func(o *Observer) func(*Reading) { return o.Closed }),
		Lease:    callAll(all, func(o *Observer) func(LeaseChange) { return o.Lease }),
		complete: true,
	}
}

// callAll returns a function that calls one field of all observers.
func callAll[T any](all []Observer, field func(*Observer) func(T)) func(T) {
	return func(v T) {
		for i := range all {
			if f := field(&all[i]); f != nil {
				f(v)
			}
		}
	}
}

// endAll calls End of all observers, also of those after one that panics.
func endAll(all []Observer, ctx context.Context, d *Delivery) {
	if len(all) == 0 {
		return
	}
	defer endAll(all[1:], ctx, d)
	if f := all[0].End; f != nil {
		f(ctx, *d)
	}
}

// Do does a step of the work, observed.
func (o *Observer) Do(ctx context.Context, s Step, object Object, step func(context.Context) error) error {
	began := time.Now()
	if o.Step != nil {
		ctx = o.Step(ctx, s, object)
	}
	err := step(ctx)
	if o.Stepped != nil {
		o.Stepped(ctx, s, began, err)
	}
	return err
}

// Publish announces a result by p, observed. A nil p announces nothing.
func (o *Observer) Publish(ctx context.Context, p Publisher, r Result) error {
	if p == nil {
		return nil
	}
	return o.Do(ctx, StepPublish, r.Record.Source, func(ctx context.Context) error { return p(ctx, r) })
}
