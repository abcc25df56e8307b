// Package flagvalue has the types of flags that pflag lacks, and reads flags from the
// environment. Each type is a pflag.Value.
package flagvalue

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/pipeline/suggest"
)

// meant is the question whether a suffix is missing; empty if the text is not valid with it.
func meant(text string, v pflag.Value, suffix string) string {
	if strings.HasSuffix(text, suffix) || v.Set(text+suffix) != nil {
		return ""
	}
	return "; did you mean " + text + suffix + "?"
}

// Choices is a flag with few valid words, which shells complete.
type Choices interface{ Choices() []string }

const auto = "auto"

// Slots is a number of objects above 0, or "auto", which is stored as 0.
type Slots int

func (s *Slots) Set(text string) error {
	if text == auto {
		*s = 0
		return nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fmt.Errorf("%q is neither a number above 0 nor auto", text)
	}
	*s = Slots(n)
	return nil
}

func (s *Slots) String() string {
	if *s == 0 {
		return auto
	}
	return strconv.Itoa(int(*s))
}

func (s *Slots) Type() string { return "N|auto" }

// Duration is a time, or "auto".
type Duration struct {
	time.Duration
	Auto bool
}

func (d *Duration) Set(text string) (err error) {
	if d.Auto = text == auto; d.Auto {
		return nil
	}
	if d.Duration, err = time.ParseDuration(text); err != nil {
		return fmt.Errorf("%q is neither auto nor a time such as 8h", text)
	}
	return nil
}

func (d *Duration) String() string {
	if d.Auto {
		return auto
	}
	return d.Duration.String()
}

func (d *Duration) Type() string { return "DURATION|auto" }

// Either returns a flag with two valid words: the first stands for false, the second for
// true.
func Either(value *bool, no, yes string) pflag.Value { return &either{value, [2]string{no, yes}} }

type either struct {
	value *bool
	words [2]string
}

func (e *either) Set(text string) error {
	i := slices.Index(e.words[:], text)
	if i < 0 {
		return suggest.Unknown("value", text, e.words[:])
	}
	*e.value = i == 1
	return nil
}

func (e *either) String() string {
	if *e.value {
		return e.words[1]
	}
	return e.words[0]
}

func (e *either) Type() string { return "string" }

func (e *either) Choices() []string { return e.words[:] }

// OneOf returns the value of a flag that has one of a few words.
func OneOf(value *string, words []string) pflag.Value { return &oneOf{value, words} }

type oneOf struct {
	value *string
	words []string
}

func (o *oneOf) Set(text string) error {
	if !slices.Contains(o.words, text) {
		return suggest.Unknown("value", text, o.words)
	}
	*o.value = text
	return nil
}

func (o *oneOf) String() string { return *o.value }

func (o *oneOf) Type() string { return "string" }

func (o *oneOf) Choices() []string { return o.words }
