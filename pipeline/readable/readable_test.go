package readable_test

import (
	"math"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 4 << 30: "4.0 GiB", math.MaxInt64: "8.0 EiB",
	} {
		if got := readable.Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                            "0s",
		1234567 * time.Nanosecond:    "1.23ms",
		1234567 * time.Microsecond:   "1.23s",
		123456789 * time.Microsecond: "2m3s",
	} {
		if got := readable.Duration(d); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
}
