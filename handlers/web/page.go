package web

import (
	_ "embed"
	"maps"
	"net/http"
	"slices"

	"github.com/bucketsum/bucketsum/handlers/web/markup"
)

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// page is the page for people. It works without its script. The script fetches the page again and replaces the
// parts that changed, so content from outside is escaped only here.
type page struct {
	config Config
	policy string // Content-Security-Policy
}

func newPage(config Config) *page {
	return &page{
		config: config,
		// Only the page's own style, script and server, and the icon in the page.
		policy: "default-src 'none'; script-src " + markup.Source(pageScript) + "; style-src " + markup.Source(pageStyle) +
			"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	}
}

func (p *page) render(status Status) []byte {
	live := p.config.Status != nil
	buckets := slices.Sorted(maps.Keys(p.config.Records)) // whose records can be looked up
	return []byte(markup.Join(
		pageTop, "<style>", markup.HTML(pageStyle), "</style>\n</head>\n<body>\n",
		p.header(live, status),
		`<div class="columns`, markup.When(!live, " single"), `">`,
		markup.When(live, work(status)),
		"\n<aside>\n", pageUpload, markup.When(len(buckets) > 0, lookup(buckets)), programs(live, len(buckets) > 0),
		"\n</aside>\n</div>\n", `<p id="said" class="said" role="status"></p>`,
		"\n<script>", markup.HTML(pageScript), "</script>\n</body>\n</html>\n",
	))
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	var status Status
	if p.config.Status != nil {
		status = p.config.Status()
	}
	w.Header().Set("Content-Security-Policy", p.policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	serve(w, r, "text/html; charset=utf-8", p.render(status))
}
