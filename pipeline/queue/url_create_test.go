package queue_test

import (
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

func TestWithoutCreate(t *testing.T) {
	for raw, want := range map[string]string{
		"x://u:p@h/s?consumer=c&create=true": "x://u:p@h/s?consumer=c&create=false",
		"x://h/s?create=false":               "x://h/s?create=false",
		"x://h/s?create=yes&b=1":             "x://h/s?create=yes&b=1", // the driver refuses it
		"x://h/s?b=%2F":                      "x://h/s?b=%2F",
		"x://u:%zz@h?create=true":            "x://u:%zz@h?create=true",
	} {
		if got := queue.WithoutCreate(raw); got != want {
			t.Errorf("%s: got %s, want %s", raw, got, want)
		}
	}
}
