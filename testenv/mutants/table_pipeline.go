package main

// pipelineMutants break the router, the queue engine and the portable store.
var pipelineMutants = []mutant{
	{
		name: "memory-of-events",
		what: "an event is skipped because the process has begun its work before",
		changes: []change{{
			file: "pipeline/dedupe.go",
			old:  `		return handle(ctx, e)`,
			new: `		if e.Repeated && attempt == 1 {
			return nil
		}
		return handle(ctx, e)`,
		}},
	},
	{
		name: "one-event-acks-all",
		what: "a message is acknowledged when one of its events is superseded, although another one failed",
		changes: []change{{
			file: "pipeline/each_event.go",
			old: `	if len(failed) == 0 {
		failed = superseded
	}`,
			new: `	if len(superseded) > 0 {
		failed = superseded
	}`,
		}},
	},
	{
		name: "transient-is-poison",
		what: "an unknown error counts as permanent, so that a passing fault makes a dead letter",
		changes: []change{{
			file: "pipeline/errors.go",
			old: `	default:
		return ClassTransient`,
			new: `	default:
		return ClassPermanent`,
		}},
	},
	{
		name: "dead-letter-without-reason",
		what: "a dead letter does not say why",
		changes: []change{{
			file: "pipeline/poison.go",
			old: `			dead.Metadata.Set(MetadataReason, reason(err))
`,
			new: ``,
		}},
	},
	{
		name: "beyond-limit-worked",
		what: "a message is worked on however often its work was interrupted",
		changes: []change{{
			file: "pipeline/limit.go",
			old:  `maxDeliveries == 0 || n <= maxDeliveries {`,
			new:  `maxDeliveries == 0 || n > 0 {`,
		}},
	},
	{
		name: "ack-before-dead-letter",
		what: "a message is acknowledged although its dead letter could not be stored",
		changes: []change{{
			file: "pipeline/poison.go",
			old: `			failed := deliveryOf(msg).observer.Do(msg.Context(), StepDeadLetter, Object{}, func(context.Context) error {
				return to.Publisher.Publish(to.Topic, dead)
			})
			if failed != nil {
				return nil, errors.Join(err, fmt.Errorf("dead-letter the message: %w", failed)) // Nack: it would be lost.
			}
`,
			new: `			_ = deliveryOf(msg).observer.Do(msg.Context(), StepDeadLetter, Object{}, func(context.Context) error {
				return to.Publisher.Publish(to.Topic, dead)
			})
`,
		}},
	},
	{
		name: "continuation-after-ack",
		what: "the message for the rest of the work is sent after the first one was acknowledged",
		changes: []change{{
			file: "pipeline/continue.go",
			old:  `			rest := message.NewMessageWithContext(msg.Context(), watermill.NewUUID(), msg.Payload)`,
			new:  `			rest := message.NewMessageWithContext(context.WithoutCancel(msg.Context()), watermill.NewUUID(), msg.Payload)`,
		}, {
			file: "pipeline/continue.go",
			old: `			failed := deliveryOf(msg).observer.Do(msg.Context(), StepContinue, Object{}, func(context.Context) error {
				return to.Publisher.Publish(to.Topic, rest)
			})
			if failed != nil {
				return nil, &stuckError{fmt.Errorf("send the continuation: %w", failed)} // Nack: the rest would be lost.
			}
`,
			new: `			go func() {
				select {
				case <-msg.Acked():
					_ = to.Publisher.Publish(to.Topic, rest)
				case <-msg.Nacked():
				}
			}()
`,
		}},
	},
	{
		name: "continuation-lost",
		what: "a message for the rest of the work that could not be sent counts as sent",
		changes: []change{{
			file: "pipeline/continue.go",
			old:  `				return nil, &stuckError{fmt.Errorf("send the continuation: %w", failed)} // Nack: the rest would be lost.`,
			new:  `				err = fmt.Errorf("send the continuation: %w", failed)`,
		}},
	},
	{
		name: "nack-deletes",
		what: "a message that goes back to the queue is deleted",
		changes: []change{{
			file: "pipeline/queue/deliver.go",
			old:  `			s.settle(intake, q, d, false, delay)`,
			new:  `			s.settle(intake, q, d, true, delay)`,
		}},
	},
	{
		name: "heartbeat-stops-in-drain",
		what: "a worker that drains no longer extends the leases of its messages",
		changes: []change{{
			file: "pipeline/queue/deliver.go",
			old: `	defer s.observe(lease)()
`,
			new: `	defer s.observe(lease)()
	defer context.AfterFunc(intake, lease.stopHeartbeat)()
`,
		}, {
			file: "pipeline/queue/hold.go",
			old: `	extended func()      // runs after each extension; may be nil
}`,
			new: `	extended func()      // runs after each extension; may be nil
	stopped  bool        // no more extensions
}

// stopHeartbeat ends the extensions.
func (l *Lease) stopHeartbeat() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
}

func (l *Lease) beats() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.stopped
}`,
		}, {
			file: "pipeline/queue/hold.go",
			old:  `	for failures := 0; backoff.Sleep(l.ctx, wait); {`,
			new:  `	for failures := 0; backoff.Sleep(l.ctx, wait) && l.beats(); {`,
		}},
	},
	{
		name: "work-after-lost-lease",
		what: "the work on a message goes on after its lease was lost",
		changes: []change{{
			file: "pipeline/queue/deliver.go",
			old: `	defer context.AfterFunc(lease.Context(), func() { cancel(context.Cause(lease.Context())) })()
`,
			new: ``,
		}},
	},
	{
		name: "unconditional-write",
		what: "a record is written without a condition, over whatever is there",
		changes: []change{{
			file: "adapters/blobstore/records.go",
			old:  `	return r.bucket.Put(ctx, key, b, c)`,
			new:  `	return r.bucket.Put(ctx, key, b, driver.Condition{Any: true})`,
		}},
	},
	{
		name: "unconditional-replace",
		what: "a record that replaces another one is written without a condition",
		changes: []change{{
			file: "adapters/blobstore/records.go",
			old: `			condition.Old = old.blob
`,
			new: `			condition.Any = true
`,
		}},
	},
	{
		name: "unconditional-remove",
		what: "a record is removed without a condition, whichever one is there by now",
		changes: []change{{
			file: "adapters/blobstore/records.go",
			old: `		c.Old = old.blob
`,
			new: `		c.Any = true
`,
		}},
	},
	{
		name: "digest-state-forgotten",
		what: "a restored digest counts the bytes before its checkpoint without their hash",
		changes: []change{{
			file: "pipeline/digest/state.go",
			old: `		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(inner); err != nil {
			return nil, fmt.Errorf("restore the state of %s: %w", name, err)
		}`,
			new: `		if _, ok := h.(encoding.BinaryUnmarshaler); !ok || len(inner) == 0 {
			return nil, fmt.Errorf("restore the state of %s", name)
		}`,
		}},
	},
}
