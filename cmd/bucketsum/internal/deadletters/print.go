// Package deadletters prints what a redrive has found and done.
package deadletters

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

// Report is the outcome of a run.
type Report struct {
	redrive.Report
	Filtered bool // only some of the messages were to match
	Now      time.Time
}

// column is a number of the table.
type column struct {
	title string
	of    func(redrive.Tally) int
}

func (r Report) columns() []column {
	columns := []column{{"found", func(t redrive.Tally) int { return t.Found }}}
	if r.Filtered {
		columns = append(columns, column{"match", func(t redrive.Tally) int { return t.Matched }})
	}
	switch r.Action {
	case redrive.Send:
		columns = append(columns, column{"sent", func(t redrive.Tally) int { return t.Sent }})
	case redrive.Discard:
		columns = append(columns, column{"discarded", func(t redrive.Tally) int { return t.Discarded }})
	}
	if r.Total.Failed > 0 {
		columns = append(columns, column{"failed", func(t redrive.Tally) int { return t.Failed }})
	}
	if r.Action != redrive.Look {
		columns = append(columns, column{"left", redrive.Tally.Left})
	}
	return columns
}

// Text prints a table of the groups, with samples.
func (r Report) Text(w io.Writer) error {
	if r.Total.Found == 0 {
		return nil
	}
	var b strings.Builder
	columns := r.columns()
	for _, c := range columns {
		fmt.Fprintf(&b, "%9s", c.title)
	}
	fmt.Fprintf(&b, "%16s  reason\n", "age")
	line := func(t redrive.Tally, age, reason string) {
		for _, c := range columns {
			fmt.Fprintf(&b, "%9d", c.of(t))
		}
		fmt.Fprintf(&b, "%16s  %s\n", age, reason)
	}
	indent := strings.Repeat(" ", 9*len(columns)+16+4)
	for _, g := range r.Groups {
		line(g.Tally, r.age(g), g.Reason) // its reason is readable
		for _, s := range g.Samples {
			fmt.Fprintf(&b, "%s%s\n", indent, sample(s))
		}
		if g.Fault != "" {
			fmt.Fprintf(&b, "%sfailed: %s\n", indent, g.Fault)
		}
	}
	line(r.Total, "", "in all")
	_, err := io.WriteString(w, b.String())
	return err
}

func sample(s redrive.Sample) string {
	if s.Bucket == "" {
		return "message " + readable.Name(s.MessageID) + ", which names no object"
	}
	return readable.Name(s.Bucket + "/" + s.Key)
}

// age returns how long the messages of a group have been lying there.
func (r Report) age(g redrive.Group) string {
	if g.Oldest.IsZero() {
		return "unknown"
	}
	newest, oldest := age(r.Now.Sub(g.Newest)), age(r.Now.Sub(g.Oldest))
	if newest == oldest {
		return oldest
	}
	return newest + " to " + oldest
}

func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// JSON prints the report as one JSON object.
func (r Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r.Report)
}

// Sentence sums the report up for people.
func (r Report) Sentence() string {
	t := r.Total
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case t.Found == 0:
		say("no dead letters were delivered")
	case r.Action == redrive.Look && r.Filtered:
		say("%s, %d match; all were given back", letters(t.Found), t.Matched)
	case r.Action == redrive.Look:
		say("%s; all were given back", letters(t.Found))
	case r.Action == redrive.Discard:
		say("%s: %d discarded, %d left", letters(t.Found), t.Discarded, t.Left())
	default:
		say("%s: %d sent, %d left", letters(t.Found), t.Sent, t.Left())
	}
	if t.Found > t.Sent+t.Discarded {
		say("the queue counts this delivery of what was given back, if it counts deliveries")
	}
	if t.Failed > 0 {
		say("%d failed", t.Failed)
	}
	if t.CameBack > 0 {
		say("%d were sent and are dead letters again: their cause is not fixed", t.CameBack)
	}
	switch r.End {
	case redrive.Limited:
		say("--limit is reached: more may lie there")
	case redrive.Full:
		say("no more messages can be held back: others may lie behind these (raise --hold)")
	case redrive.Interrupted:
		say("interrupted: run the command again to continue")
	}
	if a := r.After; a != nil && a.Waiting+a.Held != t.Left() {
		about := ""
		if !a.Exact {
			about = "about "
		}
		say("the queue says that it still has %s%d", about, a.Waiting+a.Held)
	}
	return strings.Join(parts, "; ")
}

func letters(n int) string {
	if n == 1 {
		return "1 dead letter"
	}
	return fmt.Sprintf("%d dead letters", n)
}
