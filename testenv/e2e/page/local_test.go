package page_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/program"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

// local runs bucketsum local on a folder, and returns the address of its page.
func local(t *testing.T, o program.Options, dir string, flags ...string) (*program.Process, string) {
	t.Helper()
	p := o.Start(t, program.Build(t), append([]string{"local", "--listen", "127.0.0.1:0", "--settle", "100ms", dir}, flags...)...) // the last --listen counts
	line := p.Until(1, program.Contains("http://"))
	_, rest, _ := strings.Cut(line, "http://")
	address, _, _ := strings.Cut(rest, "/")
	go func() { // the rest is in its Output
		for range p.Lines {
		}
	}()
	return p, "http://" + address + "/"
}

// TestDrop drops a file on the page, and puts another one into the folder.
func TestDrop(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "inbox")
	_, url := local(t, program.Options{}, dir, "--algorithms", "md5,sha256")
	p := open(t, url)
	if got, want := p.text("#state"), "Nothing yet: waiting for the first object"; got != want {
		t.Errorf("state is %q, want %q", got, want)
	}
	if got, want := p.text("#results"), "cp FILE "+dir+"/"; !strings.Contains(got, want) {
		t.Errorf("results are %q, want %s", got, want)
	}
	content := "what was dropped\n"
	p.drop("dropped\u00a0<b>.txt", content)
	p.until("the checksum of the dropped file", `document.querySelector('#uploads .agrees, #uploads .reason')`)
	sum := sha256.Sum256([]byte(content))
	got := p.text("#uploads")
	for _, want := range []string{
		`dropped\u00a0<b>.txt`, "md5", sample.MD5([]byte(content)), "sha256", hex.EncodeToString(sum[:]),
		sample.MD5([]byte(content)) + "  dropped\u00a0<b>.txt", "The SHA-256 that this browser computed agrees.",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("upload is %q, which lacks %q", got, want)
		}
	}

	p.do(`document.querySelector('#put').click()`)
	p.drop("put & kept.txt", content)
	p.until("the result", `document.querySelector('#results .sum')`)
	if got := p.text("#results"); !strings.Contains(got, "put & kept.txt") || !strings.Contains(got, sample.MD5([]byte(content))) {
		t.Errorf("results are %q", got)
	}
	if put, err := os.ReadFile(filepath.Join(dir, "put & kept.txt")); string(put) != content {
		t.Errorf("the file has %q, %v", put, err)
	}
	p.drop("put & kept.txt", "other content")
	p.until("the refusal", `document.querySelector('#uploads .reason')`)
	p.forgive("409 (Conflict)")
	if got := p.text("#uploads .reason"); !strings.Contains(got, "There is a file of this name") {
		t.Errorf("the page says %q", got)
	}

	sample.Write(t, dir, "sub/landed.txt", []byte(content))
	p.until("the second result", `document.querySelector('#results').innerText.includes('landed')`)
	got = p.text("#results")
	for _, want := range []string{"sub/landed.txt", sample.MD5([]byte(content)), hex.EncodeToString(sum[:])} {
		if !strings.Contains(got, want) {
			t.Errorf("results are %q, which lack %q", got, want)
		}
	}
	p.until("the state", `document.querySelector('#state').innerText === 'Up to date: 2 done'`)
	if title := eval[string](p, `document.title`); !strings.HasPrefix(title, "Up to date: 2 done") {
		t.Errorf("title is %q", title)
	}

	p.do(`(() => {
		const form = document.querySelector('#lookup');
		form.elements.key.value = 'sub/landed.txt';
		form.requestSubmit();
	})()`)
	p.until("the record", `document.querySelector('#lookup-answer .sum')`)
	if got := p.text("#lookup-answer"); !strings.Contains(got, sample.MD5([]byte(content))) || !strings.Contains(got, hex.EncodeToString(sum[:])) {
		t.Errorf("record is %q", got)
	}

	// On a phone a label must stand on the first line of its digest: else the wrong one is copied.
	p.phone()
	misplaced := eval[[]string](p, `[...document.querySelectorAll('.sum')].filter(sum => {
		const top = e => { const r = document.createRange(); r.selectNodeContents(e); return r.getClientRects()[0].top; };
		return Math.abs(top(sum.querySelector('.alg')) - top(sum.querySelector('code'))) > 4;
	}).map(sum => sum.innerText)`)
	if len(misplaced) > 0 {
		t.Errorf("labels are not on the first line of %q", misplaced)
	}
	if wide := eval[int](p, `document.documentElement.scrollWidth - innerWidth`); wide > 0 {
		t.Errorf("the page is %d pixels wider than a phone", wide)
	}
	p.do(`document.querySelector('#tools').scrollIntoView()`)
	p.picture("dropped-phone")
}

// drop drops a file on the page.
func (p *tab) drop(name, content string) {
	p.t.Helper()
	p.do(fmt.Sprintf(`(() => {
		const files = new DataTransfer();
		files.items.add(new File([%q], %q));
		document.body.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: files}));
	})()`, content, name))
}

