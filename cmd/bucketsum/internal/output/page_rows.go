package output

import (
	"github.com/bucketsum/bucketsum/handlers/web/markup"
	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// table lists the objects that are not fine, the worst first. It is the part that can be long.
func (s *page) table() []markup.HTML {
	var (
		all   int64
		order = s.tally.order()
	)
	for state, v := range s.tally.states {
		if s.pass.weigh(state) != fine {
			all += v.objects
		}
	}
	if all == 0 {
		return nil
	}
	option := func(state sweep.State) markup.HTML {
		n := len(s.rows[state])
		return markup.When(n > 0, "<option value=\"", plain(string(state)), "\">", plain(string(state)), " (", markup.Count(int64(n)), ")</option>")
	}
	parts := []markup.HTML{`<section>
<h2>`, markup.Text(capital(s.pass.noun())), `s to look at <span class="count" id="shown">`, markup.Count(int64(s.kept)), `</span></h2>
`, markup.When(int64(s.kept) < all, `<p class="note">There are `, markup.Count(all), ` of them. The first `, markup.Count(int64(s.kept)),
		` are here, the worst states first. <code>--format json</code> lists every object.</p>
`), `<form class="controls" id="controls" hidden>
<label>Find <input type="search" id="find" autocomplete="off" autocapitalize="off" spellcheck="false" placeholder="key or reason"></label>
<label>State <select id="state"><option value="">all</option>`, markup.Each(order, option), `</select></label>
</form>
<table class="rows" id="rows">
<thead><tr><th scope="col">State</th><th scope="col">Object</th><th scope="col" class="number">Size</th><th scope="col">Modified</th><th scope="col">Why</th></tr></thead>
<tbody>
`}
	rank := int64(0)
	for _, state := range order {
		for _, r := range s.rows[state] {
			parts = append(parts, s.row(r, rank))
		}
		rank++
	}
	return append(parts, `</tbody>
</table>
<p class="note" id="nothing" hidden>No object matches.</p>
</section>
`)
}

// row shows an object. The cells' data-v are what they are sorted by.
func (s *page) row(r sweep.Row, rank int64) markup.HTML {
	bucket := ""
	if len(s.pass.Buckets) > 1 {
		bucket = r.Bucket
	}
	size, modified := markup.HTML(`<td class="number" data-v="-1"></td>`), markup.HTML(`<td data-v=""></td>`)
	if r.Size != nil {
		size = markup.Join(`<td class="number" data-v="`, markup.Number(*r.Size), `">`, markup.Text(readable.Bytes(*r.Size)), `</td>`)
	}
	if r.Modified != nil {
		day := r.Modified.UTC()
		modified = markup.Join(`<td class="day" data-v="`, markup.Text(day.Format("2006-01-02T15:04:05")), `">`, markup.Text(day.Format("2006-01-02")), `</td>`)
	}
	return markup.Join(`<tr data-state="`, plain(string(r.State)), `"><td data-v="`, markup.Number(rank), `">`, badge(s.pass, r.State), `</td><td>`,
		markup.Name(bucket, r.Key), `</td>`, size, modified, `<td class="why">`, why(r), "</td></tr>\n")
}

// why says what is wrong with an object.
func why(r sweep.Row) markup.HTML {
	sums := markup.Each(unsaid(r), func(algorithm string) markup.HTML {
		found := r.Checksums[algorithm]
		return markup.Join(`<b>`, markup.Foreign(algorithm), `</b>`,
			markup.When(found != "", `<span>found</span><code>`, markup.Foreign(found), `</code>`),
			`<span>expected</span><code>`, markup.Foreign(r.Expected[algorithm]), `</code>`)
	})
	return markup.Join(
		markup.When(r.Noncurrent, `<p>version <code>`, markup.Foreign(r.VersionID), `</code></p>`),
		markup.When(r.From != "", `<p>listed as `, markup.Name("", r.From), `</p>`),
		markup.When(r.Reason != "", `<p>`, markup.Foreign(clip(r.Reason)), `</p>`),
		markup.When(sums != "", `<div class="sums">`, sums, `</div>`))
}
