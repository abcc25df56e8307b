package page

import (
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
)

// The constant parts of the page, and its sections.

const pageTop markup.HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M2 3h12l-2 11H4z' fill='%230a7d6c'/%3E%3Cpath d='M5 8.5l2 2 4-4' fill='none' stroke='%23fff' stroke-width='1.6'/%3E%3C/svg%3E">
`

const (
	shownWork = 4
	// longWork is how long an object must be in work before it is listed: others would only flicker.
	longWork = time.Second
)

func header(c Config, status live.Status, state markup.HTML) markup.HTML {
	return markup.Join("<header>\n", `<a class="skip" href="#tools">To the checksum of a file</a>`, "\n<div class=\"line\"><h1>bucketsum</h1>\n", `<p class="meta">`, markup.Text(c.Version),
		markup.When(c.Live, ` · since `, markup.Time(status.StartedAt)), "</p>",
		markup.When(c.Live, `
<p id="live"></p>
<noscript><p class="note">Reload the page to see newer results. Its buttons need JavaScript.</p></noscript>`),
		"\n</div>\n", markup.When(c.Live, state), "</header>\n")
}

// work shows what the program does. The script updates the elements marked data-live.
func work(c Config, status live.Status) markup.HTML {
	var long []live.Work
	for _, w := range status.InWork {
		if time.Since(w.StartedAt) >= longWork && len(long) < shownWork {
			long = append(long, w)
		}
	}
	return markup.Join(`
<main>
`, markup.When(c.Actions == TokenActions, tokenForm), plots(status.LastHour), `<section id="work-section" data-live-hidden`, markup.When(len(long) == 0, " hidden"), `>
<h2>In work <span class="count" id="work-count" data-live><span>`, markup.Count(int64(status.InWorkCount)), `</span></span></h2>
<ul id="work" class="rows" data-live>`, markup.Each(long, workRow), `
</ul>
</section>
<section id="failures-section" data-live-hidden`, markup.When(len(status.Failures) == 0, " hidden"), `>
<h2>Failures <span class="note" id="acted"></span></h2>
<ul id="failures" class="groups" data-live>`, failures(c, status.Failures), `
</ul>
</section>
<section>
`, results(c, status), `
</section>
</main>`)
}

const tokenForm markup.HTML = `<form id="token" class="fields card" hidden><label>Token of the worker (--token-file) <input type="password" name="token" autocomplete="off" required></label>
<button>Use it</button> <span class="note">It is kept until the page is closed.</span></form>
`

func results(c Config, status live.Status) markup.HTML {
	rows := resultRows(c.Query, status.Results)
	switch {
	case rows == "" && c.Query != (Query{}):
		rows = "\n" + `<li class="none">No such result among the last ones.</li>`
	case rows == "":
		rows = markup.Join("\n", `<li class="none">Nothing yet. `, first(c.Flow), `</li>`)
	}
	var options []markup.HTML
	for _, o := range outcomes {
		options = append(options, markup.Join(`<option value="`, o.value, `"`, markup.When(string(o.value) == c.Query.Outcome, " selected"), `>`, o.name, `</option>`))
	}
	return markup.Join(`<div class="line"><h2 id="results-title">Results <span class="note" id="held"></span></h2>
<form id="filter" class="filter" method="get" role="search">
<label><span class="unseen">Outcome</span> <select name="outcome">`, markup.Join(options...), `</select></label>
<label><span class="unseen">Part of a name, or a checksum</span> <input type="search" name="q" placeholder="name or checksum" maxlength="4096" value="`, markup.Text(c.Query.Text), `"></label>
<button class="quiet">Show</button>
</form></div>
<ol id="results" class="rows" data-live aria-labelledby="results-title">`, rows, `
</ol>`)
}

// first says how to make the first result.
func first(f Flow) markup.HTML {
	if f.First == "" {
		return "When an event of a new object arrives in the queue, its checksum will appear here."
	}
	return markup.Join(`Type <code>`, markup.Foreign(f.First), `</code> and its checksum will appear here.`)
}

func upload(c Config) markup.HTML {
	note := markup.HTML("The file is read and not stored.")
	if c.Put != "" && c.Actions != NoActions {
		note = markup.Join(`<label hidden id="put-label"><input type="checkbox" id="put" value="`, markup.Text(c.Put),
			`"> also put it into <b>`, markup.Foreign(c.Put), `</b></label>`)
	}
	return markup.Join(`<section>
<h2>Checksum of a file</h2>
<form id="upload" method="post" action="md5" enctype="multipart/form-data">
<label class="drop" id="drop"><span id="drop-text">Choose a file</span> <input type="file" name="file" id="file" required></label>
<button id="upload-button">MD5</button>
<p class="note">`, note, `</p>
</form>
<ol id="uploads" class="rows" aria-live="polite"></ol>
</section>`)
}

func lookup(buckets []string) markup.HTML {
	option := func(bucket string) markup.HTML { return markup.Join("<option>", markup.Text(bucket), "</option>") }
	return markup.Join(`
<section>
<h2>Record of an object</h2>
<form id="lookup" class="fields" method="get" action="records">
<label>Bucket <select name="bucket">`, markup.Each(buckets, option), `</select></label>
<label>Key <input name="key" required maxlength="4096" autocomplete="off" autocapitalize="off" spellcheck="false"></label>
<button>Look up</button>
</form>
<div id="lookup-answer" aria-live="polite"></div>
</section>`)
}

// programs names the routes. The ways of clients are in docs/http.md.
func programs(c Config) markup.HTML {
	route := func(route, what markup.HTML) markup.HTML {
		return markup.Join("\n<dt>", route, "</dt>\n<dd>", what, "</dd>")
	}
	return markup.Join(`
<section class="programs">
<h2>For programs</h2>
<dl>`,
		route("<code>POST /md5</code>", `a form with the file in its field <code>file</code>: <code>{"md5_checksum":"…"}</code>`),
		route("<code>POST /v1/checksums?algorithms=…</code>", "other checksums of a body"),
		markup.When(len(c.Buckets) > 0, route("<code>GET /v1/records/BUCKET/KEY</code>", "the record of an object, or status 404")),
		markup.When(c.Live, route(`<a href="status"><code>GET /status</code></a>`, "the content of this page as JSON")),
		markup.When(c.Events, route("<code>GET /v1/events</code>", "results and failures as they happen")),
		route(`<a href="health"><code>GET /health</code></a>`, `<code>{"status":"ok"}</code>, or status 503 with the reason`), `
</dl>
</section>`)
}
