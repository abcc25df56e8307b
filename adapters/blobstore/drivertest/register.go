package drivertest

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// value is what one write stored, or the zero value if nothing is there.
type value struct {
	data string
	id   string // of the write, in the metadata
}

// condition is a driver.Condition by value.
type condition struct {
	old    value // if it is not zero
	any    bool
	unseen bool
}

func conditionOf(c driver.Condition) condition {
	got := condition{any: c.Any, unseen: c.Unseen}
	if c.Old != nil {
		got.old = valueOf(c.Old)
	}
	return got
}

// holds reports whether the condition holds when v is there.
func (c condition) holds(v value, sameTag bool) bool {
	switch {
	case c.any:
		return true
	case c.old == value{}:
		return v == value{}
	case sameTag:
		return v.data == c.old.data
	default:
		return v == c.old
	}
}

// operation is what a client asks for.
type operation struct {
	kind string // get, put or delete
	condition
	value // that a put writes
}

type result string

const (
	done     result = "done"
	changed  result = "changed"
	notFound result = "not found"
	unknown  result = "unknown" // whether it happened
)

// outcome is the answer that a client got.
type outcome struct {
	result
	value        // that a get returned
	err   string // if the result is unknown
}

// step is the specification of one record. It reports whether an operation can have an outcome
// when v is there, and returns what is there afterwards.
//
// An operation whose outcome is unknown may take effect at any time after its call. If it never
// did, that is the same as if it took effect after everything else.
func step(v value, o operation, out outcome, sameTag bool) (bool, value) {
	if o.kind == "get" {
		switch out.result {
		case done:
			return v != value{} && v.data == out.data && (out.id == "" || out.id == v.id), v
		case notFound:
			return v == value{}, v
		}
		return out.result == unknown, v
	}
	holds, after := o.holds(v, sameTag), v
	if holds {
		after = o.value
	}
	gone := o.kind == "delete" && v == value{}
	switch out.result {
	case done:
		return holds || gone, after // S3 does not say that it was gone before
	case unknown:
		return true, after
	case changed:
		return !holds || o.unseen, v // a store may refuse Unseen whatever is there
	}
	return gone, v
}

// history is what all clients did to one key.
type history []porcupine.Operation

// check returns the empty string if the history is linearizable, else the operations before the
// first instant at which it no longer is.
func (h history) check(sameTag bool) string {
	model := porcupine.Model{
		Init: func() any { return value{} },
		Step: func(state, input, output any) (bool, any) {
			return step(state.(value), input.(operation), output.(outcome), sameTag)
		},
	}
	switch porcupine.CheckOperationsTimeout(model, h, checkLimit) {
	case porcupine.Ok:
		return ""
	case porcupine.Unknown:
		return fmt.Sprintf("not decided after %v", checkLimit)
	}
	ends := make([]int64, 0, len(h))
	for _, o := range h {
		ends = append(ends, o.Return)
	}
	slices.Sort(ends)
	first, _ := slices.BinarySearchFunc(ends, false, func(end int64, _ bool) int {
		if porcupine.CheckOperationsTimeout(model, h.until(end), checkLimit) == porcupine.Ok {
			return -1
		}
		return 1
	})
	return h.until(ends[min(first, len(ends)-1)]).String()
}

// until returns the history as it is known at an instant.
func (h history) until(end int64) history {
	var known history
	for _, o := range h {
		if o.Call > end {
			continue
		}
		if o.Return > end {
			o.Return, o.Output = math.MaxInt64, outcome{result: unknown, err: "not yet"}
		}
		known = append(known, o)
	}
	return known
}

// String shows the last operations.
func (h history) String() string {
	last := slices.SortedFunc(slices.Values(h), func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var s strings.Builder
	for _, o := range last[max(0, len(last)-25):] {
		in, out := o.Input.(operation), o.Output.(outcome)
		returned := "…"
		if o.Return != math.MaxInt64 {
			returned = time.Duration(o.Return).Round(time.Microsecond).String()
		}
		fmt.Fprintf(&s, "%12v – %-12s client %d: %s", time.Duration(o.Call).Round(time.Microsecond), returned, o.ClientId, in.kind)
		if in.kind != "get" {
			fmt.Fprintf(&s, " %v %v", in.value, in.condition)
		}
		fmt.Fprintf(&s, ": %s %v %s\n", out.result, out.value, out.err)
	}
	return s.String()
}

func (v value) String() string {
	if v == (value{}) {
		return "nothing"
	}
	return strings.TrimLeft(strings.TrimSpace(v.data), "0") + "#" + v.id
}

func (c condition) String() string {
	switch {
	case c.any:
		return "whatever is there"
	case c.unseen:
		return "if unseen nothing is there"
	}
	return "if " + c.old.String() + " is there"
}
