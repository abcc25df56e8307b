package output_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestProgressLines expects a line every ten seconds where there is no terminal.
func TestProgressLines(t *testing.T) {
	const mib = 1 << 20
	expected := sweep.Totals{Objects: map[sweep.State]int64{sweep.OK: 8}, Bytes: 32 * mib}
	for name, tc := range map[string]struct {
		o    output.ProgressOptions
		set  *sweep.Totals
		want string
	}{
		"unknown":  {want: "verify: 4 objects, 13.0 MiB, 1.2 MiB/s, 1 fault\n"},
		"expected": {o: output.ProgressOptions{Expected: expected}, want: "verify: 4 of 8 objects, 13.0 MiB, 1.2 MiB/s, 1 fault, about 15s left\n"},
		"reading":  {o: output.ProgressOptions{Read: func() int64 { return 40 * mib }}, want: "verify: 4 objects, 13.0 MiB, 4.0 MiB/s, 1 fault\n"},
		"quiet":    {o: output.ProgressOptions{Quiet: true, Expected: expected}},
		"resumed": {
			o:    output.ProgressOptions{Expected: expected},
			set:  &sweep.Totals{Objects: map[sweep.State]int64{sweep.OK: 4}, Bytes: 16 * mib},
			want: "verify: 8 of 8 objects, 29.0 MiB, 1.2 MiB/s, 1 fault, about 2s left\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var b bytes.Buffer
				s := output.StartProgress(&b, pass(sweep.Verify), tc.o)
				if tc.set != nil {
					s.Set(*tc.set)
				}
				for _, r := range append(good(3, sweep.OK), faults()[1]) {
					if err := s.Row(r); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(11 * time.Second)
				if err := s.Close(ended()); err != nil {
					t.Fatal(err)
				}
				if got := b.String(); got != tc.want {
					t.Errorf("got  %q\nwant %q", got, tc.want)
				}
				if w := s.Above(&b); w != &b {
					t.Error("lines for something else go through the bar")
				}
			})
		})
	}
}
