package drivertest

import (
	"net/http"
	"sync"
	"sync/atomic"
)

// Cutter lets a number of bytes of each body through, one number after the other, and then
// closes the connection.
type Cutter struct {
	mu   sync.Mutex
	Left []int64 // bytes
	Sent atomic.Int64
}

type cutWriter struct {
	http.ResponseWriter
	*Cutter
	left int64
}

func (c *Cutter) Serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	c.mu.Lock()
	left := int64(1 << 40)
	if r.Method == http.MethodGet && len(c.Left) > 0 {
		left, c.Left = c.Left[0], c.Left[1:]
	}
	c.mu.Unlock()
	next.ServeHTTP(&cutWriter{w, c, left}, r)
}

func (w *cutWriter) Write(p []byte) (int, error) {
	if int64(len(p)) < w.left {
		w.left -= int64(len(p))
		w.Sent.Add(int64(len(p)))
		return w.ResponseWriter.Write(p)
	}
	w.Sent.Add(w.left)
	n, err := w.ResponseWriter.Write(p[:w.left])
	if err == nil {
		// What was let through arrives.
		err = http.NewResponseController(w.ResponseWriter).Flush()
	}
	if err != nil {
		return n, err
	}
	panic(http.ErrAbortHandler)
}
