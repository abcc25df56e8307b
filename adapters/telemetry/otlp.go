package telemetry

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/prometheus/otlptranslator"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// protocol is the only one of OTLP's protocols that this package supports.
const protocol = "http/protobuf"

// wanted reports whether a signal, METRICS or TRACES, has to be sent: the environment names an
// endpoint, and does not turn the signal off.
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
			return false, nil // Prometheus can always scrape
		}
		fallthrough
	default:
		return false, fmt.Errorf("%s: unknown %q; valid are otlp, none", name, os.Getenv(name))
	}
	named := false
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		address := os.Getenv(name)
		if err := redact.Server(name, address); err != nil {
			return false, err // the exporter would log it
		}
		named = named || address != ""
	}
	if !named {
		return false, nil
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"} {
		if err := checkHeaders(name, os.Getenv(name)); err != nil {
			return false, err
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p == protocol {
			break
		} else if p != "" {
			return false, fmt.Errorf("%s: %q is not supported; valid is %s, which collectors usually have on port 4318", name, p, protocol)
		}
	}
	return true, nil
}

// checkHeaders refuses headers that the exporter would log because it cannot read them: they hold tokens.
func checkHeaders(name, headers string) error {
	if headers == "" {
		return nil
	}
	for header := range strings.SplitSeq(headers, ",") {
		key, value, ok := strings.Cut(header, "=")
		if _, err := url.PathUnescape(value); !ok || strings.TrimSpace(key) == "" || err != nil {
			return fmt.Errorf("%s cannot be read; its form is name=value,name=value, with special characters percent-encoded", name)
		}
	}
	return nil
}

func otlpReader(ctx context.Context) (sdkmetric.Reader, error) {
	e, err := otlpmetrichttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("OTLP metrics: %w", err)
	}
	return sdkmetric.NewPeriodicReader(e), nil // with the interval of OTEL_METRIC_EXPORT_INTERVAL
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
	withoutTarget = exporter.WithoutTargetInfo() // the other provider has it
)

// exporter returns a reader that serves a provider's metrics to Prometheus.
func (t *Telemetry) exporter(options ...exporterOption) (sdkmetric.Reader, error) {
	return exporter.New(append(options, exporter.WithRegisterer(t.registry),
		exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithSuffixes))...)
}
