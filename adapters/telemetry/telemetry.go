// Package telemetry measures and traces the pipeline with OpenTelemetry. Metrics are
// there for Prometheus to fetch, and metrics and traces are sent by OTLP over HTTP
// where the OTEL_… variables of the environment ask for it; see
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
//
// The rest of bucketsum does not know of it: it wraps the ports of package pipeline.
// Labels have few values, and none that a message, an object's name or a stranger
// decides on. Without an endpoint for traces nothing is traced, at no cost but that of
// reading the traceparent of messages which have one; logs, results and dead letters
// carry that on in any case.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.40.0"
	"go.opentelemetry.io/otel/trace"
)

const (
	scope = "github.com/bucketsum/bucketsum"
	// flushTime is how long the end of the process waits for the last that is to be
	// sent: who observes must not hold up what it observes.
	flushTime = 5 * time.Second
)

// Config is the configuration of [Telemetry]. The zero value is the default. The rest
// is in the environment.
type Config struct {
	Version string
	// Spans takes the spans, beside what the environment says. nil: nobody.
	Spans sdktrace.SpanExporter
	Log   *slog.Logger // gets what goes wrong with sending; default: discarded
}

// Telemetry measures one process. Its methods are safe for concurrent use.
type Telemetry struct {
	registry *prometheus.Registry
	shutdown []func(context.Context) error
	meter    metric.Meter
	measures measures
	tracer   trace.Tracer // nil: nothing is traced
	log      *slog.Logger

	inFlight atomic.Int64
	bytes    atomic.Int64
	progress atomic.Int64 // Unix nanoseconds
}

// New returns the telemetry of this process, which the libraries that it is made of
// take part in. It fails if the environment asks for something that it cannot do.
// What it sends goes until Close.
func New(ctx context.Context, c Config) (_ *Telemetry, err error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	t := &Telemetry{registry: prometheus.NewRegistry(), log: c.Log}
	defer func() {
		if err != nil {
			t.Close()
			err = fmt.Errorf("telemetry: %w", err)
		}
	}()
	t.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	about, err := aboutProcess(ctx, c.Version)
	if err != nil {
		c.Log.Warn("telemetry does not know all of this process", "err", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		c.Log.Warn("telemetry is not complete", "err", err)
	}))
	otel.SetLogger(logr.FromSlogHandler(c.Log.Handler()))
	if err := t.openMetrics(ctx, about); err != nil {
		return nil, err
	}
	if err := t.openTraces(ctx, about, c.Spans); err != nil {
		return nil, err
	}
	t.progress.Store(time.Now().UnixNano())
	t.measures, err = newMeasures(t, c.Version)
	return t, err
}

// aboutProcess says what sends: what OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say,
// else this program. What could be learnt comes also with an error.
func aboutProcess(ctx context.Context, version string) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName("bucketsum"), semconv.ServiceVersion(version)),
		resource.WithFromEnv(), // last, as the last counts
	)
}

// openMetrics makes two providers: of what bucketsum measures the scope would only be
// in the way, while what libraries measure is told apart by it.
func (t *Telemetry) openMetrics(ctx context.Context, about *resource.Resource) error {
	sent, err := wanted("METRICS")
	if err != nil {
		return err
	}
	provider := func(about *resource.Resource, options ...exporterOption) (*sdkmetric.MeterProvider, error) {
		served, err := t.exporter(options...)
		if err != nil {
			return nil, err
		}
		// gocloud has views of its own, of which one sums milliseconds up as calls.
		all := []sdkmetric.Option{sdkmetric.WithResource(about), sdkmetric.WithReader(served)}
		if sent {
			reader, err := otlpReader(ctx)
			if err != nil {
				return nil, err
			}
			all = append(all, sdkmetric.WithReader(reader))
		}
		p := sdkmetric.NewMeterProvider(all...)
		t.shutdown = append(t.shutdown, p.Shutdown)
		return p, nil
	}
	own, err := provider(about, withoutScope)
	if err != nil {
		return err
	}
	t.meter = own.Meter(scope)
	libraries, err := provider(about, withoutTarget)
	if err != nil {
		return err
	}
	otel.SetMeterProvider(libraries)
	return nil
}

// openTraces starts to trace if there is anybody who wants to know.
func (t *Telemetry) openTraces(ctx context.Context, about *resource.Resource, to sdktrace.SpanExporter) error {
	sent, err := wanted("TRACES")
	if err != nil || !sent && to == nil {
		return err
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithResource(about)}
	if to != nil {
		options = append(options, sdktrace.WithSyncer(to))
	}
	if sent {
		exporter, err := otlpSpans(ctx)
		if err != nil {
			return err
		}
		options = append(options, sdktrace.WithBatcher(exporter))
	}
	p := sdktrace.NewTracerProvider(options...)
	t.shutdown = append(t.shutdown, p.Shutdown)
	t.tracer = p.Tracer(scope)
	return nil
}

// Metrics returns what answers Prometheus.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // one that is wrong does not take away the others
		ErrorLog:            slog.NewLogLogger(t.log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		Timeout:             30 * time.Second,
	})
}

// Close sends what was not sent yet, for 5 s at most. That it could not be sent is
// logged: the process has done what it is for.
func (t *Telemetry) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	var errs []error
	for _, shutdown := range t.shutdown {
		errs = append(errs, shutdown(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		t.log.Warn("the last of the telemetry may not have been sent", "err", err)
	}
}
