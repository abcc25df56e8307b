package pipeline

import (
	"context"
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of a handler or decoder. It is transient: another version of the code may
// handle the same object.
type PanicError struct {
	Value any
	Stack string
}

// Error returns the value of the panic, without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// recovered turns a panic of handle into a [PanicError]. It wraps the handler of one event, so that a
// panic does not stop the other events of the message.
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
