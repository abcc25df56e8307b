// Package telemetry measures and traces the pipeline with OpenTelemetry. Prometheus can
// scrape the metrics. Metrics and traces are also sent by OTLP over HTTP if the OTEL_…
// variables of the environment say so, see
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
//
// The rest of bucketsum does not depend on this package: it provides a pipeline.Observer.
// Labels have few values, and no message, object name or stranger can add a value. Without
// an endpoint for traces nothing is traced, and the only cost is reading the traceparent of
// messages that have one. Logs, results and dead letters carry the traceparent in any case.
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
	// flushTime is how long Close waits until the last metrics and spans are sent.
	// Telemetry must not delay the end of the process for longer.
	flushTime = 5 * time.Second
)

// Config is the configuration of [Telemetry], in addition to the environment. The zero value is
// the default.
type Config struct {
	Version string
	// Spans also gets the spans, in addition to the environment's endpoint. Default: none.
	Spans sdktrace.SpanExporter
	Log   *slog.Logger // errors of sending; default: discarded
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

// New returns the telemetry of this process and, as OpenTelemetry's global provider, of the
// libraries in it. It fails if the environment asks for something that is not supported.
// Sending continues until Close.
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
		c.Log.Warn("telemetry lacks a part of the description of this process", "err", err)
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		c.Log.Warn("telemetry is incomplete", "err", err)
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

// aboutProcess describes the sender: this program, unless OTEL_SERVICE_NAME and
// OTEL_RESOURCE_ATTRIBUTES say otherwise. With an error it returns the part of the description
// that is known.
func aboutProcess(ctx context.Context, version string) (*resource.Resource, error) {
	return resource.New(ctx,
		resource.WithTelemetrySDK(),
		resource.WithHost(),
		resource.WithAttributes(semconv.ServiceName("bucketsum"), semconv.ServiceVersion(version)),
		resource.WithFromEnv(), // last, because the last one wins
	)
}

// openMetrics makes two providers. bucketsum's own metrics have no label for the scope, which
// would only be in the way; those of libraries need it to be told apart.
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
		// The views of gocloud are not used: one of them adds up milliseconds as calls.
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

// openTraces turns tracing on if the environment names an endpoint or the configuration an
// exporter.
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

// Metrics returns the handler that Prometheus scrapes.
func (t *Telemetry) Metrics() http.Handler {
	return promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{
		ErrorHandling:       promhttp.ContinueOnError, // a faulty metric does not hide the others
		ErrorLog:            slog.NewLogLogger(t.log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		Timeout:             30 * time.Second,
	})
}

// Close sends the metrics and spans that were not sent yet, for at most 5 s. It logs errors
// instead of returning them, because the process has done its work.
func (t *Telemetry) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	var errs []error
	for _, shutdown := range t.shutdown {
		errs = append(errs, shutdown(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		t.log.Warn("the last metrics and spans may not have been sent", "err", err)
	}
}
