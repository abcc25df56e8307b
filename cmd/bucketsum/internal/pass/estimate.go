package pass

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"

	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Amount is a number of objects and the sum of their sizes.
type Amount struct {
	Objects int64 `json:"objects"`
	Bytes   int64 `json:"bytes"`
}

func (a *Amount) add(bytes int64) {
	a.Objects++
	a.Bytes += bytes
}

// Estimate says what a backfill would do.
type Estimate struct {
	All        Amount `json:"all"`
	Recorded   Amount `json:"recorded"` // they have their current record
	Archived   Amount `json:"archived"` // they would be listed
	Unreadable int64  `json:"unreadable"`
	// Read are the objects that would be read, by storage class. "" is the one that the store does not name.
	Read     map[string]Amount `json:"read"`
	Requests Requests          `json:"requests"`
	// Costs are in US dollars, by kind of request and storage class. nil: the prices of the store are not known.
	Costs []Cost  `json:"costs,omitempty"`
	Total float64 `json:"total_usd"`

	algorithms int64
	entries    int64 // of listings, about
}

// Requests are those that a backfill would send.
type Requests struct {
	List int64 `json:"list"`
	Get  int64 `json:"get"` // of records and of objects
	Head int64 `json:"head"`
	Put  int64 `json:"put"`
}

// Cost is one line of an estimate.
type Cost struct {
	What  string  `json:"what"`  // as --price names it
	Count float64 `json:"count"` // in the unit of the price
	Unit  string  `json:"unit"`
	Price float64 `json:"price_usd"` // of a unit
	USD   float64 `json:"usd"`
}

// What a backfill asks a store for.
const (
	listed    = 1000    // entries in an answer
	rangeSize = 8 << 20 // a large object is read in ranges of at least so many bytes
)

// newEstimate returns the estimate for records of some algorithms. Each has an object of its own.
func newEstimate(algorithms int) *Estimate {
	return &Estimate{Read: make(map[string]Amount), algorithms: int64(algorithms)}
}

// add counts a row of a look at records only. A local store is asked without requests.
func (e *Estimate) add(r sweep.Row, local bool) {
	var size int64
	if r.Size != nil {
		size = *r.Size
	}
	if r.State == sweep.Orphan {
		return
	}
	e.All.add(size)
	if !local {
		e.Requests.Get += e.algorithms
		e.entries++
		if r.State == sweep.OK {
			e.entries += e.algorithms // the records
		}
		e.Requests.List = e.entries/listed + 1
	}
	switch r.State {
	case sweep.OK:
		e.Recorded.add(size)
	case sweep.Archived:
		e.Archived.add(size)
	case sweep.Unreadable:
		e.Unreadable++
	default:
		a := e.Read[r.Class]
		a.add(size)
		e.Read[r.Class] = a
		if !local {
			e.Requests.Get += 1 + max(size-1, 0)/rangeSize
			e.Requests.Head++
			e.Requests.Put += e.algorithms
		}
	}
}

// price computes the costs.
func (e *Estimate) price(p Prices) {
	r := e.Requests
	requests, gigabytes := map[string]int64{"list": r.List, "put": r.Put, "get": r.Get + r.Head}, make(map[string]int64)
	for class, read := range e.Read {
		requests["get"] -= read.Objects
		requests[p.of("get", class)] += read.Objects
		gigabytes["retrieve."+class] += read.Bytes
		gigabytes["transfer"] += read.Bytes
	}
	if r == (Requests{}) {
		return
	}
	line := func(what, unit string, count float64) {
		if price, ok := p[what]; ok && count > 0 {
			e.Costs = append(e.Costs, Cost{what, count, unit, price, count * price})
			e.Total += count * price
		}
	}
	for _, what := range slices.Sorted(maps.Keys(requests)) {
		line(what, "1,000 requests", float64(requests[what])/1000)
	}
	for _, what := range slices.Sorted(maps.Keys(gigabytes)) {
		line(what, "GB", float64(gigabytes[what])/1e9)
	}
}

// Print prints the estimate for people.
func (e *Estimate) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what string, a Amount) { fmt.Fprintf(t, "%s\t%d\t%s\n", what, a.Objects, readable.Bytes(a.Bytes)) }
	fmt.Fprintf(t, "\tobjects\tsize\n")
	row("in all", e.All)
	row("have their record", e.Recorded)
	for _, class := range slices.Sorted(maps.Keys(e.Read)) {
		if class == "" {
			row("would be read", e.Read[class])
		} else {
			row("would be read, "+readable.Name(class), e.Read[class])
		}
	}
	if e.Archived.Objects > 0 {
		row("archived, would be listed", e.Archived)
	}
	if e.Unreadable > 0 {
		fmt.Fprintf(t, "could not be looked at\t%d\t\n", e.Unreadable)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	r := e.Requests
	if r == (Requests{}) {
		return nil
	}
	fmt.Fprintf(w, "\nrequests: %d LIST, %d GET, %d HEAD, %d PUT\n", r.List, r.Get, r.Head, r.Put)
	for _, c := range e.Costs {
		fmt.Fprintf(t, "%s\t%.3f × %s\t$%g\t$%.2f\n", c.What, c.Count, c.Unit, c.Price, c.USD)
	}
	if e.Costs == nil {
		fmt.Fprintln(t, "The prices of these requests are not known; give them with --price.")
	} else {
		fmt.Fprintf(t, "about\t\t\t$%.2f\n", e.Total)
	}
	return t.Flush()
}
