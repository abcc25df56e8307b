package output

import (
	_ "embed"
	"fmt"
	"io"

	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

const (
	// mostRows is how many objects the page lists: more make it slow on a phone.
	mostRows = 5000
	// mostClasses is how many storage classes are told apart.
	mostClasses = 20
)

// page gathers what the page of a pass shows.
type page struct {
	pass    Pass
	file    *file
	tally   tally
	months  map[month]*aged
	classes map[string]volume
	rows    map[sweep.State][]sweep.Row // those that are not fine: the worst, at most mostRows
	kept    int
}

// Page returns a sink that writes a page of HTML when the pass ends: one file that needs nothing else. The file appears as a
// whole. An error means that it cannot be written.
func Page(path string, p Pass) (Sink, error) {
	f, err := createFile(path)
	if err != nil {
		return nil, fmt.Errorf("write the report: %w", err)
	}
	return &page{
		pass: p, file: f,
		months: make(map[month]*aged), classes: make(map[string]volume), rows: make(map[sweep.State][]sweep.Row),
	}, nil
}

func (s *page) Row(r sweep.Row) error {
	s.tally.add(r)
	weight := s.pass.weigh(r.State)
	if present(r.State) {
		s.age(r, weight)
		s.class(r)
	}
	if weight != fine {
		s.keep(r)
	}
	return nil
}

func (s *page) class(r sweep.Row) {
	name := r.Class
	if _, known := s.classes[name]; !known && len(s.classes) >= mostClasses {
		name = "other classes"
	}
	v := s.classes[name]
	v.add(r)
	s.classes[name] = v
}

// keep keeps a row, and gives up the last row of the least bad state if there are too many.
func (s *page) keep(r sweep.Row) {
	s.rows[r.State] = append(s.rows[r.State], r)
	if s.kept++; s.kept <= mostRows {
		return
	}
	s.kept--
	order := s.tally.order()
	for i := len(order) - 1; i >= 0; i-- {
		if rows := s.rows[order[i]]; len(rows) > 0 {
			s.rows[order[i]] = rows[:len(rows)-1]
			return
		}
	}
}

func (s *page) Close(e End) error {
	if e.Refused {
		s.file.abort()
		return nil
	}
	for _, part := range s.render(e) {
		if _, err := io.WriteString(s.file, string(part)); err != nil {
			s.file.abort()
			return fmt.Errorf("write the report: %w", err)
		}
	}
	if err := s.file.commit(); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// plain shows a text from outside where there can be no elements: in attributes and in the title.
func plain(s string) markup.HTML { return markup.Text(readable.Text(s)) }

// policy permits the page's own style and script, and nothing else.
func policy() markup.HTML {
	return markup.Text("default-src 'none'; script-src " + markup.Source(pageScript) + "; style-src " + markup.Source(pageStyle) +
		"; img-src data:; base-uri 'none'; form-action 'none'")
}

func (s *page) render(e End) []markup.HTML {
	title := fmt.Sprintf("%s: %s", s.pass.title(), s.tally.sentence(s.pass, e))
	parts := []markup.HTML{
		`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="`, policy(), `">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="bucketsum `, plain(s.pass.Version), `">
<title>`, plain(title), "</title>\n", pageIcon, "<style>", markup.HTML(pageStyle), "</style>\n</head>\n<body>\n",
		s.head(e), "<main>\n", s.verdict(e), s.totals(e), s.states(),
	}
	if chart, classes := s.overTime(), s.storage(); chart != "" || classes != "" {
		parts = append(parts, `<div class="beside">`, chart, classes, "</div>\n")
	}
	parts = append(parts, s.table()...)
	return append(parts, s.method(e), "</main>\n", s.foot(), "<script>", markup.HTML(pageScript), "</script>\n</body>\n</html>\n")
}
