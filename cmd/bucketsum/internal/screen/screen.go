// Package screen prints lines and, on a terminal, a status line below them that changes
// in place. It knows the width of the terminal and whether it has colours.
package screen

import (
	"io"
	"os"
	"strings"
	"sync"

	"golang.org/x/term"
)

// Unlimited is the width of what is not a terminal.
const Unlimited = 1 << 30

// Screen is where a command prints. Safe for concurrent use.
type Screen struct {
	out      io.Writer
	terminal *os.File // out, if it is a terminal that can erase a line; else nil
	colours  bool

	mu     sync.Mutex
	status string // the line below all others; empty: there is none
}

// New returns the screen of an output. It heeds the variables TERM and NO_COLOR.
func New(out io.Writer) *Screen {
	s := &Screen{out: out}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb" {
		s.terminal = f
		s.colours = os.Getenv("NO_COLOR") == ""
	}
	return s
}

// Live reports whether there is a status line.
func (s *Screen) Live() bool { return s.terminal != nil }

// Width returns the width of the terminal in cells.
func (s *Screen) Width() int {
	if s.terminal == nil {
		return Unlimited
	}
	width, _, err := term.GetSize(int(s.terminal.Fd()))
	if err != nil || width < 2 {
		return 80
	}
	return width
}

// Print prints complete lines above the status line.
func (s *Screen) Print(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var text strings.Builder
	if s.terminal != nil {
		text.WriteString(erase) // also the ^C of a user
	}
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	text.WriteString(s.status)
	_, _ = s.out.Write([]byte(text.String())) // there is nowhere to report that the output is closed
}

const erase = "\r\x1b[K"

// Status replaces the status line; an empty one is erased. It must be shorter than the
// terminal is wide: a line that wraps cannot be erased.
func (s *Screen) Status(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.terminal == nil || line == s.status {
		return
	}
	_, _ = s.out.Write([]byte(erase + line))
	s.status = line
}

// Beside returns a writer of whole lines to another output, such as a log. If both are
// terminals, the status line makes room for them.
func (s *Screen) Beside(w io.Writer) io.Writer {
	if f, ok := w.(*os.File); s.terminal == nil || !ok || !term.IsTerminal(int(f.Fd())) {
		return w
	}
	return beside{s, w}
}

type beside struct {
	screen *Screen
	out    io.Writer
}

// Write implements io.Writer.
func (b beside) Write(p []byte) (int, error) {
	b.screen.mu.Lock()
	defer b.screen.mu.Unlock()
	_, _ = b.screen.out.Write([]byte(erase))
	n, err := b.out.Write(p)
	_, _ = b.screen.out.Write([]byte(b.screen.status))
	return n, err
}

// Colour is a colour of a terminal.
type Colour string

// The colours.
const (
	Red    Colour = "\x1b[31m"
	Green  Colour = "\x1b[32m"
	Yellow Colour = "\x1b[33m"
)

// Paint returns the text in a colour, if the screen has colours.
func (s *Screen) Paint(c Colour, text string) string {
	if !s.colours {
		return text
	}
	return string(c) + text + "\x1b[0m"
}
