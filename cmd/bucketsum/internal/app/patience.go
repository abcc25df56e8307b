package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/report"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// passing are the faults of a machine that pass without any change of the file: all work
// waits for that, as no file is to blame.
var passing = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EMFILE, syscall.ENFILE}

// passingFault returns the passing fault that an error reports.
func passingFault(err error) (syscall.Errno, bool) {
	i := slices.IndexFunc(passing, func(e syscall.Errno) bool { return errors.Is(err, e) })
	if i < 0 {
		return 0, false
	}
	return passing[i], true
}

// patience repeats what fails by a passing fault, with growing delays, until it works. It
// says each fault once, and when the fault has passed. Safe for concurrent use.
type patience struct {
	stopping context.Context // its end ends the waits
	report   *report.Report

	mu     sync.Mutex
	faults map[syscall.Errno]int // how much waits for each fault
}

// patienceWaits are the waits before something is tried again.
var patienceWaits = backoff.Backoff{First: 500 * time.Millisecond, Longest: 30 * time.Second}

// insist calls do until it ends without a passing fault.
func (p *patience) insist(ctx context.Context, key string, do func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(p.stopping, cancel)()
	err := do()
	for attempt := 1; ; attempt++ {
		fault, waits := passingFault(err)
		if !waits {
			return err
		}
		p.begin(fault, key)
		if !patienceWaits.Wait(ctx, attempt) {
			return err // the fault is still there: the summary names it
		}
		err = do()
		now, still := passingFault(err)
		p.end(fault, !still || now != fault)
	}
}

// begin says a fault unless it is known.
func (p *patience) begin(fault syscall.Errno, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.faults[fault]; !known {
		p.report.Told("WAITS", "", fmt.Sprintf("%s (first: %s). It is tried again, at least every %s, until it works",
			fault, readable.Name(key), patienceWaits.Longest))
	}
	p.faults[fault]++
}

// end says that a fault has passed if nothing waits for it any more.
func (p *patience) end(fault syscall.Errno, passed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[fault]--
	if passed && p.faults[fault] <= 0 {
		delete(p.faults, fault)
		p.report.Told("WORKS AGAIN", "", fmt.Sprintf("no longer %q", fault.Error()))
	}
}

// faultsNow returns the faults that have not passed; empty if there is none.
func (p *patience) faultsNow() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []string
	for _, fault := range slices.Sorted(maps.Keys(p.faults)) {
		names = append(names, fault.Error())
	}
	return strings.Join(names, ", ")
}

// of returns the bucket with patience.
func (p *patience) of(b pipeline.Bucket) pipeline.Bucket {
	b.Source, b.Records = patientSource{b.Source, p}, patientRecords{b.Records, p}
	return b
}

// patientSource opens objects with patience.
type patientSource struct {
	pipeline.Source
	p *patience
}

func (s patientSource) Open(ctx context.Context, o pipeline.Object) (r pipeline.Reader, err error) {
	err = s.p.insist(ctx, o.Key, func() (err error) { r, err = s.Source.Open(ctx, o); return err })
	return r, err
}

func (s patientSource) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (r pipeline.Reader, err error) {
	err = s.p.insist(ctx, o.Key, func() (err error) { r, err = s.Source.OpenAt(ctx, o, offset); return err })
	return r, err
}

func (s patientSource) Stat(ctx context.Context, o pipeline.Object) (now pipeline.Object, err error) {
	err = s.p.insist(ctx, o.Key, func() (err error) { now, err = s.Source.Stat(ctx, o); return err })
	return now, err
}

// patientRecords keeps records with patience.
type patientRecords struct {
	pipeline.Recorder
	p *patience
}

func (s patientRecords) Lookup(ctx context.Context, o pipeline.Object) (r pipeline.Record, seen pipeline.Seen, err error) {
	err = s.p.insist(ctx, o.Key, func() (err error) { r, seen, err = s.Recorder.Lookup(ctx, o); return err })
	return r, seen, err
}

func (s patientRecords) Save(ctx context.Context, r pipeline.Record, seen pipeline.Seen) error {
	return s.p.insist(ctx, r.Source.Key, func() error { return s.Recorder.Save(ctx, r, seen) })
}

func (s patientRecords) Remove(ctx context.Context, o pipeline.Object, seen pipeline.Seen) (removed bool, err error) {
	err = s.p.insist(ctx, o.Key, func() (err error) { removed, err = s.Recorder.Remove(ctx, o, seen); return err })
	return removed, err
}

// waitingFiles says how many files wait, for the summary.
func waitingFiles(n int, faults string) string {
	return fmt.Sprintf("%s WAIT (%s)", report.Count(int64(n), "file"), faults)
}
