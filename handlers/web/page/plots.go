package page

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// plots shows the last hour. Each plot has its numbers as text, too: a picture alone says nothing to a screen reader.
func plots(h live.Hour) markup.HTML {
	failures := make([]int64, len(h.Failed))
	for i := range failures {
		failures[i] = h.Failed[i] + h.Returned[i]
	}
	ages := make([]int64, len(h.AgeSeconds))
	for i, s := range h.AgeSeconds {
		ages[i] = int64(s * 1000)
	}
	number := func(n int64) string { return string(markup.Count(n)) }
	return markup.Join(`<section class="plots" id="plots" data-live aria-label="The last hour">`,
		plot(h, "Read each minute", h.Bytes, readable.Bytes, true, ""),
		plot(h, "Longest wait", ages, waited, false, ""),
		plot(h, "Failed attempts", failures, number, true, " bad"),
		"\n</section>\n")
}

// plot draws a bar for each minute.
func plot(h live.Hour, title markup.HTML, values []int64, show func(int64) string, sums bool, class markup.HTML) markup.HTML {
	if len(values) == 0 {
		return ""
	}
	most, sum := slices.Max(values), int64(0)
	const width, height = 4, 40
	var bars strings.Builder
	for i, v := range values {
		sum += v
		if v > 0 {
			y := max(float64(v)/float64(most)*height, 1.5)
			fmt.Fprintf(&bars, "M%d %dv-%.1fh3v%.1fz", i*width, height, y, y)
		}
	}
	text := "nothing in the last hour"
	if most > 0 {
		minutes := (len(values) - 1 - slices.Index(values, most)) * h.StepSeconds / 60
		when := fmt.Sprintf("%d min ago", minutes)
		if minutes == 0 {
			when = "now"
		}
		text = fmt.Sprintf("%s (%s)", show(most), when)
		if now := values[len(values)-1]; minutes > 0 && now > 0 {
			text += ", now " + show(now)
		}
		switch {
		case sums && sum > most:
			text = fmt.Sprintf("%s in the last hour, at most %s", show(sum), text)
		case sums && minutes == 0:
			text = show(sum) + " in the last hour"
		}
	}
	return markup.Join("\n", `<figure class="plot`, markup.When(most > 0, class), `"><figcaption>`, title, `</figcaption>`,
		`<svg viewBox="0 0 240 40" preserveAspectRatio="none" role="img" aria-label="`, title, ": ", markup.Text(text), `">`,
		`<path class="base" d="M0 39.5h240"/><path class="bars" d="`, markup.HTML(bars.String()), `"/></svg>`,
		`<p class="note" aria-hidden="true">`, markup.Text(text), `</p></figure>`)
}

// waited shows a time in milliseconds in its largest unit.
func waited(n int64) string {
	switch n /= 1000; {
	case n < 1:
		return "< 1 s"
	case n < 120:
		return fmt.Sprintf("%d s", n)
	case n < 7200:
		return fmt.Sprintf("%d min", n/60)
	default:
		return fmt.Sprintf("%d h", n/3600)
	}
}
