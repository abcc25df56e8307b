package queue_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"x://h/p?a=1&b=2":       "",
		"x://h/p":               "",
		"x://h/p?c=1":           `unknown parameter "c"; valid are a, b`,
		"x://h/p?a=1&a=2":       `parameter "a" comes 2 times`,
		"x://h/p?a=%zz":         "cannot be read",
		"x://u:geheim%zz@h/p":   "not a URL",
		"x://u:geheim@h/p?A=1":  `unknown parameter "A"`,
		"x://u:geheim@h/p?a=1;": "cannot be read",
	} {
		_, _, err := queue.ParseURL(raw, "a", "b")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", raw, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

func TestFold(t *testing.T) {
	metadata := map[string]string{"plain": "value", "Ünicode": "naïve", "empty": "", "bucketsum.metadata": "{", "bad\xff": "\xfe"}
	for name, carry := range map[string]func(string, string) bool{
		"everything": func(string, string) bool { return true },
		"nothing":    func(string, string) bool { return false },
		"some":       func(k, v string) bool { return k == "plain" },
	} {
		carried := queue.Fold("id ü", metadata, carry)
		id, got := queue.Unfold(carried)
		want := map[string]string{"plain": "value", "Ünicode": "naïve", "empty": "", "bucketsum.metadata": "{", "bad\uFFFD": "\uFFFD"}
		if diff := cmp.Diff(want, got); diff != "" || id != "id ü" {
			t.Errorf("%s: id %q (-want +got):\n%s", name, id, diff)
		}
	}
	if id, got := queue.Unfold(nil); id != "" || got == nil {
		t.Errorf("of nothing: %q, %v", id, got)
	}
}
