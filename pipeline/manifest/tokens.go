package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// tokens reads one JSON document as a stream. All errors are final, and say on which line.
type tokens struct {
	d *json.Decoder
	m *meter
}

func newTokens(r io.Reader) *tokens {
	m := &meter{r: r}
	t := &tokens{d: json.NewDecoder(m), m: m}
	t.d.UseNumber()
	return t
}

// meter counts newlines, and bounds how much is read between two tokens.
type meter struct {
	r     io.Reader
	since int64 // bytes since the last token
	total int64
	// newlines are the places of those that were read, and that come after the last token.
	newlines []int64
	passed   int // newlines before the last token
}

func (m *meter) Read(p []byte) (int, error) {
	if m.since > 2*maxLine {
		return 0, errLongLine
	}
	n, err := m.r.Read(p[:min(len(p), maxLine)])
	for i, c := range p[:n] {
		if c == '\n' {
			m.newlines = append(m.newlines, m.total+int64(i))
		}
	}
	m.total += int64(n)
	m.since += int64(n)
	return n, err
}

// line returns the line of the last token.
func (t *tokens) line() int {
	for len(t.m.newlines) > 0 && t.m.newlines[0] < t.d.InputOffset() {
		t.m.newlines = t.m.newlines[1:]
		t.m.passed++
	}
	return t.m.passed + 1
}

func (t *tokens) next() (json.Token, error) {
	token, err := t.d.Token()
	t.m.since = 0
	switch {
	case err == nil:
		return token, nil
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, t.fault("the JSON document ends too early")
	case errors.Is(err, errLongLine):
		return nil, t.fault("a text in it is too long")
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return nil, t.fault("it is not JSON")
	}
	return nil, &readError{err}
}

// end makes sure that nothing follows the document.
func (t *tokens) end() error {
	if _, err := t.d.Token(); !errors.Is(err, io.EOF) {
		return t.fault("something follows the JSON document")
	}
	return nil
}

// fault returns an error that names the line.
func (t *tokens) fault(what string) error {
	return &readError{fmt.Errorf("line %d: %s", t.line(), what)}
}

// object reads an object and calls value for each of its names. value reads what belongs to the name.
func (t *tokens) object(value func(name string) error) error {
	return t.each('{', "an object", func() error {
		name, err := t.string()
		if err != nil {
			return err
		}
		return value(name)
	})
}

// strings reads a list of strings.
func (t *tokens) strings(each func(string) error) error {
	return t.each('[', "a list", func() error {
		s, err := t.string()
		if err != nil {
			return err
		}
		return each(s)
	})
}

func (t *tokens) each(open json.Delim, want string, one func() error) error {
	token, err := t.next()
	if err != nil {
		return err
	}
	if token != open {
		return t.fault("expected " + want)
	}
	for t.d.More() {
		t.m.since = 0
		if err := one(); err != nil {
			return err
		}
	}
	_, err = t.next() // the end
	return err
}

func (t *tokens) string() (string, error) {
	token, err := t.next()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", t.fault("expected a text")
	}
	return s, nil
}

// scalar reads anything but an object or a list.
func (t *tokens) scalar() (json.Token, error) {
	token, err := t.next()
	if _, ok := token.(json.Delim); ok {
		return nil, t.fault("expected a text or a number")
	}
	return token, err
}

// maxDepth bounds the memory of the decoder.
const maxDepth = 100

// skip reads a value of any kind.
func (t *tokens) skip() error {
	for depth := 0; ; {
		token, err := t.next()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			if depth++; depth > maxDepth {
				return t.fault("it is nested too deeply")
			}
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
