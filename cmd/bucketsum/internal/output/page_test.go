package output_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	xhtml "golang.org/x/net/html"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func page(t testing.TB, p output.Pass, e output.End, rows ...sweep.Row) string {
	t.Helper()
	return document(t, output.Page, p, e, rows...)
}

// document returns the file that a sink writes, and expects no other in its folder.
func document(t testing.TB, open func(path string, p output.Pass) (output.Sink, error), p output.Pass, e output.End, rows ...sweep.Row) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report")
	s, err := open(path, p)
	if err != nil {
		t.Fatal(err)
	}
	run(t, s, e, rows...)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); len(names) != 1 {
		t.Errorf("the files are %q, %v", names, err)
	}
	return string(text)
}

// TestPage expects the facts of a pass on its page, the worst states first.
func TestPage(t *testing.T) {
	p := pass(sweep.Verify)
	p.Options = sweep.Options{
		Algorithms: []string{"md5"}, Prefix: "a/", Include: []string{"*.jpg"}, Exclude: []string{"<b>"}, Newer: begun, Larger: 1 << 20, Sample: 0.05,
	}
	rows := slices.Concat(good(12_000, sweep.OK), faults())
	text := page(t, p, ended(), rows...)
	for _, want := range []string{
		"<title>verify photos: 4 of 12006 objects need attention. 1 object could not be checked.</title>",
		"4 of 12,006 objects need attention. 1 object could not be checked.</h2>",
		"The exit status is 1.",
		"<dt>Size</dt><dd>46.9 GiB</dd>",
		"<dt>Duration</dt><dd>2m3s</dd>",
		"<title>December 2025: 1.6 GiB in 405 objects; 4 with faults</title>",
		`<th scope="row">STANDARD_IA</th>`,
		`<b>md5</b><span>found</span><code>` + helloMD5 + `</code><span>expected</span><code>` + otherMD5 + `</code>`,
		"<dt>Sample</dt><dd>5 % of the objects, chosen by their keys</dd>",
		"<code>&lt;b&gt;</code>", "<code>*.jpg</code>", "<dt>Larger than</dt><dd>1.0 MiB</dd>", "bucketsum 1.2.3",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	table := text[strings.Index(text, `id="rows"`):]
	place := -1
	for _, key := range []string{"a/mismatch &amp; more.jpg", "e/unreadable.jpg", "b/stale.jpg", "[31mred", "d/orphan.jpg", "f/archived.jpg"} {
		at := strings.Index(table, key)
		if at <= place {
			t.Errorf("%s is at %d, the one before at %d", key, at, place)
		}
		place = at
	}
	if strings.Contains(text, "is not complete") {
		t.Error("the page says that the pass was stopped")
	}
}

// TestPageStopped expects that the page of a pass that ended early says so.
func TestPageStopped(t *testing.T) {
	e := ended()
	e.Stopped, e.Pass = "interrupted; run <it> again", "later"
	p := pass(sweep.Verify)
	p.Name = ""
	text := page(t, p, e, good(3, sweep.OK)...)
	for _, want := range []string{"Stopped early, after 3 objects.", "Interrupted; run &lt;it&gt; again</p>", "The exit status is 2.", "<dt>Pass</dt><dd><code>later</code>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestPageKeepsTheWorst expects that a mismatch is on the page even if it comes after more other rows than fit.
func TestPageKeepsTheWorst(t *testing.T) {
	var rows []sweep.Row
	for i := range 6000 {
		rows = append(rows, sweep.Row{Key: fmt.Sprintf("extra-%d", i), State: sweep.New})
	}
	rows = append(rows, sweep.Row{Key: "broken", State: sweep.Mismatch})
	text := page(t, pass(sweep.Verify), ended(), rows...)
	if n := strings.Count(text, "<tr data-state="); n != 5000 {
		t.Errorf("%d objects are listed, want 5000", n)
	}
	for _, want := range []string{">broken</bdi>", ">extra-0</bdi>", ">extra-4998</bdi>", "There are 6,001 of them."} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

// TestPageBoundsWhatItKeeps gives rows of any class and time.
func TestPageBoundsWhatItKeeps(t *testing.T) {
	var rows []sweep.Row
	for i := range 5000 {
		rows = append(rows, sweep.Row{
			Key: "a", State: sweep.OK, Size: ptr(int64(i)), Class: fmt.Sprint("class ", i), Modified: ptr(time.Date(i*2, 1, 1, 0, 0, 0, 0, time.UTC)),
		})
	}
	text := page(t, pass(sweep.Verify), ended(), rows...)
	if len(text) > 100_000 || !strings.Contains(text, "other classes") {
		t.Errorf("the page has %d bytes", len(text))
	}
}

// TestPageNeedsNothingElse expects that the policy permits only the style and script of the page, which loads
// nothing.
func TestPageNeedsNothingElse(t *testing.T) {
	text := page(t, pass(sweep.Verify), ended(), slices.Concat(good(20, sweep.OK), faults(), listed())...)
	want := "default-src &#39;none&#39;; script-src " + inlineHash(t, text, "script") + "; style-src " + inlineHash(t, text, "style") +
		"; img-src data:; base-uri &#39;none&#39;; form-action &#39;none&#39;"
	if !strings.Contains(text, `<meta http-equiv="Content-Security-Policy" content="`+want+`">`) {
		t.Errorf("the policy is not %s", want)
	}
	if found := regexp.MustCompile(`(?i)<[^>]* (on[a-z]+|style|src|action)=|(href|url\()=?"?(//|https?:)|javascript:|@import`).FindString(text); found != "" {
		t.Errorf("the page has %s", found)
	}
}

func inlineHash(t *testing.T, text, tag string) string {
	t.Helper()
	parts := regexp.MustCompile(`(?s)<`+tag+`>(.*?)</`+tag+`>`).FindAllStringSubmatch(text, -1)
	if len(parts) != 1 {
		t.Fatalf("the page has %d of %s", len(parts), tag)
	}
	sum := sha256.Sum256([]byte(parts[0][1]))
	return "&#39;sha256-" + html.EscapeString(base64.StdEncoding.EncodeToString(sum[:])) + "&#39;"
}

// TestPageIsWrittenAtOnce expects the file of an earlier pass until the new one is complete, and no other files.
func TestPageIsWrittenAtOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report.html")
	if err := os.WriteFile(path, []byte("earlier"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := output.Page(path, pass(sweep.Verify))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Row(faults()[0]); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); string(text) != "earlier" {
		t.Errorf("during the pass, the file is %q, %v", text, err)
	}
	if err := s.Close(ended()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if !strings.HasSuffix(string(text), "</html>\n") {
		t.Errorf("after the pass, the file is %q, %v", text, err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if !slices.Equal(names, []string{path}) {
		t.Errorf("the files are %q, %v", names, err)
	}
}

// TestPageCannotBeWritten expects an error before the pass, not after it.
func TestPageCannotBeWritten(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none", "report.html"), t.TempDir()} {
		if _, err := output.Page(path, pass(sweep.Verify)); err == nil {
			t.Errorf("%s can be written", path)
		}
		if _, err := output.PREMIS(path, pass(sweep.Verify)); err == nil {
			t.Errorf("%s can be written", path)
		}
	}
}

// FuzzPage writes rows whose every text is any text: it is only text on the page.
func FuzzPage(f *testing.F) {
	for _, name := range hostile {
		f.Add(name, name)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, key, other string) {
		p := pass(sweep.Verify)
		p.Buckets, p.List, p.Version, p.Name = []string{key, other}, other, key, other
		p.Options.Prefix, p.Options.Include, p.Options.Algorithms = key, []string{other}, []string{key}
		row := sweep.Row{
			Bucket: other, Key: key, State: sweep.State(other), From: key, Reason: other, Class: key,
			Checksums: map[string]string{key: other}, Expected: map[string]string{key: key, other: other},
		}
		path := filepath.Join(dir, fmt.Sprint("report", os.Getpid(), ".html"))
		s, err := output.Page(path, p)
		if err != nil {
			t.Fatal(err)
		}
		run(t, s, output.End{At: begun, Stopped: key}, row)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(string(text), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
			t.Errorf("the page has a character that must not be shown")
		}
		checkMarkup(t, string(text))
	})
}

// checkMarkup expects that the elements which could do harm are those of the page itself.
func checkMarkup(t *testing.T, text string) {
	t.Helper()
	seen := make(map[string]int)
	for tokens := xhtml.NewTokenizer(strings.NewReader(text)); tokens.Next() != xhtml.ErrorToken; {
		token := tokens.Token()
		if token.Type == xhtml.CommentToken {
			t.Errorf("the page has a comment: %s", token)
		}
		if token.Type != xhtml.StartTagToken {
			continue
		}
		seen[token.Data]++
		for _, a := range token.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "style" || a.Key == "src" || a.Key == "href" && !strings.HasPrefix(a.Val, "data:image/svg") {
				t.Errorf("the page has %s", token)
			}
		}
	}
	for name, want := range map[string]int{"meta": 6, "link": 1, "style": 1, "script": 1, "form": 1, "iframe": 0, "img": 0, "a": 0, "base": 0, "object": 0} {
		if seen[name] != want {
			t.Errorf("the page has %d of %s, want %d", seen[name], name, want)
		}
	}
}

// TestPageInBrowser opens the page in a real browser, sorts and filters it, and expects no error of the script or the
// policy.
func TestPageInBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("no chromium")
	}
	rows := slices.Concat(good(3, sweep.OK), faults())
	big := faults()[0]
	big.Key, big.Size = hostile[4], ptr(int64(3<<30))
	text := page(t, pass(sweep.Verify), ended(), append(rows, big)...)
	files := http.NewServeMux()
	files.HandleFunc("/report.html", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
	files.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, driver)
	})
	server := httptest.NewServer(files)
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	// The browser writes errors of the page to its standard error.
	cmd := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--disable-background-networking", "--disable-component-update", "--no-first-run", "--user-data-dir="+t.TempDir(),
		"--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", server.URL)
	var dom, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &dom, &log
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s", err, log.String())
	}
	got := regexp.MustCompile(`(?s)<pre>(.*?)</pre>`).FindStringSubmatch(dom.String())
	want := `made: mismatch mismatch unreadable stale no-record orphan archived
largest first: mismatch 3.0 GiB
smallest first: orphan
by state: mismatch archived
find "STALE": stale, 1 of 7
state mismatch: 2
nothing: true
controls: true
script ran: false
`
	if got == nil || html.UnescapeString(got[1]) != want {
		t.Errorf("the browser says %q, want\n%s", got, want)
	}
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "CONSOLE") {
			t.Errorf("the browser says: %s", line)
		}
	}
}

