package page

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// The tones of the state.
const (
	toneGood = "good"
	toneBusy = "busy"
	toneBad  = "bad"
)

// Names of faults that package app and package web give, which the sentence tells in its own words.
const (
	faultDraining = "draining"
	faultStart    = "start"
)

// state returns the one sentence that says how things are. It must be true in every situation: "up to date" needs a
// queue that says that it is empty, "done" does not count different objects, and "failed" counts what fails now, not
// what failed once.
func state(c Config, s live.Status) (tone, sentence string) {
	_, draining := c.Faults[faultDraining]
	_, starting := c.Faults[faultStart]
	busy := s.InWorkCount > 0 || s.Waiting != nil && s.Waiting.Count > 0
	var facts []string
	if done := s.Totals.Summed + s.Totals.Current; done > 0 { // an object that changes counts again
		facts = append(facts, string(markup.Count(done))+" done")
	}
	failed, retried := failing(s.Failures)
	if failed != "" {
		facts = append(facts, failed)
	}
	facts = append(facts, retried...)
	if n := s.InWorkCount; n > 0 {
		facts = append(facts, string(markup.Count(int64(n)))+" in work"+speed(s.BytesPerSecond, " at "))
	}
	if w := waits(s.Waiting); w != "" {
		facts = append(facts, w)
	}
	if l := left(s); l != "" {
		facts = append(facts, l)
	}
	tell := func(lead string) string {
		if len(facts) == 0 {
			return lead
		}
		return lead + ": " + strings.Join(facts, ", ")
	}
	switch {
	case draining:
		return toneBusy, tell("Stopping")
	case starting:
		return toneBusy, "Starting: waits for " + faults(c.Faults)
	case len(c.Faults) > 0:
		return toneBad, "Not ready: " + faults(c.Faults)
	case s.Waiting != nil && s.Waiting.Reason != "":
		return toneBad, tell("Waiting until this passes: " + s.Waiting.Reason)
	case busy:
		return toneBusy, tell("Working")
	case len(facts) == 0 && s.Totals == (live.Totals{}):
		return toneGood, "Nothing yet: waiting for the first object"
	case failed != "":
		return toneBad, tell("Done, except for failures")
	case s.Waiting == nil || len(retried) > 0:
		return toneGood, tell("Nothing in work")
	default:
		return toneGood, tell("Up to date")
	}
}

// failing says how many objects failed for good, and how many are retried.
func failing(failures []live.Failure) (failed string, retried []string) {
	final, open := int64(0), int64(0)
	for _, f := range failures {
		if f.Final {
			final++
		} else {
			open++
		}
	}
	if final > 0 {
		failed = string(markup.Count(final)) + " failed"
		if len(failures) == live.MaxListed {
			failed = "at least " + failed
		}
	}
	if open > 0 {
		retried = []string{string(markup.Count(open)) + " to be retried"}
	}
	return failed, retried
}

// faults lists the reasons, without the one that only says that the process starts.
func faults(all map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if name != faultStart {
			parts = append(parts, name+": "+readable.Text(strings.TrimPrefix(all[name], name+": ")))
		}
	}
	if len(parts) == 0 {
		return "its queues and buckets"
	}
	return strings.Join(parts, "; ")
}

// waits says what waits; empty if nothing does, or it is unknown.
func waits(w *live.Waiting) string {
	if w == nil || w.Count == 0 {
		return ""
	}
	bound := ""
	if w.Bound != live.Exactly {
		bound = string(w.Bound) + " "
	}
	return bound + string(markup.Count(w.Count)) + " waiting"
}

// speed returns a rate after a text; empty if nothing is read.
func speed(rate int64, before string) string {
	if rate <= 0 {
		return ""
	}
	return before + readable.Bytes(rate) + "/s"
}

// left estimates when the work is done; empty where that would be a guess.
func left(s live.Status) string {
	w := s.Waiting
	switch {
	case w == nil || w.Bound == live.AtLeast:
		return ""
	case w.Count == 0 && s.InWorkCount > 0 && s.BytesLeft != nil && s.BytesPerSecond > 0:
		return until(float64(*s.BytesLeft) / float64(s.BytesPerSecond))
	case w.Count > 0 && !w.Shared && s.ResultsPerSecond >= 1:
		return "about " + until(float64(w.Count+int64(s.InWorkCount))/s.ResultsPerSecond)
	default:
		return ""
	}
}

func until(seconds float64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%.0f s left", max(math.Ceil(seconds), 1))
	case seconds < 7200:
		return fmt.Sprintf("%.0f min left", seconds/60)
	default:
		return fmt.Sprintf("%.0f h left", seconds/3600)
	}
}
