package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of a handler or decoder. It is transient: what the
// object made the code do, another version of the code may not.
type PanicError struct {
	Value any
	Stack string
}

// Error names the panic without its stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// recovered turns a panic of handle into a [PanicError]. It wraps the handler
// rather than the message, so that an event that panics does not keep the
// message's other events from being handled.
func recovered(handle Handler) Handler {
	return func(ctx context.Context, e Event) error {
		return safely(func() error { return handle(ctx, e) })
	}
}

func safely(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: string(debug.Stack())}
		}
	}()
	return f()
}