// driver is a page that uses the report in a frame as a person does.
const driver = `<!doctype html><iframe src="/report.html"></iframe><pre></pre><script>
document.querySelector('iframe').addEventListener('load', e => {
  const page = e.target.contentDocument, out = document.querySelector('pre');
  const say = text => out.append(text + '\n');
  const rows = () => [...page.querySelectorAll('#rows tbody tr')].filter(r => !r.hidden);
  const states = () => rows().map(r => r.dataset.state);
  const heads = [...page.querySelectorAll('#rows th button')];
  const find = page.getElementById('find'), state = page.getElementById('state');
  const enter = (input, value, type) => { input.value = value; input.dispatchEvent(new Event(type)); };
  say('made: ' + states().join(' '));
  heads[2].click(); heads[2].click();
  say('largest first: ' + states()[0] + ' ' + rows()[0].cells[2].textContent);
  heads[2].click();
  say('smallest first: ' + states()[0]);
  heads[0].click();
  say('by state: ' + states()[0] + ' ' + states().at(-1));
  enter(find, 'STALE record', 'input');
  say('find "STALE": ' + states() + ', ' + page.getElementById('shown').textContent);
  enter(find, '', 'input'); enter(state, 'mismatch', 'change');
  say('state mismatch: ' + states().length);
  enter(find, 'no such thing', 'input');
  say('nothing: ' + !page.getElementById('nothing').hidden);
  say('controls: ' + !page.getElementById('controls').hidden);
  say('script ran: ' + (page.querySelectorAll('script').length !== 1));
});
</script>`
