package storm

import (
	"fmt"
	"slices"
	"strings"
)

// kind is one kind of fault.
type kind struct {
	name string
	// rate is how often the fault hits when it is alone: a share of requests, or of
	// handshakes. Kinds that act by time have none.
	rate float64
	what string
}

// kinds are all kinds of faults.
var kinds = []kind{
	{"reset", 0.10, "the connection is reset before the store gets the request"},
	{"lost", 0.10, "the store does what was asked, and the connection is reset before its answer"},
	{"late-500", 0.10, "the store does what was asked, and the answer is 500 InternalError"},
	{"500", 0.10, "500 InternalError, nothing was done"},
	{"503", 0.10, "503 SlowDown, nothing was done"},
	{"429", 0.10, "429 TooManyRequests, nothing was done"},
	{"delay", 0.20, "the request waits up to 2 s"},
	{"short", 0.30, "the connection closes in the middle of a body"},
	{"cut", 0.30, "the connection is reset in the middle of a body"},
	{"slow", 0.20, "a body trickles for up to 3 s"},
	{"conflict", 0.20, "a conditional write gets 409 and is not done, or is done and gets 412, as a repetition inside the store would"},
	{"tls", 0.40, "the TLS handshake fails; connections are short"},
	{"outage", 0, "the store refuses everything for 1 to 4 s"},
	{"sqs-500", 0.10, "SQS answers 500, nothing was done"},
	{"sqs-throttle", 0.10, "SQS answers RequestThrottled, nothing was done"},
	{"sqs-reset", 0.10, "the connection is reset before SQS gets the request"},
	{"sqs-lost", 0.10, "SQS does what was asked, and the connection is reset before its answer"},
	{"sqs-delay", 0.20, "the request to SQS waits up to 2 s"},
	{"sqs-twice", 0, "messages in work are delivered again"},
	{"sqs-outage", 0, "SQS refuses everything for 1 to 4 s"},
	{"disk-full", 0, "the disk of a folder is full for 1 to 4 s (as root on Linux)"},
	{"kill", 0, "a worker is killed (SIGKILL)"},
	{"freeze", 0, "a worker is frozen for longer than its leases (SIGSTOP, SIGCONT)"},
	{"drain", 0, "a worker is told to end (SIGTERM)"},
}

// faults is a set of kinds, with a factor for their rates.
type faults struct {
	names  []string
	factor float64
}

// none is the set of a calm sea.
var none = &faults{}

func (f *faults) has(name string) bool { return slices.Contains(f.names, name) }

// rate returns the probability of a kind; 0 if it is not in the set.
func (f *faults) rate(name string) float64 {
	if !f.has(name) {
		return 0
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	return kinds[i].rate * f.factor
}

func (f *faults) String() string {
	switch len(f.names) {
	case 0:
		return "none"
	case len(kinds):
		return "all"
	}
	return strings.Join(f.names, "+")
}

// parseFaults returns the sets that a storm goes through: "all" kinds at once, "none",
// "each" kind alone, all "pairs", or kinds joined by "+".
func parseFaults(s string) ([]*faults, error) {
	var all []string
	for _, k := range kinds {
		all = append(all, k.name)
	}
	var sets []*faults
	switch s {
	case "all":
		return []*faults{{all, 0.15}}, nil // so many kinds together
	case "none":
		return []*faults{none}, nil
	case "each":
		for _, a := range all {
			sets = append(sets, &faults{[]string{a}, 1})
		}
		return sets, nil
	case "pairs":
		for i, a := range all {
			for _, b := range all[:i] {
				sets = append(sets, &faults{[]string{b, a}, 0.7})
			}
		}
		return sets, nil
	}
	names := strings.Split(s, "+")
	for _, name := range names {
		if !slices.Contains(all, name) {
			return nil, fmt.Errorf("unknown fault %q; valid are all, none, each, pairs, or of these, joined by +: %s", name, strings.Join(all, " "))
		}
	}
	return []*faults{{names, 1}}, nil
}
