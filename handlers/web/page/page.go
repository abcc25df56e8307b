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
	//go:embed live.js
	liveScript string
	//go:embed tools.js
	toolsScript string

	pageScript = "'use strict';\n" + liveScript + toolsScript
)

// Config says what the page has.
type Config struct {
	Version string
	Live    bool     // it shows a Status; otherwise only forms
	Events  bool     // GET /v1/events tells when the page has changed
	Buckets []string // whose records can be looked up
	Flow    Flow
	Faults  map[string]string // why the process cannot do its work, by the name of the check
	Query   Query
	Actions Actions
	// What can be done, unless Actions is none: retry and dismiss failures, put files into a bucket.
	DeadLetters bool
	Put         string // the bucket; empty: none takes files
}

// Actions says whether something can be changed on the page.
type Actions string

// The values of Actions.
const (
	NoActions    Actions = ""
	OpenActions  Actions = "open"
	TokenActions Actions = "token" // the page asks for the token
)

// Query selects results.
type Query struct {
	Outcome string // see outcomes; empty: all
	Text    string // in the name, or the beginning of a digest; empty: all
}

// Policy is the Content-Security-Policy of the page: only its own style, script and server, and the icon in it.
var Policy = "default-src 'none'; script-src " + markup.Source(pageScript) + "; style-src " + markup.Source(pageStyle) +
	"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Render returns the page. It works without its script. The script fetches the page again and replaces the parts
// that changed, so content from outside is escaped only here.
func Render(c Config, status live.Status) []byte {
	tone, sentence := state(c, status)
	title := markup.HTML("bucketsum")
	if c.Live {
		title = markup.Join(markup.Text(sentence), " – bucketsum")
	}
	return []byte(markup.Join(
		pageTop, "<title>", title, "</title>\n<style>", markup.HTML(pageStyle), "</style>\n</head>\n<body",
		markup.When(c.Events, " data-events"), ` data-actions="`, markup.Text(string(c.Actions)), `">`, "\n",
		header(c, status, markup.Join(`<p id="state" data-live><span class="tone `, markup.HTML(tone), `">`, markup.Text(sentence), "</span></p>\n")),
		markup.When(c.Live, flow(c, status)),
		`<div class="columns`, markup.When(!c.Live, " single"), `">`,
		markup.When(c.Live, work(c, status)),
		`
<aside id="tools" tabindex="-1">
`, upload(c), markup.When(len(c.Buckets) > 0, lookup(c.Buckets)), programs(c),
		"\n</aside>\n</div>\n", `<p id="said" class="unseen" role="status"></p>`,
		"\n<script>", markup.HTML(pageScript), "</script>\n</body>\n</html>\n",
	))
}
