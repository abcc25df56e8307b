package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

var errBroken = errors.New("broken")

// objects is a source of objects with the content "content", whose last read fails with err.
type objects struct {
	pipeline.Source
	err error
}

func (s objects) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	return s.OpenAt(ctx, o, 0)
}

func (s objects) OpenAt(_ context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	if o.Key == "gone" {
		return nil, pipeline.ErrNotFound
	}
	return &content{left: strings.NewReader("content"[offset:]), object: o, err: s.err}, nil
}

type content struct {
	pipeline.Reader
	left   *strings.Reader
	object pipeline.Object
	err    error
}

func (c *content) Object() pipeline.Object       { return c.object }
func (c *content) Close() error                  { return nil }
func (c *content) ReadNow(p []byte) (int, error) { return c.Read(p) }
func (c *content) Read(p []byte) (int, error) {
	n, err := c.left.Read(p)
	if err != nil {
		err = c.err
	}
	return n, err
}

// records fails always.
type records struct{ pipeline.Recorder }

func (records) Lookup(context.Context, pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	return pipeline.Record{}, nil, errBroken
}
func (records) Save(context.Context, pipeline.Record, pipeline.Seen) error { return errBroken }
func (records) Remove(context.Context, pipeline.Object, pipeline.Seen) (bool, error) {
	return true, errBroken
}
func (checkpoints) Save(context.Context, pipeline.Object, []byte) error { return errBroken }

type checkpoints struct{ pipeline.Checkpoints }

type within struct{}

// script writes down the calls of an observer, and checks that a step ends with its context.
type script struct {
	name  string
	lines *[]string
}

func (s script) add(format string, args ...any) {
	*s.lines = append(*s.lines, s.name+" "+fmt.Sprintf(format, args...))
}

func (s script) observer() pipeline.Observer {
	return pipeline.Observer{
		Result: func(_ context.Context, r pipeline.Result, err error) { s.add("result %s: %v", r.Outcome, err) },
		Step: func(ctx context.Context, step pipeline.Step, o pipeline.Object) context.Context {
			s.add("%s %s", step, o.Key)
			return context.WithValue(ctx, within{}, step)
		},
		Stepped: func(ctx context.Context, step pipeline.Step, _ time.Time, err error) {
			s.add("%v ends: %v", ctx.Value(within{}), err)
		},
		Opened:   func(r *pipeline.Reading) { s.add("opened %s at %d", r.Object.Key, r.From) },
		Advanced: func(n int) { s.add("advanced %d", n) },
		Closed:   func(r *pipeline.Reading) { s.add("closed at %d", r.Offset()) },
		Lease:    func(c pipeline.LeaseChange) { s.add("lease %s", c) },
	}
}

// observe returns what an observer sees of the use of a bucket.
func observe(err error, use func(context.Context, pipeline.Bucket)) []string {
	var lines []string
	o := script{"a", &lines}.observer()
	use(context.Background(), o.Bucket(pipeline.Bucket{Source: objects{err: err}, Records: records{}, Checkpoints: checkpoints{}}))
	return lines
}

