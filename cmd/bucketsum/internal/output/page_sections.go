package output

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

const pageIcon markup.HTML = `<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M2 3h12l-2 11H4z' fill='%230a7d6c'/%3E%3Cpath d='M5 8.5l2 2 4-4' fill='none' stroke='%23fff' stroke-width='1.6'/%3E%3C/svg%3E">
`

// title says what was done with which buckets.
func (p Pass) title() string { return string(p.Command) + " " + strings.Join(p.Buckets, ", ") }

func (s *page) head(e End) markup.HTML {
	return markup.Join("<header>\n<p class=\"product\">bucketsum ", markup.Text(string(s.pass.Command)), "</p>\n<h1>",
		markup.Foreign(strings.Join(s.pass.Buckets, ", ")), "</h1>\n<p class=\"when\">", markup.Time(e.At), "</p>\n</header>\n")
}

var manyDigits = regexp.MustCompile(`[0-9]{4,}`)

// separated escapes a text, and separates the thousands of its numbers.
func separated(s string) markup.HTML {
	return markup.HTML(manyDigits.ReplaceAllStringFunc(string(markup.Text(s)), func(digits string) string {
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return digits
		}
		return string(markup.Count(n))
	}))
}

// worst returns the weight that decides the colour of the verdict.
func (s *page) worst(e End) weight {
	worst := fine
	switch {
	case e.Stopped != "":
		worst = unchecked
	case len(s.tally.states) == 0:
		worst = noted
	}
	for state := range s.tally.states {
		if w := s.pass.weigh(state); w != noted {
			worst = max(worst, w)
		}
	}
	return worst
}

// class of elements for a weight.
func (w weight) class() markup.HTML {
	return [...]markup.HTML{fine: "fine", noted: "noted", unchecked: "unchecked", failed: "failed"}[w]
}

func (s *page) verdict(e End) markup.HTML {
	sign := [...]markup.HTML{
		fine:      `<path d="M7 12.5l3.5 3.5L17 9"/>`,
		noted:     `<path d="M12 11.5v5M12 7v.5"/>`,
		unchecked: `<path d="M12 7v6M12 16.5v.5"/>`,
		failed:    `<path d="M8 8l8 8M16 8l-8 8"/>`,
	}
	w := s.worst(e)
	return markup.Join(`<section class="verdict `, w.class(), `">
<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="11"/>`, sign[w], `</svg>
<div>
<h2>`, separated(s.tally.sentence(s.pass, e)), `</h2>
<p>`, s.pass.what(), ` The exit status is `, markup.Number(int64(s.pass.Status(s.tally.totals(), e.Stopped == ""))), `.</p>`,
		markup.When(e.Stopped != "", `
<p><strong>The pass is not complete:</strong> `, markup.Foreign(capital(e.Stopped)), `</p>`), `
</div>
</section>
`)
}

// what says in a sentence what the pass did.
func (p Pass) what() markup.HTML {
	switch {
	case p.Command == sweep.Backfill:
		return "Objects without a current record were read, and got one."
	case p.Command == sweep.Manifest:
		return "The checksums were taken from the records. Nothing was read again."
	case p.List != "" && p.Options.RecordsOnly:
		return markup.Join("The records were compared with the list ", markup.Foreign(p.List), ". The content was not read.")
	case p.List != "":
		return markup.Join("The content was read and compared with the list ", markup.Foreign(p.List), ".")
	case p.Options.RecordsOnly:
		return "Versions and sizes were compared with the records. The content was not read."
	}
	if p.Options.Versions {
		return "Every version was read. Current ones were compared with the records, and all with the checksums that the store has."
	}
	return "The content was read and compared with the records, and with the checksums that the store has."
}

func (s *page) totals(e End) markup.HTML {
	var (
		all      = s.tally.objects()
		by       = s.tally.weighing(s.pass)
		duration = s.pass.duration(e)
		fact     = func(class, name, value markup.HTML) markup.HTML {
			return markup.Join("<div", class, "><dt>", name, "</dt><dd>", value, "</dd></div>\n")
		}
		bad = by[failed]
	)
	return markup.Join("<dl class=\"totals\">\n",
		fact("", "In the bucket", markup.Count(all.objects)),
		fact("", "Size", markup.Text(readable.Bytes(all.bytes))),
		fact(markup.When(bad > 0, ` class="failed"`), "Need attention", markup.Count(bad)),
		markup.When(by[unchecked] > 0, fact(` class="unchecked"`, "Not checked", markup.Count(by[unchecked]))),
		markup.When(s.tally.uncompared > 0, fact("", "Read without a claim", markup.Count(s.tally.uncompared))),
		fact("", "Data read", markup.Text(readable.Bytes(s.tally.read))),
		fact("", "Duration", markup.Text(readable.Duration(duration.Round(time.Second)))),
		markup.When(s.tally.read > 0 && !e.Resumed && duration >= time.Second, fact("", "Rate", markup.Text(strings.TrimPrefix(rate(s.tally.read, duration), ", ")))),
		"</dl>\n")
}

func badge(p Pass, state sweep.State) markup.HTML {
	return markup.Join(`<span class="badge `, p.weigh(state).class(), `">`, markup.Foreign(string(state)), `</span>`)
}

