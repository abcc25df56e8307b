package telemetry

import (
	"context"
	"errors"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Outcomes of events, in addition to those of results.
const (
	outcomeFailed     = string(pipeline.Failed)
	outcomeSuperseded = "superseded" // the store was asked, and no work is needed
	outcomeReturned   = "returned"   // the event went back to the queue
)

// Outcomes of shards.
const (
	shardDone      = "done"
	shardContinued = "continued" // in a new message
	shardFailed    = "failed"
)

// Row counts an object that a pass examined.
func (t *Telemetry) Row(s sweep.State) { t.measures.rows.add(context.Background(), string(s)) }

// Shard counts a delivery of a shard by the class of its error.
func (t *Telemetry) Shard(c pipeline.Class) {
	outcome := shardFailed
	switch c {
	case pipeline.ClassNone:
		outcome = shardDone
	case pipeline.ClassUnfinished:
		outcome = shardContinued
	}
	t.measures.shards.add(context.Background(), outcome)
}

// phaseBounds are the histogram's bounds in seconds, from a small object on a fast disk to hours.
var phaseBounds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400}

// measures holds the instruments, each with prepared labels.
type measures struct {
	objects, superseded               counts
	wait, open, hash, record, publish histogram
	retries                           metric.Int64Counter
	extensions                        metric.Int64Counter
	losses                            metric.Int64Counter
	deadLetters                       counts
	mismatches                        metric.Int64Counter
	saves                             metric.Int64Counter
	resumes                           metric.Int64Counter
	results                           counts
	rows, shards                      counts
}

// counts is a counter with one label.
type counts struct {
	counter metric.Int64Counter
	by      map[string][]metric.AddOption // the values of the label
}

func (c counts) add(ctx context.Context, value string) { c.counter.Add(ctx, 1, c.by[value]...) }

// histogram is a histogram with fixed labels.
type histogram struct {
	metric.Float64Histogram
	labels []metric.RecordOption
}

func (h *histogram) since(ctx context.Context, began time.Time) {
	h.Record(ctx, time.Since(began).Seconds(), h.labels...)
}

// newMeasures makes the instruments. All series of a counter exist from the start, with the
// value 0; otherwise Prometheus would not see their first increase.
func newMeasures(t *Telemetry, version string) (measures, error) {
	var errs []error
	counter := func(name, unit, about string) metric.Int64Counter {
		c, err := t.meter.Int64Counter("bucketsum."+name, metric.WithUnit(unit), metric.WithDescription(about))
		errs = append(errs, err)
		if err == nil {
			c.Add(context.Background(), 0)
		}
		return c
	}
	labelled := func(name, about, label string, values ...string) counts {
		c, err := t.meter.Int64Counter("bucketsum."+name, metric.WithDescription(about))
		errs = append(errs, err)
		by := make(map[string][]metric.AddOption)
		for _, v := range values {
			by[v] = []metric.AddOption{metric.WithAttributeSet(attribute.NewSet(attribute.String(label, v)))}
			if err == nil {
				c.Add(context.Background(), 0, by[v]...)
			}
		}
		return counts{c, by}
	}
	m := measures{
		objects: labelled("objects", "Events of objects, by outcome.", "outcome",
			string(pipeline.Recorded), string(pipeline.Current), string(pipeline.Removed), string(pipeline.Kept), string(pipeline.Mismatch),
			outcomeFailed, outcomeSuperseded, outcomeReturned),
		superseded: labelled("superseded", "Events that need no work, by reason; the store was asked.", "reason",
			string(pipeline.SupersededMissing), string(pipeline.SupersededArchived), string(pipeline.SupersededOwnRecord),
			string(pipeline.SupersededFiltered)),
		retries:    counter("retries", "", "Attempts to handle a message that were repeated under the same lease."),
		extensions: counter("lease.extensions", "", "Extensions of leases on messages."),
		losses:     counter("lease.losses", "", "Leases on messages that were lost. Another worker may do the same work."),
		deadLetters: labelled("dead.letters", "Messages that were given up, by class of reason.", "reason",
			string(pipeline.GivenUpExhausted), string(pipeline.GivenUpInterrupted), string(pipeline.GivenUpMismatch),
			string(pipeline.GivenUpUnknown), string(pipeline.GivenUpMissing), string(pipeline.GivenUpUndecodable),
			string(pipeline.GivenUpRefused)),
		mismatches: counter("mismatches", "", "Objects whose content differed from a claim of their store."),
		saves:      counter("checkpoint.saves", "", "Saved checkpoints of large objects."),
		resumes:    counter("checkpoint.resumes", "", "Reads of large objects that resumed from a checkpoint."),
		rows: labelled("pass.objects", "Objects that passes examined, by what they found.", "state",
			string(sweep.OK), string(sweep.Recorded), string(sweep.Mismatch), string(sweep.Stale), string(sweep.NoRecord),
			string(sweep.Orphan), string(sweep.Unreadable), string(sweep.Archived)),
		shards:  labelled("pass.shards", "Deliveries of shards of passes, by outcome.", "outcome", shardDone, shardContinued, shardFailed),
		results: labelled("results", "Announcements of results, by outcome.", "outcome", "published", "failed"),
	}
	phases, err := t.meter.Float64Histogram("bucketsum.phase.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of the work on an event, by phase."), metric.WithExplicitBucketBoundaries(phaseBounds...))
	errs = append(errs, err)
	phase := func(name string) histogram {
		return histogram{phases, []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(attribute.String("phase", name)))}}
	}
	m.wait, m.open, m.hash = phase("wait"), phase(string(pipeline.StepOpen)), phase(string(pipeline.StepHash))
	m.record, m.publish = phase(string(pipeline.StepRecord)), phase(string(pipeline.StepPublish))
	errs = append(errs, observables(t, version))
	return m, errors.Join(errs...)
}

// observables makes the instruments whose values are read when metrics are collected.
func observables(t *Telemetry, version string) error {
	_, err := t.meter.Int64ObservableCounter("bucketsum.bytes", metric.WithUnit("By"),
		metric.WithDescription("Bytes read of objects."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error { o.Observe(t.bytes.Load()); return nil }))
	build := metric.WithAttributeSet(attribute.NewSet(attribute.String("version", version)))
	_, buildErr := t.meter.Int64ObservableGauge("bucketsum.build_info",
		metric.WithDescription("1, with the version of bucketsum."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error { o.Observe(1, build); return nil }))
	return errors.Join(err, buildErr,
		t.Gauge("in_flight", "", "Messages in work.",
			func(context.Context) float64 { return float64(t.inFlight.Load()) }),
		t.Gauge("last_progress.timestamp", "s", "Unix time at which a message was last finished or a byte of an object was last read. At first the start of the process.",
			func(context.Context) float64 { return float64(t.progress.Load()) / 1e9 }))
}

// Gauge adds the gauge bucketsum_NAME, with its unit and a description. Each collection of
// metrics calls value, which must return quickly.
func (t *Telemetry) Gauge(name, unit, about string, value func(context.Context) float64) error {
	_, err := t.meter.Float64ObservableGauge("bucketsum."+name, metric.WithUnit(unit), metric.WithDescription(about),
		metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error { o.Observe(value(ctx)); return nil }))
	return err
}

// progressed sets the time of the last progress.
func (t *Telemetry) progressed(now time.Time) { t.progress.Store(now.UnixNano()) }
