package output

import (
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// month counts months since the beginning of the calendar.
type month int

func monthOf(t time.Time) month { return month(t.Year()*12 + int(t.Month()) - 1) }

func (m month) year() int { return int(m) / 12 }

func (m month) String() string {
	return fmt.Sprintf("%s %d", time.Month(m%12+1), m.year())
}

// aged is what was last modified in a month.
type aged struct{ all, bad volume }

// The years that are told apart: files have times of any year.
const (
	firstYear = 1970
	lastYear  = 2100
)

// age counts an object by the month in which it was modified.
func (s *page) age(r sweep.Row, w weight) {
	if r.Modified == nil {
		return
	}
	t := r.Modified.UTC()
	m := min(max(monthOf(t), firstYear*12), lastYear*12+11)
	a := s.months[m]
	if a == nil {
		a = new(aged)
		s.months[m] = a
	}
	a.all.add(r)
	if w == failed || w == unchecked {
		a.bad.add(r)
	}
}

const (
	mostMonths  = 72 // more are drawn as years
	chartHeight = 180
	chartTop    = 8
	roomForYear = 11 // percent of the width that the name of a year takes on a phone
)

// bar is a month or a year of the chart.
type bar struct {
	name  string
	year  int
	month float64 // of the year, from 0
	aged
}

// bars returns one for each month or year from the first that has objects to the last, at least a year.
func (s *page) bars() (bars []bar, unit string) {
	first, last := month(lastYear*12+11), month(0)
	for m := range s.months {
		first, last = min(first, m), max(last, m)
	}
	if last-first >= mostMonths {
		for y := first.year(); y <= last.year(); y++ {
			bars = append(bars, bar{name: fmt.Sprint(y), year: y})
		}
		for m, a := range s.months {
			b := &bars[m.year()-first.year()]
			b.all = volume{b.all.objects + a.all.objects, b.all.bytes + a.all.bytes}
			b.bad = volume{b.bad.objects + a.bad.objects, b.bad.bytes + a.bad.bytes}
		}
		return bars, "year"
	}
	first = min(first, last-11)
	for m := first; m <= last; m++ {
		b := bar{name: m.String(), year: m.year(), month: float64(m % 12)}
		if a := s.months[m]; a != nil {
			b.aged = *a
		}
		bars = append(bars, b)
	}
	return bars, "month"
}

// overTime draws how much was modified when. Its positions are percentages, so that it fits every width and its
// text keeps its size.
func (s *page) overTime() markup.HTML {
	if len(s.months) == 0 {
		return ""
	}
	bars, unit := s.bars()
	var most int64
	faults := false
	for _, b := range bars {
		most = max(most, b.all.bytes)
		faults = faults || b.bad.objects > 0
	}
	if most == 0 {
		return "" // only empty objects
	}
	step := int64(1)
	for step < (most+2)/3 {
		step *= 2
	}
	lines := (most + step - 1) / step
	height := func(bytes int64) float64 { return float64(bytes) / float64(step*lines) * (chartHeight - chartTop) }

	var scale, drawn, table []markup.HTML
	for i := range lines + 1 {
		y := chartHeight - height(i*step)
		drawn = append(drawn, markup.Join(`<line x1="0" x2="100%" y1="`, decimal(y), `" y2="`, decimal(y), `"/>`))
		scale = append(scale, `<text x="100%" y="`, decimal(y+4), `">`, markup.Text(readable.Bytes(i*step)), `</text>`)
	}
	slot := 100 / float64(len(bars))
	labelled := -100.0 // where the last year is named
	for i, b := range bars {
		left := slot * float64(i)
		if begins := unit == "year" || i == 0 || bars[i-1].year != b.year; begins && left-labelled >= roomForYear &&
			(i > 0 || unit == "year" || 12-b.month > roomForYear/slot) {
			labelled = left
			drawn = append(drawn, `<text x="`, decimal(left), `%" y="`, markup.Number(chartHeight+18), `">`, markup.Number(int64(b.year)), `</text>`)
		}
		if b.all.objects == 0 {
			continue
		}
		says := markup.Text(fmt.Sprintf("%s: %s in %s", b.name, readable.Bytes(b.all.bytes), counted(b.all.objects, s.pass.noun())))
		if b.bad.objects > 0 {
			says = markup.Join(says, markup.Text(fmt.Sprintf("; %d with faults", b.bad.objects)))
		}
		good, bad := height(b.all.bytes-b.bad.bytes), height(b.bad.bytes)
		good = max(good, 1)
		if b.bad.objects > 0 {
			bad = max(bad, 3)
		}
		rect := func(class markup.HTML, y, h float64) markup.HTML {
			return markup.Join(`<rect class="`, class, `" x="`, decimal(left+slot*0.1), `%" width="`, decimal(slot*0.8), `%" y="`, decimal(y), `" height="`, decimal(h), `"/>`)
		}
		drawn = append(drawn, "<g><title>", says, "</title>", rect("fine", chartHeight-good-bad, good+bad),
			markup.When(bad > 0, rect("failed", chartHeight-bad, bad)), "</g>\n")
		table = append(table, "<tr><th scope=\"row\">", markup.Text(b.name), "</th><td class=\"number\">", markup.Count(b.all.objects),
			"</td><td class=\"number\">", markup.Text(readable.Bytes(b.all.bytes)), "</td><td class=\"number\">",
			markup.When(b.bad.objects > 0, markup.Count(b.bad.objects)), "</td></tr>\n")
	}
	label := markup.Text(fmt.Sprintf("Bytes by %s of last modification, from %s to %s", unit, bars[0].name, bars[len(bars)-1].name))
	return markup.Join("<section>\n<h2>Size by ", markup.Text(unit), " of last modification</h2>\n",
		`<div class="chart">
<svg class="scale" aria-hidden="true" width="100%" height="`, markup.Number(chartHeight+26), `">`, markup.Join(scale...), `</svg>
<svg role="img" aria-label="`, label, `" width="100%" height="`, markup.Number(chartHeight+26), `">
`, markup.Join(drawn...), `</svg>
</div>
`, markup.When(faults, `<p class="legend"><span class="swatch"></span> all objects <span class="swatch failed"></span> objects with faults</p>
`), `<details><summary>As a table</summary>
<table class="months">
<thead><tr><th scope="col">Modified</th><th scope="col" class="number">Objects</th><th scope="col" class="number">Size</th><th scope="col" class="number">With faults</th></tr></thead>
<tbody>
`, markup.Join(table...), "</tbody>\n</table>\n</details>\n</section>\n")
}

func decimal(f float64) markup.HTML { return markup.Text(fmt.Sprintf("%.2f", f)) }
