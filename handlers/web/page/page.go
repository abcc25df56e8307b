// Package page is the page for people.
package page

import (
	_ "embed"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
)

var (
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// Config says what the page has.
type Config struct {
	Version string
	Live    bool     // it shows a Status; otherwise only forms
	Buckets []string // whose records can be looked up
}

// Policy is the Content-Security-Policy of the page: only its own style, script and server, and the icon in it.
var Policy = "default-src 'none'; script-src " + markup.Source(pageScript) + "; style-src " + markup.Source(pageStyle) +
	"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Render returns the page. It works without its script. The script fetches the page again and replaces the parts
// that changed, so content from outside is escaped only here.
func Render(c Config, status live.Status) []byte {
	return []byte(markup.Join(
		pageTop, "<style>", markup.HTML(pageStyle), "</style>\n</head>\n<body>\n",
		header(c, status),
		`<div class="columns`, markup.When(!c.Live, " single"), `">`,
		markup.When(c.Live, work(status)),
		"\n<aside>\n", pageUpload, markup.When(len(c.Buckets) > 0, lookup(c.Buckets)), programs(c.Live, len(c.Buckets) > 0),
		"\n</aside>\n</div>\n", `<p id="said" class="said" role="status"></p>`,
		"\n<script>", markup.HTML(pageScript), "</script>\n</body>\n</html>\n",
	))
}
