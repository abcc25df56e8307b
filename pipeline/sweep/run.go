package sweep

import (
	"cmp"
	"context"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/ordered"
)

// DefaultConcurrency is how many items a [Runner] examines at the same time, unless it is told otherwise.
const DefaultConcurrency = 64

// Runner examines the items of a range of one bucket, many at a time. Source and Examine are needed. A Runner
// may be used by several goroutines at once.
type Runner struct {
	Bucket      string // the name that events carry; it is put into items and rows
	Source      Source
	Examine     Examine
	Selects     func(Item) bool // nil: all items
	Concurrency int             // items in work at the same time; 0: DefaultConcurrency
	Cut         Cut
	// Stop is closed to end the run early: no further items are begun, those in work are finished. nil: it never is.
	Stop <-chan struct{}
	Log  *slog.Logger // nil: discarded
}

// Cut says where a run ends, if its range does not end before.
type Cut struct {
	Items int           // after this many selected items; 0: no limit
	Time  time.Duration // no item is begun later than this after the beginning; 0: no limit
}

// End is how far a run came.
type End struct {
	// At is a position: the items through it were examined, and their rows told. It is the beginning of the range if no
	// item was.
	At   string
	Done bool // the range has no items after At
	// Unfinished is the position of the item after At if the run ended because its work is to be continued by another
	// slice.
	Unfinished string
}

// Run lists the range, examines the items, and tells rows in the order of positions. tell is called by one goroutine
// at a time and must not keep the slice. An item may have no row.
//
// The error is that of tell; the cause of the end of ctx; a pipeline.Unfinished of an item; or that of a
// listing that failed again and again. The rows before it were told: End is right in any case. When ctx ends, the run
// ends as soon as the items in work do. An item whose examination panics gets a row with the state Unreadable.
func (r *Runner) Run(ctx context.Context, in Range, tell func([]Row) error) (End, error) {
	work, stopWork := context.WithCancel(ctx)
	defer stopWork()
	s := &run{Runner: r, in: in, tellRows: tell, end: End{At: in.After}, stopWork: stopWork, log: cmp.Or(r.Log, slog.New(slog.DiscardHandler))}
	o := ordered.Work[task]{
		Width: cmp.Or(r.Concurrency, DefaultConcurrency),
		Do:    func(t task) task { return s.examine(work, t) },
		Tell:  s.tell,
	}
	// The end of ctx ends the list and the work on each item. The results before the first interrupted item are
	// still told.
	err := o.Run(context.WithoutCancel(ctx), func(yield func(task) bool) { s.list(work, yield) })
	s.end.Done = err == nil && (s.listed || in.Through != "" && s.end.At == in.Through)
	switch {
	case s.end.Done:
		return s.end, nil
	case ctx.Err() != nil:
		return s.end, context.Cause(ctx)
	case err != nil:
		return s.end, err
	}
	return s.end, s.listErr
}

// run is one call of Runner.Run.
type run struct {
	*Runner
	in       Range
	tellRows func([]Row) error
	stopWork context.CancelFunc
	log      *slog.Logger

	// The list has ended by itself, or with an error. They are written by the goroutine that takes items.
	listed  bool
	listErr error

	// Only one goroutine at a time tells.
	end  End
	rows []Row
}

// task is an item on its way, and its result.
type task struct {
	item    Item
	skip    bool  // it was not selected
	fault   error // of this item, from its source
	row     Row
	endedBy error // of Examine
}

// examine does the work on one item.
func (s *run) examine(ctx context.Context, t task) task {
	if t.skip {
		return t
	}
	if t.fault != nil {
		t.row = unreadable(t.item, t.fault)
	} else {
		t.row, t.endedBy = s.safely(ctx, t.item)
	}
	if t.row.Key != t.item.At {
		t.row.At = t.item.At
	}
	t.row.Bucket = s.Bucket
	return t
}

func (s *run) safely(ctx context.Context, i Item) (row Row, err error) {
	defer func() {
		if v := recover(); v != nil {
			failed := &pipeline.PanicError{Value: v, Stack: string(debug.Stack())}
			s.log.ErrorContext(ctx, "examining an object failed", "bucket", i.Object.Bucket, "key", i.Object.Key, "err", failed, "stack", failed.Stack)
			row, err = unreadable(i, failed), nil
		}
	}()
	return s.Examine(ctx, i)
}

// unreadable is the row of an item that could not be examined.
func unreadable(i Item, err error) Row {
	return Row{Key: cmp.Or(i.Object.Key, i.At), State: Unreadable, VersionID: i.Object.VersionID, Noncurrent: i.Noncurrent, Reason: err.Error()}
}

// tell tells the rows of consecutive tasks, up to the first that ended without one.
func (s *run) tell(turn []task) error {
	at := s.end.At
	s.rows = s.rows[:0]
	var ended task
	for _, t := range turn {
		if t.endedBy != nil {
			ended = t
			break
		}
		at = t.item.At
		if t.row.State != "" {
			s.rows = append(s.rows, t.row)
		}
	}
	if len(s.rows) > 0 {
		if err := s.tellRows(s.rows); err != nil {
			s.stopWork()
			return err
		}
	}
	s.end.At = at
	if ended.endedBy != nil {
		if pipeline.Classify(ended.endedBy) == pipeline.ClassUnfinished {
			s.end.Unfinished = ended.item.At
		}
		s.stopWork()
	}
	return ended.endedBy
}
