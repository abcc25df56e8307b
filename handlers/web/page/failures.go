package page

import (
	"encoding/json"
	"slices"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/markup"
)

// remedies say what a kind of failures is, and what to do about it, in the order in which they are shown. The last
// part is for readers who have the buttons.
var remedies = []struct {
	kind                live.Kind
	title, advice, then markup.HTML
}{
	{live.KindMismatch, "Not what was claimed", "The content differs from a checksum that its store, or a file of yours, states. Do not trust the object: upload it again, or put the file right.", ""},
	{live.KindPermission, "Access is refused", "Let the worker read the object and write its record: permissions of the file and its folder, or the policy of the bucket and its key.", "Then retry."},
	{live.KindMissing, "There is no such object", "It was deleted or renamed before it was read. Upload it again.", "Or dismiss it."},
	{live.KindArchived, "Archived", "Restore the object first. Its restore sends an event of its own.", ""},
	{live.KindUnknownBucket, "The bucket is not configured", "Start the worker with --bucket for it, or stop the events of that bucket.", "Then retry, or dismiss."},
	{live.KindUndecodable, "The message is not an event", "Something else sends to the queue. Find out what.", "Then dismiss the message."},
	{"", "Other reasons", "What is retried needs nothing yet. For the rest, remove the cause that the reason names.", "Then retry."},
}

// shownFailures is how many failures of a kind are shown at once; the others are folded.
const shownFailures = 5

func failures(c Config, all []live.Failure) markup.HTML {
	var groups []markup.HTML
	for _, r := range remedies {
		var of []live.Failure
		for _, f := range all {
			if f.Kind == r.kind {
				of = append(of, f)
			}
		}
		if len(of) == 0 {
			continue
		}
		buttons := actions(c, r.kind, of)
		shown, folded := of[:min(len(of), shownFailures)], of[min(len(of), shownFailures):]
		groups = append(groups, markup.Join("\n", `<li class="group"><div class="line"><h3 id="kind-`, markup.Text(string(r.kind)), `">`, r.title, ` <span class="count">`, markup.Count(int64(len(of))), `</span></h3>`,
			buttons, `</div>`, "\n", `<p class="advice">`, r.advice, markup.When(buttons != "" && r.then != "", `<span hidden data-acts> `, r.then, `</span>`), `</p>`,
			`<ul class="rows">`, markup.Each(shown, failureRow), `</ul>`,
			markup.When(len(folded) > 0, `<details id="more-`, markup.Text(string(r.kind)), `"><summary>`, markup.Count(int64(len(folded))), ` more</summary><ul class="rows">`, markup.Each(folded, failureRow), `</ul></details>`),
			`</li>`))
	}
	return markup.Join(groups...)
}

// actions offers what can be done about failures that are final. The others are still in the queue.
func actions(c Config, kind live.Kind, failures []live.Failure) markup.HTML {
	final := slices.DeleteFunc(slices.Clone(failures), func(f live.Failure) bool { return !f.Final })
	if c.Actions == NoActions || !c.DeadLetters || len(final) == 0 {
		return ""
	}
	match, err := json.Marshal(matches(final))
	if err != nil {
		return "" // cannot happen: strings can be encoded
	}
	button := func(action, name markup.HTML) markup.HTML {
		return markup.Join(`<button type="button" class="quiet" data-action="`, action, `" data-match="`, markup.Text(string(match)), `" aria-describedby="kind-`, markup.Text(string(kind)), `">`, name, `</button>`)
	}
	return markup.Join(`<span class="actions" hidden data-acts>`, button("redrive", "Retry"), button("discard", "Dismiss"), `</span>`)
}

// matches returns for POST /v1/dead-letters what selects the dead letters of these failures: those of their objects,
// or of messages that name none.
func matches(failures []live.Failure) []string {
	var objects, reasons []string
	for _, f := range failures {
		switch {
		case f.Key != "":
			objects = append(objects, "object="+f.Bucket+"/"+f.Key)
		case !slices.Contains(reasons, "reason="+f.Reason):
			reasons = append(reasons, "reason="+f.Reason)
		}
	}
	if len(objects) > 0 {
		return objects // a match of both would select what has both
	}
	return reasons
}

func failureRow(f live.Failure) markup.HTML {
	name := markup.Name(f.Bucket, f.Key)
	if f.Key == "" {
		name = markup.Join(`<span class="name">message `, markup.Foreign(f.MessageID), `</span>`)
	}
	fate := markup.HTML(`<span class="badge wait">will be retried</span>`)
	if f.Final {
		fate = `<strong class="badge">given up</strong>`
	}
	return markup.Join("\n", `<li><div class="line">`, name, `<span class="facts">`, fate, " ", markup.Time(f.At), `</span></div>`,
		"\n", `<p class="reason">`, markup.Foreign(f.Reason), `</p></li>`)
}
