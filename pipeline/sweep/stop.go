package sweep

import (
	"context"
	"sync"
)

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// stopContext returns a context that ends with another one, or when stop is closed.
func stopContext(ctx context.Context, stop <-chan struct{}) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	forget := onClose(stop, cancel)
	return ctx, func() {
		forget()
		cancel()
	}
}

// onClose calls f when a channel is closed, until the returned function is called.
func onClose(c <-chan struct{}, f func()) (forget func()) {
	var watching sync.WaitGroup
	ended := make(chan struct{})
	watching.Go(func() {
		select {
		case <-c:
			f()
		case <-ended:
		}
	})
	return func() {
		close(ended)
		watching.Wait()
	}
}
