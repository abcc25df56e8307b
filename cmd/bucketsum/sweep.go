package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/pass"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redact"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// exitError ends a command with an exit status, after its error has been printed if there is one.
type exitError struct {
	err    error
	status int
}

func (e exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// shown says how a pass is shown.
type shown struct {
	strict bool
	list   string // what the content is compared with; empty: records
	sinks  func(output.Pass) ([]output.Sink, error)

	allowMissing bool
	faults       io.Writer                                        // takes the lines about objects; nil: standard output
	mostFaults   int64                                            // lines
	take         func(context.Context, *pass.Pass) (taker, error) // nil: rows are only shown
}

// taker makes something of the rows of a pass.
type taker interface {
	// Add takes a row, and returns it as it is to be shown.
	Add(sweep.Row) (sweep.Row, error)
	// End is called once. good: the pass is complete, and found what it should.
	End(good bool) error
}

// runSweep runs a pass and shows what it finds.
func runSweep(ctx context.Context, p process, f *sweepFlags, s shown) (err error) {
	about := output.Pass{
		Command: f.Command, Name: f.Pass, Options: f.Options, List: s.list, Strict: s.strict, AllowMissing: s.allowMissing, Version: version(), Begun: time.Now(),
	}
	for _, b := range f.Buckets {
		about.Buckets = append(about.Buckets, b.Name)
	}
	var read atomic.Int64
	progress := output.StartProgress(p.stderr, about, output.ProgressOptions{Quiet: f.quiet, Read: read.Load})
	p.stderr = progress.Above(p.stderr)
	config := f.config(p)
	config.Observer = pipeline.Observer{Advanced: func(n int) { read.Add(int64(n)) }}
	cannotBegin := func(err error) error {
		return cannotCheck(f.Command, errors.Join(err, progress.Close(output.End{})))
	}
	open, err := pass.Open(ctx, config)
	if err != nil {
		return cannotBegin(err)
	}
	defer func() { err = cmp.Or(err, open.Close()) }()

	var totals sweep.Totals
	if s.faults == nil {
		s.faults, s.mostFaults = p.stdout, -1
	}
	sinks := output.Sinks{output.TextMost(progress.Above(s.faults), about, s.mostFaults)}
	if f.json {
		sinks[0] = output.JSON(progress.Above(p.stdout))
	}
	if s.sinks != nil {
		more, err := s.sinks(about)
		if err != nil {
			return cannotBegin(err)
		}
		sinks = append(sinks, more...)
	}
	if !f.quiet {
		sinks = append(sinks, output.Summary(p.stderr, about))
	}
	var taken taker = notTaken{}
	if s.take != nil {
		if taken, err = s.take(ctx, open); err != nil {
			return cannotBegin(err)
		}
	}
	counting, stop := context.WithCancel(ctx)
	var counted sync.WaitGroup
	if progress.Wants() {
		counted.Go(func() {
			if all, ok := open.Count(counting); ok {
				progress.Expect(all)
			}
		})
	}
	name := ""
	summary, err := open.Run(ctx, func(rows []sweep.Row) error {
		for _, r := range rows {
			r, err := taken.Add(r)
			if err != nil {
				return err
			}
			totals.Add(r)
			if err := sinks.Row(r); err != nil {
				return err
			}
		}
		return nil
	}, func(now sweep.Progress) {
		name = now.Pass
		progress.Set(now.Totals)
	})
	stop()
	counted.Wait()
	end := output.End{At: time.Now(), Pass: name, Resumed: summary.Resumed.Sum() > 0}
	if summary.Pass != "" {
		end.Begun, end.Pass = summary.Created, summary.Pass
		if summary.Complete {
			end.At = summary.Ended
			end.Again = summary.Ended.Before(about.Begun)
		}
	}
	switch {
	case ctx.Err() != nil && (errors.Is(err, sweep.ErrStopped) || errors.Is(err, context.Cause(ctx))):
		end.Stopped, err = "interrupted; to resume: "+p.again(name), nil
		if f.Queue != "" {
			end.Stopped = fmt.Sprintf("interrupted; objects that the workers have done: %d. They continue; to wait for them: %s", summary.Totals.Sum(), p.again(name))
		}
		if name == "" && f.Command == sweep.Verify {
			end.Stopped = "interrupted; with --reports, a pass can be resumed. To begin again: " + p.again(name)
		}
	case errors.Is(err, sweep.ErrOther):
		end.Refused = true // this command can never resume it
	case err != nil:
		end.Stopped = "not all objects were looked at; to resume when the cause is removed: " + p.again(name)
	case open.Skipped() > 0:
		end.Stopped = fmt.Sprintf("the budget is used up; objects that are left for the next run: %d", open.Skipped())
	}
	err = errors.Join(err, progress.Close(end), sinks.Close(end))
	status := about.Status(totals, summary.Complete && err == nil)
	if fault := f.selectedNothing(totals); fault != nil && status == output.StatusOK {
		err, status = errors.Join(err, fault), output.StatusUnchecked
	}
	err = errors.Join(err, taken.End(status == output.StatusOK))
	if status != output.StatusOK {
		return exitError{err, status}
	}
	return err
}

// notTaken leaves rows as they are.
type notTaken struct{}

func (notTaken) Add(r sweep.Row) (sweep.Row, error) { return r, nil }
func (notTaken) End(bool) error                     { return nil }

// cannotCheck ends a pass that could not begin.
func cannotCheck(c sweep.Command, err error) error {
	if c == sweep.Verify {
		return exitError{err, output.StatusUnchecked}
	}
	return err
}

// again returns the command line that resumes a pass, for a shell, unless it may have secrets.
func (p process) again(pass string) string {
	words, named := []string{"bucketsum"}, ""
	isNamed := func(arg string) bool { return arg == "--pass" || strings.HasPrefix(arg, "--pass=") }
	if pass != "" && p.getenv(flagvalue.Variable("pass")) == "" && !slices.ContainsFunc(p.args, isNamed) {
		named = " --pass " + pass
	}
	for _, arg := range p.args {
		plain := errors.New(arg)
		if redact.Values(plain, []string{arg}) != plain {
			if named != "" {
				named = " with" + named
			}
			return "run the same command again" + named
		}
		words = append(words, quote(arg))
	}
	return strings.Join(words, " ") + named
}

// quote quotes a word for a shell if it needs that.
func quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@%+", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
