package page_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/page"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

// TestLooks shows the page in each state, light, dark and on a phone, to axe, which finds what keeps people out:
// contrasts, names, orders, regions.
func TestLooks(t *testing.T) {
	source := axe(t)
	for state, status := range states() {
		t.Run(state, func(t *testing.T) {
			h, err := web.Handler(web.Config{
				Version: "dev", Records: map[string]web.Records{"photos": records{}, "scans": records{}}, Actions: web.Actions{Open: true, DeadLetters: letters{}}, Status: func() live.Status { return status }, Flow: page.Flow{
					Buckets: []string{"s3://photos", "s3://scans"}, Queue: "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/uploads",
					Algorithms: []string{"md5", "sha256"}, Records: []string{"FILE.md5", "FILE.sha256"},
					DeadLetters: "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/uploads-dead", First: "aws s3 cp FILE s3://photos/",
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			s := httptest.NewServer(h)
			t.Cleanup(s.Close) // after the browser has ended
			p := open(t, s.URL)
			p.do(source)
			if state == "calm" {
				p.lookUp()
			}
			for _, look := range []struct {
				name    string
				prepare func()
			}{
				{"light", func() { p.scheme("light") }},
				{"dark", func() { p.scheme("dark") }},
				{"phone", func() {
					p.scheme("light")
					p.phone()
				}},
			} {
				look.prepare()
				p.check(look.name)
				p.picture(state + "-" + look.name)
			}
		})
	}
}

// records has a record of each object.
type records struct{}

func (records) Lookup(_ context.Context, o pipeline.Object) (pipeline.Record, pipeline.Seen, error) {
	o.Size = 61 << 20
	check := func(name, algorithm string, o digest.Outcome) pipeline.Check {
		return pipeline.Check{Name: name, Algorithm: algorithm, Verdict: digest.Verdict{Outcome: o}}
	}
	return pipeline.Record{
		Source: o, ComputedAt: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC),
		Digests: map[string]string{"md5": sample.MD5([]byte(o.Key)), "sha256": sample.MD5([]byte("a"+o.Key)) + sample.MD5([]byte("b"+o.Key))},
		Checks:  []pipeline.Check{check("etag", "md5", digest.Match), check("x-amz-checksum-crc64nvme", "crc64nvme", digest.Unchecked)},
	}, nil, nil
}

// letters are dead letters that this test does not use.
type letters struct{ web.DeadLetters }

// lookUp asks for a record, which says what it was compared with.
func (p *tab) lookUp() {
	p.t.Helper()
	const key = "a/../b c?#%.jpg"
	p.do(`(() => {
		const form = document.querySelector('#lookup');
		form.elements.bucket.value = 'scans';
		form.elements.key.value = '` + key + `';
		form.requestSubmit();
	})()`)
	p.until("the record", `document.querySelector('#lookup-answer .sum, #lookup-answer .reason')`)
	got := p.text("#lookup-answer")
	for _, want := range []string{key, sample.MD5([]byte(key)) + "  b c?#%.jpg", "agrees with etag (md5)", "could not be compared with x-amz-checksum-crc64nvme"} {
		if !strings.Contains(got, want) {
			p.t.Errorf("record is %q, which lacks %q", got, want)
		}
	}
}

// check expects that axe finds nothing.
func (p *tab) check(name string) {
	p.t.Helper()
	var found []struct {
		ID, Help string
		Nodes    []struct {
			HTML    string `json:"html"`
			Summary string `json:"failureSummary"`
		}
	}
	answer := eval[string](p, `axe.run().then(r => JSON.stringify(r.violations))`)
	if err := json.Unmarshal([]byte(answer), &found); err != nil {
		p.t.Fatal(err)
	}
	for _, f := range found {
		p.t.Errorf("%s: axe finds %s (%s) in %+v", name, f.ID, f.Help, f.Nodes)
	}
}

// picture writes what the browser shows, if pictures are wanted.
func (p *tab) picture(name string) {
	if *screenshots == "" {
		return
	}
	p.t.Helper()
	shot, err := chromedp.Run(p.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		p.t.Fatalf("browser: %v", err)
	}
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		p.t.Fatal(err)
	}
	var small bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestCompression}
	if err := errors.Join(e.Encode(&small, reduced(full)), os.MkdirAll(*screenshots, 0o777),
		os.WriteFile(filepath.Join(*screenshots, name+".png"), small.Bytes(), 0o666)); err != nil {
		p.t.Fatal(err)
	}
}

// reduced returns a picture in its 256 most frequent colours, which makes it a third as large.
func reduced(full image.Image) image.Image {
	b, count := full.Bounds(), make(map[color.Color]int)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			count[full.At(x, y)]++
		}
	}
	colors := slices.SortedFunc(maps.Keys(count), func(a, b color.Color) int { return count[b] - count[a] })
	small := image.NewPaletted(b, colors[:min(len(colors), 256)])
	draw.Draw(small, b, full, b.Min, draw.Src)
	return small
}

