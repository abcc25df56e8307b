package page_test

import (
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/live/livetest"
	"github.com/bucketsum/bucketsum/handlers/web/page"
	"github.com/bucketsum/bucketsum/pipeline"
)

// BenchmarkRender renders a full page: what viewers cost, at most twice in a second.
func BenchmarkRender(b *testing.B) {
	a := live.NewActivity()
	for i := range 100 {
		livetest.Publish(b, a, livetest.Result(pipeline.Recorded, livetest.Object(fmt.Sprint("photos/2026/", i, ".jpg"), 1<<20)))
	}
	b.ReportAllocs()
	for b.Loop() {
		page.Render(page.Config{Live: true}, a.Status())
	}
}
