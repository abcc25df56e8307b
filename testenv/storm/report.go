package storm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

var specific = regexp.MustCompile(`(?:RequestID|HostID): [^ ,]*|"(?:[^"\\]|\\.)*"|/\S+|\d[\d.:]*|[0-9a-f]{16,}`)

// generalize takes what is of one object out of a message, so that messages can be counted.
func generalize(message string) string {
	message = specific.ReplaceAllString(message, "…")
	return message[:min(len(message), 200)]
}

// table prints counts, sorted by name.
func table(b *bytes.Buffer, title string, counts map[string]int) {
	if len(counts) == 0 {
		return
	}
	fmt.Fprintf(b, "\n%s\n", title)
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(w, "  %s\t%d\n", name, counts[name])
	}
	_ = w.Flush() // a buffer
}

// report returns everything that was counted, as text.
func (s *storm) report() string {
	var b bytes.Buffer
	ops := s.users.ops.counts()
	fmt.Fprintf(&b, "storm: seed %d, %s of faults (%s), %d operations, %d faults found\n", s.seed, s.lasted.Round(time.Second), s.config.Faults, s.operations(), len(s.faultsFound))
	table(&b, "operations of users", ops)
	table(&b, "messages", s.outbox.sent.counts())
	table(&b, "faults injected", s.proxy.faultsServed.counts())
	table(&b, "processes and outages", s.events.counts())
	table(&b, "requests of workers", s.proxy.log.counts.counts())
	fmt.Fprintf(&b, "  TLS handshakes: %d\n", s.proxy.handshakes.Load())
	table(&b, "records seen by the watcher while the storm lasted", s.seen.counts())
	table(&b, "results", s.results.counts())
	table(&b, "what workers logged", s.logged.counts())
	for _, l := range s.lanes {
		table(&b, "at the end, lane "+l.name, s.tallies[l.name])
	}
	letters := make(map[string]int)
	for _, l := range s.lanes {
		l.mu.Lock()
		for _, letter := range l.letters {
			letters[l.name+": "+generalize(letter.reason)]++
		}
		l.mu.Unlock()
	}
	table(&b, "dead letters, by reason", letters)
	for i, e := range s.explained {
		if i == 0 {
			b.WriteString("\nobjects without a right record, explained by a dead letter\n")
		}
		fmt.Fprintf(&b, "  %s\n", e)
	}
	s.flatness(&b)
	fmt.Fprintf(&b, "\nlost or wrong at the end: %d; wrong while the storm lasted: %d\n", s.lostAtEnd(), s.wrong.Load())
	return b.String()
}

// flatness prints how the workers that were never killed grew.
func (s *storm) flatness(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nworkers that were never killed: medians of the first and the last quarter\n")
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  lane\tsamples\tresident MiB\theap MiB\tdescriptors\tgoroutines\n")
	for _, l := range s.lanes {
		n, first, last := s.quarters(l.name)
		const mib = 1 << 20
		fmt.Fprintf(w, "  %s\t%d\t%.1f → %.1f\t%.1f → %.1f\t%.0f → %.0f\t%.0f → %.0f\n", l.name, n,
			first.resident/mib, last.resident/mib, first.heap/mib, last.heap/mib, first.descriptors, last.descriptors, first.routes, last.routes)
	}
	_ = w.Flush() // a buffer
}

func (s *storm) lostAtEnd() int {
	n := 0
	for _, t := range s.tallies {
		n += t["lost or wrong"]
	}
	return n
}

// operations returns how many changes users made.
func (s *storm) operations() int {
	n := 0
	for name, count := range s.users.ops.counts() {
		switch {
		case name == "held back", strings.HasPrefix(name, "garbage"), strings.HasPrefix(name, "event"):
		default:
			n += count
		}
	}
	return n
}

// writeJSON appends a line to the file that the configuration names.
func (s *storm) writeJSON(kind string, value map[string]any) {
	if s.config.JSON == "" {
		return
	}
	value["kind"], value["time"], value["seed"] = kind, time.Now().UTC().Format(time.RFC3339Nano), s.seed
	line, err := json.Marshal(value)
	if err == nil {
		var f *os.File
		if f, err = os.OpenFile(s.config.JSON, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666); err == nil {
			_, err = f.Write(append(line, '\n'))
			_ = f.Close() // the write tells
		}
	}
	if err != nil {
		s.t.Errorf("%s: %v", s.config.JSON, err)
	}
}
