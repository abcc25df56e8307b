package telemetry

import (
	"cmp"
	"context"
	"io"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/attribute"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Bucket returns the bucket with what is read from it and written to it measured.
func (t *Telemetry) Bucket(b pipeline.Bucket) pipeline.Bucket {
	b.Source = source{b.Source, t}
	b.Records = records{b.Records, t}
	if b.Checkpoints != nil {
		b.Checkpoints = checkpoints{b.Checkpoints, t}
	}
	return b
}

// named are the attributes of an object in a trace. A trace is of one object; metrics
// never have them.
func (t *Telemetry) named(o pipeline.Object) []attribute.KeyValue {
	if t.tracer == nil {
		return nil
	}
	return []attribute.KeyValue{attribute.String("bucketsum.bucket", o.Bucket), attribute.String("bucketsum.key", o.Key),
		attribute.String("bucketsum.version_id", o.VersionID)}
}

type source struct {
	pipeline.Source
	t *Telemetry
}

// Open implements pipeline.Source.
func (s source) Open(ctx context.Context, o pipeline.Object) (pipeline.Reader, error) {
	return s.open(ctx, o, func(ctx context.Context) (pipeline.Reader, error) { return s.Source.Open(ctx, o) })
}

// OpenAt implements pipeline.OffsetSource.
func (s source) OpenAt(ctx context.Context, o pipeline.Object, offset int64) (pipeline.Reader, error) {
	r, err := s.open(ctx, o, func(ctx context.Context) (pipeline.Reader, error) { return pipeline.OpenAt(ctx, s.Source, o, offset) })
	if err == nil {
		s.t.measures.resumes.Add(ctx, 1)
	}
	return r, err
}

func (s source) open(ctx context.Context, o pipeline.Object, open func(context.Context) (pipeline.Reader, error)) (pipeline.Reader, error) {
	t, begin := s.t, time.Now()
	within, end := t.span(ctx, "open", t.named(o)...)
	r, err := open(within)
	end(err)
	if err != nil {
		return nil, err
	}
	t.measures.phases[phaseOpen].since(ctx, begin)
	x := &reader{Reader: r, t: t, ctx: ctx, begin: time.Now()}
	_, x.end = t.span(ctx, "hash", t.named(r.Object())...)
	return x, nil
}

// reader is an object that is read and hashed until it is closed.
type reader struct {
	pipeline.Reader
	t      *Telemetry
	ctx    context.Context // of the open, which the phases are of
	begin  time.Time
	end    func(error)
	err    error // why it could not be read
	closed sync.Once
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.note(n, err)
	return n, err
}

// ReadNow implements digest.ReaderNow.
func (r *reader) ReadNow(p []byte) (int, error) {
	n, err := digest.ReadNow(r.Reader, p)
	if digest.Waits(err) {
		r.note(n, nil)
	} else {
		r.note(n, err)
	}
	return n, err
}

// note measures what a read brought.
func (r *reader) note(n int, err error) {
	if err != nil && err != io.EOF {
		r.err = err
	}
	if n > 0 {
		r.t.bytes.Add(int64(n))
		r.t.progressed(time.Now())
	}
}

// Close implements io.Closer.
func (r *reader) Close() error {
	err := r.Reader.Close()
	r.closed.Do(func() {
		r.t.measures.phases[phaseHash].since(r.ctx, r.begin)
		r.end(cmp.Or(r.err, err))
	})
	return err
}

type records struct {
	pipeline.Recorder
	t *Telemetry
}

// Lookup implements pipeline.Recorder.
func (r records) Lookup(ctx context.Context, o pipeline.Object) (pipeline.Record, error) {
	within, end := r.t.span(ctx, "lookup", r.t.named(o)...)
	record, err := r.Recorder.Lookup(within, o)
	end(err)
	return record, err
}

// Save implements pipeline.Recorder.
func (r records) Save(ctx context.Context, record pipeline.Record) error {
	begin := time.Now()
	within, end := r.t.span(ctx, "record", r.t.named(record.Source)...)
	err := r.Recorder.Save(within, record)
	end(err)
	r.t.measures.phases[phaseRecord].since(ctx, begin)
	return err
}

// Remove implements pipeline.Recorder.
func (r records) Remove(ctx context.Context, o pipeline.Object) (bool, error) {
	within, end := r.t.span(ctx, "remove", r.t.named(o)...)
	removed, err := r.Recorder.Remove(within, o)
	end(err)
	return removed, err
}

type checkpoints struct {
	pipeline.Checkpoints
	t *Telemetry
}

// Save implements pipeline.Checkpoints.
func (c checkpoints) Save(ctx context.Context, o pipeline.Object, state []byte) error {
	within, end := c.t.span(ctx, "checkpoint", c.t.named(o)...)
	err := c.Checkpoints.Save(within, o, state)
	end(err)
	if err == nil {
		c.t.measures.saves.Add(ctx, 1)
	}
	return err
}

// Announcer returns what announces results to their receiver, measured.
func (t *Telemetry) Announcer(announce pipeline.Publisher) pipeline.Publisher {
	return func(ctx context.Context, r pipeline.Result) error {
		begin := time.Now()
		within, end := t.span(ctx, "publish", t.named(r.Record.Source)...)
		err := announce(within, r)
		end(err)
		t.measures.phases[phasePublish].since(ctx, begin)
		if err != nil {
			t.measures.results.add(ctx, "failed")
		} else {
			t.measures.results.add(ctx, "published")
		}
		return err
	}
}

// Counted returns what is told of results, with those counted that it has taken.
func (t *Telemetry) Counted(publish pipeline.Publisher) pipeline.Publisher {
	return func(ctx context.Context, r pipeline.Result) error {
		if err := publish(ctx, r); err != nil {
			return err // it comes again
		}
		t.measures.objects.add(ctx, string(r.Outcome))
		if r.Outcome == pipeline.Mismatch {
			t.measures.mismatches.Add(ctx, 1)
		}
		return nil
	}
}

// Publisher returns a publisher of messages whose sending is a span of that name.
func (t *Telemetry) Publisher(name string, p message.Publisher) message.Publisher {
	if t.tracer == nil || p == nil {
		return p
	}
	return publisher{p, t, name}
}

type publisher struct {
	message.Publisher
	t    *Telemetry
	name string
}

// Publish implements message.Publisher.
func (p publisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		_, end := p.t.span(m.Context(), p.name)
		err := p.Publisher.Publish(topic, m)
		end(err)
		if err != nil {
			return err
		}
	}
	return nil
}