// TestPermission takes a file from the worker, which must say so, what to do, and that it is mended.
func TestPermission(t *testing.T) {
	dir := t.TempDir()
	options := program.Options{}
	if os.Getuid() == 0 { // root may read everything
		const unprivileged = 65534
		options.User = unprivileged
		for _, open := range []string{filepath.Dir(dir), dir, filepath.Dir(program.Build(t))} {
			if err := os.Chmod(open, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chown(dir, unprivileged, unprivileged); err != nil {
			t.Fatal(err)
		}
	}
	sample.Write(t, dir, "open.txt", []byte("open"))
	sample.Write(t, dir, "closed.txt", []byte("closed"))
	closed := filepath.Join(dir, "closed.txt")
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	process, url := local(t, options, dir)
	p := open(t, url)
	p.until("the failure", `document.querySelector('#failures strong.badge')`)
	got := p.text("#failures")
	for _, want := range []string{"Access is refused", "closed.txt", "permission denied", "Let the worker read the object"} {
		if !strings.Contains(got, want) {
			t.Errorf("failures are %q, which lack %q", got, want)
		}
	}
	p.until("the state", `document.querySelector('#state').innerText === 'Done, except for failures: 1 done, 1 failed'`)

	if err := os.Chmod(closed, 0o644); err != nil {
		t.Fatal(err)
	}
	p.do(`document.querySelector('[data-action=redrive]').click()`)
	p.until("the success", `document.querySelector('#failures-section').hidden`)
	p.until("the state", `document.querySelector('#state').innerText.startsWith('Up to date: ')`)
	if got := p.text("#results"); !strings.Contains(got, sample.MD5([]byte("closed"))) {
		t.Errorf("results are %q", got)
	}
	p.acted("1 sent back to the queue")
	p.expect("net::ERR_") // the page tries again and again
	process.Stop(syscall.SIGTERM)
	p.until("the lost connection", `document.querySelector('#live').innerText.startsWith('no connection')`)
}

// acted waits for what the page says of an action. The page may show what came of it earlier.
func (p *tab) acted(want string) {
	p.t.Helper()
	p.until("the report "+want, fmt.Sprintf(`document.querySelector('#acted').textContent === %q`, want))
}

// TestToken expects that a page which others can reach takes a token before it changes anything.
func TestToken(t *testing.T) {
	dir, token := t.TempDir(), filepath.Join(t.TempDir(), "token")
	sample.Write(t, filepath.Dir(token), "token", []byte("0123456789abcdef\n"))
	sample.Write(t, dir, "wrong.txt", []byte("content"))
	sample.Write(t, dir, "wrong.txt.md5", []byte(sample.MD5([]byte("other"))+"  wrong.txt\n"))
	_, url := local(t, program.Options{}, dir, "--listen", "0.0.0.0:0", "--token-file", token)
	p := open(t, strings.Replace(url, "0.0.0.0", "127.0.0.1", 1))
	p.until("the failure", `document.querySelector('#failures strong.badge')`)
	if got := p.text("#failures"); !strings.Contains(got, "Not what was claimed") {
		t.Errorf("failures are %q", got)
	}
	press := func() { p.do(`document.querySelector('[data-action=discard]').click()`) }
	discard := func() {
		p.do(`(() => { // in one go: the page may take the button away, or its question back
			const button = document.querySelector('[data-action=discard]');
			if (button.textContent !== 'Dismiss') throw new Error(button.textContent);
			button.click();
			if (button.textContent !== 'Dismiss for good?') throw new Error(button.textContent);
			button.click();
		})()`)
	}
	use := func(token string) {
		p.do(`(() => {
			const form = document.querySelector('#token');
			form.elements.token.value = '` + token + `';
			form.requestSubmit();
		})()`)
	}
	press()
	p.until("the field of the token", `!document.querySelector('#token').hidden`)
	use("not-the-token-at-all")
	discard()
	p.until("the refusal", `document.querySelector('#acted').innerText.includes('The token is wrong')`)
	p.forgive("401")
	use("0123456789abcdef")
	discard()
	p.until("the end of the failure", `document.querySelector('#failures-section').hidden`)
	p.acted("1 dismissed")
	if got := eval[string](p, `JSON.stringify([localStorage, sessionStorage, document.cookie, document.documentElement.outerHTML])`); strings.Contains(got, "0123456789abcdef") {
		t.Error("the token is kept in the page")
	}
}

// TestManyEvents keeps the page still and small while thousands of files land.
func TestManyEvents(t *testing.T) {
	dir := t.TempDir()
	_, url := local(t, program.Options{}, dir)
	p := open(t, url)
	p.until("the stream", `document.querySelector('#live').innerText === 'live'`)
	p.do(`(() => {
		window.moved = [];
		new PerformanceObserver(list => {
			for (const e of list.getEntries()) moved.push(e.value + ' ' + e.sources.map(s => s.node?.outerHTML?.slice(0, 200)).join(' | '));
		}).observe({type: 'layout-shift'});
		window.changes = 0;
		window.began = performance.now();
		new MutationObserver(() => changes++).observe(document.querySelector('#state'), {childList: true});
	})()`)
	const files = 3000
	for i := range files {
		sample.Write(t, dir, fmt.Sprintf("batch-%d/file-%06d", i/500, i), fmt.Appendf(nil, "%d", i))
	}
	p.until("the end", `document.querySelector('#state').innerText === 'Up to date: 3,000 done'`)
	if moved := eval[[]string](p, `moved`); len(moved) > 0 {
		t.Errorf("the page moved under its reader: %q", moved)
	}
	if n := eval[int](p, `document.querySelectorAll('*').length`); n > 3000 {
		t.Errorf("the page has %d elements", n)
	}
	if n := eval[int](p, `document.querySelectorAll('#results > li').length`); n != 100 {
		t.Errorf("the page has %d results, want 100", n)
	}
	if often := eval[[]float64](p, `[changes, (performance.now() - began) / 1000]`); often[0] < 1 || often[0] > often[1]+2 {
		t.Errorf("the page changed %.0f times in %.0f s, want once a second at most", often[0], often[1])
	}
}