func TestObservedReading(t *testing.T) {
	for name, tc := range map[string]struct {
		err  error // of the last read
		from int64
		want []string
	}{
		"whole":   {io.EOF, 0, []string{"a open k", "a open ends: <nil>", "a hash k", "a opened k at 0", "a advanced 7", "a closed at 7", "a hash ends: <nil>"}},
		"resumed": {io.EOF, 5, []string{"a open k", "a open ends: <nil>", "a hash k", "a opened k at 5", "a advanced 2", "a closed at 7", "a hash ends: <nil>"}},
		"broken":  {errBroken, 0, []string{"a open k", "a open ends: <nil>", "a hash k", "a opened k at 0", "a advanced 7", "a closed at 7", "a hash ends: broken"}},
		"waits":   {digest.ErrWait, 0, []string{"a open k", "a open ends: <nil>", "a hash k", "a opened k at 0", "a advanced 7", "a closed at 7", "a hash ends: <nil>"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := observe(tc.err, func(ctx context.Context, b pipeline.Bucket) {
				open := func(o pipeline.Object) (pipeline.Reader, error) { return b.Source.Open(ctx, o) }
				if tc.from > 0 {
					open = func(o pipeline.Object) (pipeline.Reader, error) { return b.Source.OpenAt(ctx, o, tc.from) }
				}
				r, err := open(pipeline.Object{Key: "k"})
				if err != nil {
					t.Fatal(err)
				}
				p := make([]byte, 100)
				for {
					if _, err = digest.ReadNow(r, p); err != nil {
						break
					}
				}
				if !errors.Is(err, tc.err) {
					t.Errorf("read: %v", err)
				}
				for range 2 { // the second Close is not observed
					if err := r.Close(); err != nil {
						t.Error(err)
					}
				}
			})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestObservedSteps(t *testing.T) {
	o := pipeline.Object{Key: "k"}
	for name, tc := range map[string]struct {
		use  func(context.Context, pipeline.Bucket) error
		want []string
		err  error
	}{
		"open": {func(ctx context.Context, b pipeline.Bucket) error {
			_, err := b.Source.Open(ctx, pipeline.Object{Key: "gone"})
			return err
		}, []string{"a open gone", "a open ends: not found"}, pipeline.ErrNotFound},
		"lookup": {func(ctx context.Context, b pipeline.Bucket) error { _, _, err := b.Records.Lookup(ctx, o); return err }, []string{"a lookup k", "a lookup ends: broken"}, errBroken},
		"record": {func(ctx context.Context, b pipeline.Bucket) error {
			return b.Records.Save(ctx, pipeline.Record{Source: o}, nil)
		}, []string{"a record k", "a record ends: broken"}, errBroken},
		"remove": {func(ctx context.Context, b pipeline.Bucket) error {
			_, err := b.Records.Remove(ctx, o, nil)
			return err
		}, []string{"a remove k", "a remove ends: broken"}, errBroken},
		"checkpoint": {func(ctx context.Context, b pipeline.Bucket) error { return b.Checkpoints.Save(ctx, o, nil) }, []string{"a checkpoint k", "a checkpoint ends: broken"}, errBroken},
	} {
		t.Run(name, func(t *testing.T) {
			got := observe(io.EOF, func(ctx context.Context, b pipeline.Bucket) {
				if err := tc.use(ctx, b); !errors.Is(err, tc.err) {
					t.Errorf("got %v, want %v", err, tc.err)
				}
			})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("observed (-want +got):\n%s", diff)
			}
		})
	}
}

// Several observers are called in their order, and fields may be nil.
func TestObservers(t *testing.T) {
	var lines []string
	all := pipeline.Observers(script{"a", &lines}.observer(), pipeline.Observer{}, script{"b", &lines}.observer())
	ctx := t.Context()
	publish := func(context.Context, pipeline.Result) error { return errBroken }
	r := pipeline.Result{Outcome: pipeline.Recorded, Record: pipeline.Record{Source: pipeline.Object{Key: "k"}}}
	all.Result(ctx, r, all.Publish(ctx, publish, r))
	all.Lease(pipeline.LeaseLost)
	all.Opened(&pipeline.Reading{})
	all.Advanced(1)
	all.Closed(&pipeline.Reading{})
	all.End(all.Begin(ctx, pipeline.Delivery{}), pipeline.Delivery{})
	want := []string{"a publish k", "b publish k", "a publish ends: broken", "b publish ends: broken",
		"a result recorded: broken", "b result recorded: broken", "a lease lost", "b lease lost",
		"a opened  at 0", "b opened  at 0", "a advanced 1", "b advanced 1", "a closed at 0", "b closed at 0"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("observed (-want +got):\n%s", diff)
	}
	if err := all.Publish(ctx, nil, r); err != nil || len(lines) != len(want) {
		t.Errorf("no publisher: %v, %v", err, lines[len(want):])
	}
}

// A panic of one observer does not hide the end of a delivery from the others.
func TestObserverPanics(t *testing.T) {
	var ended []string
	end := func(name string) pipeline.Observer {
		return pipeline.Observer{End: func(context.Context, pipeline.Delivery) {
			ended = append(ended, name)
			if name == "b" {
				panic("no such counter")
			}
		}}
	}
	all := pipeline.Observers(end("a"), end("b"), end("c"))
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		all.End(t.Context(), pipeline.Delivery{})
	}()
	if diff := cmp.Diff([]string{"a", "b", "c"}, ended); diff != "" {
		t.Errorf("called (-want +got):\n%s", diff)
	}
}