// states is the table of states, with what to do.
func (s *page) states() markup.HTML {
	order := s.tally.order()
	if len(order) == 0 {
		return ""
	}
	var all int64
	for _, v := range s.tally.states {
		all += v.objects
	}
	noun := markup.Text(capital(s.pass.noun()) + "s")
	row := func(state sweep.State) markup.HTML {
		v := s.tally.states[state]
		what, next := s.pass.meaning(state)
		return markup.Join("<tr><th scope=\"row\">", badge(s.pass, state), "</th><td class=\"number\">", markup.Count(v.objects),
			"</td><td class=\"number size\">", markup.When(v.bytes > 0, markup.Text(readable.Bytes(v.bytes))), `</td><td class="part"><svg class="`,
			s.pass.weigh(state).class(), `" role="img" aria-label="`, percent(v.objects, all), `"><rect width="100%" height="8"/><rect width="`,
			width(v.objects, all), `" height="8"/></svg></td><td>`, markup.Text(sentence(what)), markup.When(next != "", " <b>", markup.Text(next), "</b>"),
			"</td></tr>\n")
	}
	return markup.Join(`<section>
<h2>`, noun, ` by state</h2>
<table class="states">
<thead><tr><th scope="col">State</th><th scope="col" class="number">`, noun, `</th><th scope="col" class="number size">Size</th><th scope="col">Share</th><th scope="col">What it means, and what to do</th></tr></thead>
<tbody>
`, markup.Each(order, row), "</tbody>\n</table>\n</section>\n")
}

func percent(n, of int64) markup.HTML {
	return markup.Text(fmt.Sprintf("%.1f %%", 100*float64(n)/float64(max(of, 1))))
}

// width is a percentage that can be seen.
func width(n, of int64) markup.HTML {
	return markup.Text(fmt.Sprintf("%.2f%%", max(100*float64(n)/float64(max(of, 1)), 1)))
}

// storage is the table of storage classes, if any has a name.
func (s *page) storage() markup.HTML {
	var names []string
	for name := range s.classes {
		names = append(names, name)
	}
	if len(names) == 0 || len(names) == 1 && names[0] == "" {
		return ""
	}
	slices.SortFunc(names, func(a, b string) int {
		if x, y := s.classes[a].bytes, s.classes[b].bytes; x != y {
			return int(max(min(y-x, 1), -1))
		}
		return strings.Compare(a, b)
	})
	all := s.tally.objects()
	row := func(name string) markup.HTML {
		v := s.classes[name]
		shown := markup.Foreign(name)
		if name == "" {
			shown = "usual, or not known"
		}
		return markup.Join("<tr><th scope=\"row\">", shown, "</th><td class=\"number\">", markup.Count(v.objects), "</td><td class=\"number\">",
			markup.Text(readable.Bytes(v.bytes)), `</td><td class="part"><svg class="fine" role="img" aria-label="`, percent(v.bytes, all.bytes),
			`"><rect width="100%" height="8"/><rect width="`, width(v.bytes, all.bytes), `" height="8"/></svg></td></tr>`, "\n")
	}
	return markup.Join(`<section>
<h2>Storage classes</h2>
<table class="classes">
<thead><tr><th scope="col">Class</th><th scope="col" class="number">Objects</th><th scope="col" class="number">Size</th><th scope="col">Share</th></tr></thead>
<tbody>
`, markup.Each(names, row), "</tbody>\n</table>\n</section>\n")
}

// method says how the pass was made.
func (s *page) method(e End) markup.HTML {
	o, name := s.pass.Options, cmp.Or(s.pass.Name, e.Pass)
	line := func(name, value markup.HTML) markup.HTML {
		return markup.When(value != "", "<div><dt>", name, "</dt><dd>", value, "</dd></div>\n")
	}
	names := func(all []string) markup.HTML {
		return markup.Each(all, func(s string) markup.HTML { return markup.Join("<code>", markup.Foreign(s), "</code> ") })
	}
	at := func(t time.Time) markup.HTML {
		if t.IsZero() {
			return ""
		}
		return markup.Time(t)
	}
	return markup.Join("<section>\n<h2>How it was checked</h2>\n<dl class=\"method\">\n",
		line("Command", names([]string{"bucketsum " + string(s.pass.Command)})),
		line("Buckets", names(s.pass.Buckets)),
		markup.When(name != "", line("Pass", names([]string{name}))),
		line("Begun", at(s.pass.begun(e))),
		line("Ended", at(e.At)),
		markup.When(s.pass.List != "", line("Compared with", names([]string{s.pass.List}))),
		line("Algorithms", names(o.Algorithms)),
		markup.When(o.Prefix != "", line("Prefix", names([]string{o.Prefix}))),
		line("Only", names(o.Include)),
		line("Without", names(o.Exclude)),
		line("Modified after", at(o.Newer)),
		markup.When(o.Larger > 0, line("Larger than", markup.Text(readable.Bytes(o.Larger)))),
		markup.When(o.Sample > 0 && o.Sample < 1, line("Sample", markup.Text(fmt.Sprintf("%g %% of the objects, chosen by their keys", 100*o.Sample)))),
		markup.When(o.Versions, line("Versions", "all, not only the current ones")),
		line("Last verified before", at(o.VerifiedBefore)),
		markup.When(s.pass.Strict, line("Strict", "new and archived objects count as faults")),
		line("Program", markup.Foreign("bucketsum "+s.pass.Version)),
		"</dl>\n</section>\n")
}

func (s *page) foot() markup.HTML {
	return "<footer><p>This page is complete in itself: it loads nothing, and can be kept beside the collection.</p></footer>\n"
}
