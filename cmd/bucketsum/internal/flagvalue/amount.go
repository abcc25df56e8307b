package flagvalue

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Share is a part of a whole, such as 5%. 0 stands for all of it.
type Share float64

func (s *Share) Set(text string) error {
	number, isPercent := strings.CutSuffix(text, "%")
	f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || !isPercent || !(f > 0 && f <= 100) {
		return fmt.Errorf("%q is not a share, such as 5%% or 0.1%%%s", text, meant(text, new(Share), "%"))
	}
	*s = Share(f / 100)
	return nil
}

func (s *Share) String() string {
	if *s == 0 {
		return "100%"
	}
	return strconv.FormatFloat(float64(*s)*100, 'g', 6, 64) + "%"
}

func (s *Share) Type() string { return "PERCENT" }

// Age is a time that has passed since something, such as 90d or 36h. 0: none is asked for.
type Age time.Duration

const day = 24 * time.Hour

func (a *Age) Set(text string) error {
	d, err := time.ParseDuration(text)
	if number, isDays := strings.CutSuffix(text, "d"); isDays {
		var days float64
		days, err = strconv.ParseFloat(number, 64)
		if !(days >= 0 && days <= float64(math.MaxInt64/day)) { // it may be NaN
			days = -1
		}
		d = time.Duration(days * float64(day))
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is not an age, such as 90d or 36h%s", text, meant(text, new(Age), "d"))
	}
	*a = Age(d)
	return nil
}

func (a *Age) String() string {
	switch d := time.Duration(*a); {
	case d == 0:
		return ""
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	default:
		return d.String()
	}
}

func (a *Age) Type() string { return "AGE" }

// Rate is a number of bytes in a second, such as 200MiB/s. 0: no limit.
type Rate int64

func (r *Rate) Set(text string) error {
	var s Size
	size, ok := strings.CutSuffix(text, "/s")
	if err := s.Set(size); err != nil || !ok || s == 0 {
		return fmt.Errorf("%q is not a rate, such as 200MiB/s%s", text, meant(text, new(Rate), "/s"))
	}
	*r = Rate(s)
	return nil
}

func (r *Rate) String() string {
	if *r == 0 {
		return ""
	}
	return (*Size)(r).String() + "/s"
}

func (r *Rate) Type() string { return "RATE" }

// Time is a point in time: a date, which begins in UTC, or a time as RFC 3339 has it. Zero: none is asked for.
type Time time.Time

func (t *Time) Set(text string) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, text); err == nil {
			*t = Time(at.UTC())
			return nil
		}
	}
	return fmt.Errorf("%q is not a time, such as 2026-11-30 or 2026-11-30T13:45:00Z", text)
}

func (t *Time) String() string {
	switch at := time.Time(*t); {
	case at.IsZero():
		return ""
	case at.Equal(at.Truncate(day)):
		return at.Format(time.DateOnly)
	default:
		return at.Format(time.RFC3339)
	}
}

func (t *Time) Type() string { return "TIME" }