// states are what a reader can find.
func states() map[string]live.Status {
	started := time.Date(2026, 11, 23, 6, 12, 9, 0, time.UTC)
	now := started.Add(26 * time.Hour)
	hour := live.Hour{Until: now.Truncate(time.Minute).Add(time.Minute), StepSeconds: 60}
	for i := range int64(60) {
		wave := (i*i*7 + i*13) % 29
		hour.Bytes, hour.Results = append(hour.Bytes, (wave+i/3+4)*300<<20), append(hour.Results, wave+20)
		hour.AgeSeconds = append(hour.AgeSeconds, float64(2+wave/4+max(i-48, 0)*(60-i)/2))
		failed := int64(0)
		if i > 40 && i < 46 {
			failed = 46 - i
		}
		hour.Failed, hour.Returned = append(hour.Failed, failed/3), append(hour.Returned, failed)
	}
	size := func(n int64) *int64 { return &n }
	done := func(i int, o pipeline.Outcome, key string, bytes int64) live.Done {
		d := live.Done{At: now.Add(-time.Duration(i*i) * time.Second), Outcome: o, Bucket: "photos", Key: key, Seconds: float64(bytes) / (180 << 20), Digests: map[string]string{}}
		if o != pipeline.Removed {
			d.Size = size(bytes)
			d.Digests["md5"] = sample.MD5([]byte(key))
			d.Digests["sha256"] = sample.MD5([]byte("a"+key)) + sample.MD5([]byte("b"+key))
		}
		return d
	}
	results := []live.Done{
		done(1, pipeline.Recorded, "2026/11/harbour-panorama.tif", 412<<20),
		done(2, pipeline.Recorded, "2026/11/IMG_2041.dng", 61<<20),
		done(3, pipeline.Removed, "tmp/upload-1.part", 0),
		done(4, pipeline.Removed, "tmp/upload-2.part", 0),
		done(5, pipeline.Current, "2026/10/contract scans.pdf", 9<<20),
		done(6, pipeline.Removed, "tmp/upload-3.part", 0),
		done(7, pipeline.Recorded, "2026/11/IMG_2040.dng", 59<<20),
		done(8, pipeline.Recorded, "2026/11/interview, take 3.wav", 1300<<20),
	}
	empty := live.Status{StartedAt: started, Waiting: &live.Waiting{Bound: live.About}, LastHour: live.Hour{
		Until: hour.Until, StepSeconds: 60, Bytes: make([]int64, 60), Results: make([]int64, 60), Failed: make([]int64, 60), Returned: make([]int64, 60), AgeSeconds: make([]float64, 60),
	}}
	calm := live.Status{
		StartedAt: started, Totals: live.Totals{Summed: 18204, Bytes: 3_412 << 30, Current: 371, Removed: 12}, Results: results,
		Waiting: &live.Waiting{Bound: live.About}, LastHour: hour,
	}
	busy := calm
	busy.InWorkCount, busy.BytesPerSecond, busy.BytesLeft = 3, 640<<20, size(25<<30-100<<20)
	busy.InWork = []live.Work{
		{Bucket: "scans", Key: "reel-0117/scan-master.mov", Size: size(48 << 30), Read: 31 << 30, StartedAt: now.Add(-time.Minute)},
		{Bucket: "photos", Key: "2026/11/night-sky-timelapse.mp4", Size: size(9 << 30), Read: 2 << 30, StartedAt: now.Add(-9 * time.Second)},
		{Bucket: "photos", Key: "incoming/interview, take 4.wav", Size: size(1300 << 20), Read: 700 << 20, StartedAt: now.Add(-3 * time.Second)},
	}
	failing := busy
	failing.InWork = []live.Work{{Bucket: "photos", Key: "incoming/unknown-length.bin", Read: 700 << 20, StartedAt: now.Add(-3 * time.Second)}}
	failing.InWorkCount, failing.BytesLeft = 1, nil
	failing.Totals.Failed, failing.Totals.Mismatched = 14, 1
	fail := func(kind live.Kind, key, reason string, final bool) live.Failure {
		return live.Failure{At: now.Add(-14 * time.Minute), Bucket: "scans", Key: key, Kind: kind, Reason: reason, Final: final, Attempt: 4}
	}
	failing.Failures = []live.Failure{
		fail(live.KindPermission, "reel-0090/scan.mov", `open scans/reel-0090/scan.mov: access denied: this program needs s3:GetObject on the bucket "scans"`, true),
		fail(live.KindPermission, "reel-0091/scan.mov", `open scans/reel-0091/scan.mov: access denied: this program needs s3:GetObject on the bucket "scans"`, true),
		fail(live.KindMismatch, "reel-0066/audio.wav", "the content is not what its store claims: content-md5 says 9e107d9d372bb6826bd81d3542a419d6, the content has e4d909c290d0fb1ca068ffaddf22cbd0", true),
		fail("", "reel-0118/scan.mov", "read scans/reel-0118/scan.mov: the store has a fault: 503 Service Unavailable", false),
	}
	for i := range 9 {
		failing.Failures = append(failing.Failures, fail(live.KindMissing, fmt.Sprintf("gone/%d.jpg", i), "no such object", true))
	}
	return map[string]live.Status{"empty": empty, "calm": calm, "busy": busy, "failing": failing}
}
