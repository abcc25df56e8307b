package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
	"github.com/bucketsum/bucketsum/testenv/terminal"
)

// TestRedriveAsks expects what would be deleted and a question at a terminal.
func TestRedriveAsks(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for an empty queue")
	}
	t.Parallel()
	s := kafkatest.Start(t, 1)
	from := s.URL("failed", "create=true&group=redrive")
	openQueue(t, from)
	sendTo(t, from, deadLetter{created("photos", "a"), "access denied"}, deadLetter{created("photos", "b"), "not JSON"})
	for _, test := range []struct {
		answer, words string
		status, left  int
	}{
		{"\n", "nothing was deleted", exitFailed, 2},
		{"y\n", "Delete 1 messages for good? [y/N]", exitOK, 1},
		{"y\n", "nothing matches", exitFailed, 1},
	} {
		user, program := terminal.Open(t, 80)
		if _, err := user.WriteString(test.answer); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		p := process{stdin: program, stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
		status := dispatch(t.Context(), p, []string{"redrive", "--discard", "--from", from, "--match", "reason=denied", "--wait", "4s"})
		if status != test.status || !strings.Contains(errs.String(), test.words) {
			t.Errorf("answer %q: status %d, want %d: %s", test.answer, status, test.status, errs.String())
		}
		if left := int(s.Left("failed", "redrive")); left != test.left {
			t.Errorf("answer %q: %d are left, want %d", test.answer, left, test.left)
		}
	}
}
