package telemetry

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// protocol is the one that is spoken, of those that OTLP has.
const protocol = "http/protobuf"

// wanted reports whether the environment asks for a signal, METRICS or TRACES, to be
// sent: it has an endpoint, and nothing that turns it off.
func wanted(signal string) (bool, error) {
	if strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return false, nil
	}
	switch name := "OTEL_" + signal + "_EXPORTER"; os.Getenv(name) {
	case "", "otlp":
	case "none":
		return false, nil
	case "prometheus":
		if signal == "METRICS" {
			return false, nil // it always is
		}
		fallthrough
	default:
		return false, fmt.Errorf("%s: unknown %q; valid are otlp, none", name, os.Getenv(name))
	}
	if os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") == "" && os.Getenv("OTEL_EXPORTER_OTLP_"+signal+"_ENDPOINT") == "" {
		return false, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p == protocol {
			break
		} else if p != "" {
			return false, fmt.Errorf("%s: %q is not spoken here; valid is %s, which collectors mostly have on port 4318", name, p, protocol)
		}
	}
	return true, nil
}

func otlpReader(ctx context.Context) (sdkmetric.Reader, error) {
	e, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTLP metrics: %w", err)
	}
	return sdkmetric.NewPeriodicReader(e), nil // as often as OTEL_METRIC_EXPORT_INTERVAL says
}

func otlpSpans(ctx context.Context) (sdktrace.SpanExporter, error) {
	e, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTLP traces: %w", err)
	}
	return e, nil
}

type exporterOption = exporter.Option

var (
	withoutScope  = exporter.WithoutScopeInfo()
	withoutTarget = exporter.WithoutTargetInfo() // it is there once
)

// exporter returns what serves a provider's metrics to Prometheus.
func (t *Telemetry) exporter(options ...exporterOption) (sdkmetric.Reader, error) {
	return exporter.New(append(options, exporter.WithRegisterer(t.registry),
		exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))...)
}
