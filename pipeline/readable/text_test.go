package readable_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

func TestNameAndText(t *testing.T) {
	for s, want := range map[string]struct{ name, text string }{
		"a b":           {"a b", "a b"},
		"日本 – ü":        {"日本 – ü", "日本 – ü"},
		`"q"`:           {`"q"`, `"q"`},
		"a\nb":          {`"a\nb"`, `a\nb`},
		"\x1b[2J":       {`"\x1b[2J"`, `\x1b[2J`},
		"\u202egpj.exe": {`"\u202egpj.exe"`, `\u202egpj.exe`},
		"a\xffb":        {`"a\xffb"`, `a\xffb`},
		"\ufffd":        {"\"\ufffd\"", "\ufffd"},
		"":              {"", ""},
	} {
		if got := readable.Name(s); got != want.name {
			t.Errorf("Name(%q): got %s, want %s", s, got, want.name)
		}
		if got := readable.Text(s); got != want.text {
			t.Errorf("Text(%q): got %s, want %s", s, got, want.text)
		}
	}
}

func TestError(t *testing.T) {
	err := &fs.PathError{Op: "open", Path: "a\x1b", Err: fs.ErrNotExist}
	got := readable.Error(err)
	if want := `open a\x1b: file does not exist`; got.Error() != want || !errors.Is(got, fs.ErrNotExist) {
		t.Errorf("got %q, want %q", got, want)
	}
	if plain := errors.New("plain"); readable.Error(plain) != plain || readable.Error(nil) != nil {
		t.Error("a readable error is another")
	}
}

func TestCut(t *testing.T) {
	for _, tc := range []struct {
		s    string
		n    int
		want string
	}{
		{"12345", 5, "12345"},
		{"123456", 5, "12…"},
		{"ääää", 6, "ä…"},
		{"ääää", 7, "ää…"},
		{"12345", 3, "…"},
		{"", 0, ""},
	} {
		if got := readable.Cut(tc.s, tc.n); got != tc.want {
			t.Errorf("Cut(%q, %d): got %q, want %q", tc.s, tc.n, got, tc.want)
		}
	}
}
