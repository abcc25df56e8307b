package page

import (
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// Flow is how the worker is wired. Its texts are shown as they are, so the URLs in it must not have secrets.
type Flow struct {
	Buckets     []string // URLs, or the path of a folder
	Queue       string   // URL; "in memory" or the like where there is none
	Algorithms  []string
	Records     []string // the names of the records of an object FILE, or where they are
	Results     string   // URL of the topic of results; empty: none
	DeadLetters string   // URL of the topic of dead letters; empty: none
	Mended      bool     // failures that are put right are taken out of the totals
	// First is the command that makes the first object; empty: there is none to name.
	First string
}

// flow shows the stations of an object, with their counts.
func flow(c Config, s live.Status) markup.HTML {
	f, t := c.Flow, s.Totals
	if len(f.Buckets) == 0 {
		f.Buckets = c.Buckets
	}
	failed, _ := failing(s.Failures)
	waiting := markup.HTML("does not say what waits")
	switch w := s.Waiting; {
	case w != nil && w.Count > 0:
		waiting = markup.Text(waits(w))
	case w != nil:
		waiting = "nothing waits"
	}
	removed, given := t.Removed+t.Kept, markup.HTML("since the start")
	if f.Mended {
		given = "left"
	}
	return markup.Join(`<section class="way" aria-label="The way of an object"><ol class="flow" id="flow" data-live>`,
		station(plural(len(f.Buckets), "Bucket"), f.Buckets, "",
			lines(counted(t.Summed, "summed"), markup.Join(markup.Text(readable.Bytes(t.Bytes)), markup.When(removed > 0, ", ", markup.Count(removed), " deleted")))),
		station("Queue", nonEmpty(f.Queue), "", lines(waiting, "")),
		station("Worker", f.Algorithms, "",
			lines(counted(int64(s.InWorkCount), "in work"), markup.Text(speed(s.BytesPerSecond, "")))),
		station("Records", f.Records, "",
			lines(counted(t.Summed, "written"), markup.When(t.Current > 0, counted(t.Current, "were there"))),
			markup.When(t.Mismatched > 0, `<p class="count bad">`, counted(t.Mismatched, "not as claimed"), `</p>`)),
		markup.When(f.Results != "", station("Results", nonEmpty(f.Results), "", lines(counted(t.Summed+t.Current+removed+t.Mismatched, "sent"), ""))),
		markup.When(f.DeadLetters != "" || t.Failed > 0, station("Dead letters", nonEmpty(f.DeadLetters), " off",
			lines(counted(t.Failed, given), markup.When(failed != "", `<span class="bad">`, markup.Text(failed), ` now</span>`)))),
		"\n</ol></section>\n")
}

// station shows one place on the way. The lines of its counts are there even if they are empty, so that nothing
// moves.
func station(name markup.HTML, where []string, class markup.HTML, counts ...markup.HTML) markup.HTML {
	return markup.Join("\n", `<li class="station`, class, `"><h2>`, name, `</h2>`,
		`<p class="where">`, markup.Each(where, func(s string) markup.HTML {
			return markup.Join(`<span>`, markup.Foreign(s), `</span> `)
		}), `</p>`, markup.Join(counts...), `</li>`)
}

func lines(first, second markup.HTML) markup.HTML {
	return markup.Join(`<p class="count">`, first, `</p><p class="count">`, second, `</p>`)
}

func counted(n int64, what markup.HTML) markup.HTML {
	return markup.Join(`<b>`, markup.Count(n), `</b> `, what)
}

func plural(n int, noun markup.HTML) markup.HTML {
	return markup.Join(noun, markup.When(n != 1, "s"))
}

func nonEmpty(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}
