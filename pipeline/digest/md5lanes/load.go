package md5lanes

// Load returns how many hashes are in a Write that the engine works on or that waits
// for it, and how many lanes there are in use and idle in the sets that work.
func (e *Engine) Load() (hashes, lanes int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.load, e.leaders * width
}
