package page

import (
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
<title>bucketsum</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath d='M2 3h12l-2 11H4z' fill='%230a7d6c'/%3E%3Cpath d='M5 8.5l2 2 4-4' fill='none' stroke='%23fff' stroke-width='1.6'/%3E%3C/svg%3E">
`

const pageUpload markup.HTML = `<section>
<h2>Checksum of a file</h2>
<form id="upload" method="post" action="md5" enctype="multipart/form-data">
<label class="drop" id="drop"><span id="drop-text">Choose a file</span> <input type="file" name="file" id="file" required></label>
<button id="upload-button">MD5</button>
<p class="note">The file is read during the upload and not stored.</p>
</form>
<ol id="uploads" class="rows" aria-live="polite"></ol>
</section>`

func header(c Config, status live.Status) markup.HTML {
	return markup.Join("<header>\n<h1>bucketsum</h1>\n", `<p class="meta">`, markup.Text(c.Version),
		markup.When(c.Live, `<span class="since"> · since `, markup.Time(status.StartedAt), `</span>`), "</p>",
		markup.When(c.Live, `
<p id="live" role="status"></p>
<noscript><p class="note">Reload the page to see newer results.</p></noscript>`),
		"\n</header>\n")
}

// work shows what the program does. The script updates the elements marked data-live.
func work(status live.Status) markup.HTML {
	results := markup.Each(status.Results, resultRow)
	if results == "" {
		results = "\n" + `<li class="none">Nothing yet. Checksums of new objects will appear here.</li>`
	}
	return markup.Join(`
<main>
<dl id="totals" class="totals" data-live>
`, totals(status.Totals), `</dl>
<section id="work-section" data-live-hidden`, markup.When(len(status.InWork) == 0, " hidden"), `>
<h2>In work <span class="count" id="work-count" data-live><span>`, markup.Number(int64(status.InWorkCount)), `</span></span></h2>
<ul id="work" class="rows" data-live>`, markup.Each(status.InWork, workRow), `
</ul>
</section>
<section id="failures-section" data-live-hidden`, markup.When(len(status.Failures) == 0, " hidden"), `>
<h2>Failures</h2>
<ul id="failures" class="rows" data-live>`, markup.Each(status.Failures, failureRow), `
</ul>
</section>
<section>
<h2>Results</h2>
<ol id="results" class="rows" data-live>`, results, `
</ol>
</section>
</main>`)
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

func programs(live, records bool) markup.HTML {
	return markup.Join(`
<section class="programs">
<h2>For programs</h2>
<dl>
<dt><code>POST /md5</code></dt>
<dd>a form with the file in its field <code>file</code>, as <code>curl -F file=@NAME</code> sends it: <code>{"md5_checksum":"…"}</code></dd>`,
		markup.When(live, `
<dt><a href="status"><code>GET /status</code></a></dt>
<dd>the content of this page as JSON</dd>`),
		markup.When(records, `
<dt><code>GET /records?bucket=…&amp;key=…</code></dt>
<dd>the record of an object, or status 404</dd>`), `
<dt><a href="health"><code>GET /health</code></a></dt>
<dd><code>{"status":"ok"}</code>, or status 503 with the reason</dd>
</dl>
</section>`)
}
