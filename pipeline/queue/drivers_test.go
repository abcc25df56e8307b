package queue_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// described is a driver that has traits and opens nothing.
type described struct{ traits queue.Traits }

func (d described) Traits() queue.Traits { return d.traits }

func (described) OpenQueue(context.Context, string, int) (queue.Queue, error) {
	return nil, errors.ErrUnsupported
}

func (described) OpenTopic(context.Context, string) (queue.Topic, error) {
	return nil, errors.ErrUnsupported
}

var described1, described2 = described{queue.Traits{
	Schemes: []queue.Scheme{{Name: "one", Example: "one://h"}, {Name: "ones", Example: "ones://h"}}, PlaceParameters: []string{"queue"},
}}, described{queue.Traits{Schemes: []queue.Scheme{{Name: "two", Example: "two://h"}}, Warning: "is the second"}}

func TestDriverOfURL(t *testing.T) {
	drivers := queue.Drivers{described1, described2}
	if d, err := drivers.Of("two://h/q"); err != nil || d.Traits().Warning != "is the second" {
		t.Errorf("two://: %v, %v", d, err)
	}
	if d, err := drivers.Of("ones://h/q"); err != nil || d.Traits().Warning != "" {
		t.Errorf("ones://: %v, %v", d, err)
	}
	for url, want := range map[string]string{
		"three://h/q":      `unknown scheme "three"; valid are one://, ones://, two://`,
		"one://u:geh%zz@h": "not a URL",
	} {
		if _, err := drivers.Of(url); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geh") {
			t.Errorf("%s: got %v, want %q", url, err, want)
		}
	}
}

func TestSamePlaceOfDrivers(t *testing.T) {
	drivers := queue.Drivers{described1, described2}
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"one://h/?queue=a", "ones://h/?queue=a&create=true", true},
		{"one://h/?queue=a", "one://h/?queue=b", false},
		{"two://h/a?x=1", "two://h/a", true},
		{"one://h/a", "two://h/a", false},
		{"three://h/a", "three://h/a", false},
		{"two://h/a", "two://%zz", false},
	} {
		if got := drivers.SamePlace(tc.a, tc.b); got != tc.same {
			t.Errorf("SamePlace(%s, %s) is %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}
