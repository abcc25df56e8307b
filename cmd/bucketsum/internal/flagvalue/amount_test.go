package flagvalue

import (
	"testing"

	"github.com/spf13/pflag"
)

// TestAmounts: what a flag shows is a value that sets the same.
func TestAmounts(t *testing.T) {
	for _, tc := range []struct {
		new  func() pflag.Value
		text string
		want string // as it is shown; empty: it is refused
	}{
		{share, "5%", "5%"}, {share, "0.1%", "0.1%"}, {share, "100%", "100%"}, {share, "33.3 %", "33.3%"},
		{share, "5", ""}, {share, "0%", ""}, {share, "-1%", ""}, {share, "101%", ""}, {share, "NaN%", ""}, {share, "%", ""},
		{age, "90d", "90d"}, {age, "36h", "36h0m0s"}, {age, "48h", "2d"}, {age, "1.5d", "36h0m0s"},
		{age, "-1d", ""}, {age, "90", ""}, {age, "d", ""}, {age, "1e300d", ""}, {age, "NaNd", ""}, {age, "-1h", ""}, {age, "200000d", ""},
		{rate, "200MiB/s", "200MiB/s"}, {rate, "1000B/s", "1000/s"}, {rate, "1000/s", "1000/s"},
		{rate, "200MiB", ""}, {rate, "0/s", ""}, {rate, "-1MiB/s", ""}, {rate, "/s", ""},
		{instant, "2026-11-30", "2026-11-30"}, {instant, "2026-11-30T13:45:00+01:00", "2026-11-30T12:45:00Z"},
		{instant, "yesterday", ""}, {instant, "30.11.2026", ""},
	} {
		v := tc.new()
		err := v.Set(tc.text)
		if tc.want == "" {
			if err == nil {
				t.Errorf("%s %q is taken for %s", v.Type(), tc.text, v)
			}
			continue
		}
		if err != nil || v.String() != tc.want {
			t.Errorf("%s %q: got %q, %v; want %q", v.Type(), tc.text, v, err, tc.want)
		}
		again := tc.new()
		if err := again.Set(v.String()); err != nil || again.String() != v.String() {
			t.Errorf("%s %q is shown as %q, which sets %q, %v", v.Type(), tc.text, v, again, err)
		}
	}
}

func share() pflag.Value   { return new(Share) }
func age() pflag.Value     { return new(Age) }
func rate() pflag.Value    { return new(Rate) }
func instant() pflag.Value { return new(Time) }
