package telemetry_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/telemetry"
)

// Prometheus scrapes the gauge with the other metrics.
func ExampleTelemetry_Gauge() {
	t, err := telemetry.New(context.Background(), telemetry.Config{Version: "v1.2.3"})
	if err != nil {
		log.Fatal(err)
	}
	defer t.Close()
	depth := func(context.Context) float64 { return 3 }
	if err := t.Gauge("depth", "", "Messages that wait.", depth); err != nil {
		log.Fatal(err)
	}

	page := httptest.NewRecorder()
	t.Metrics().ServeHTTP(page, httptest.NewRequest("GET", "/metrics", nil))
	lines := bufio.NewScanner(page.Body)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "bucketsum_depth") {
			fmt.Println(lines.Text())
		}
	}
	// Output: bucketsum_depth 3
}
