package md5lanes

// Load returns the number of hashes whose Write is running or waiting, and the number of
// lanes, used and free, of the sets that are working.
func (e *Engine) Load() (hashes, lanes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.load, e.leaders * width
}
