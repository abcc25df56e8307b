package page_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserTime is how long a test may use its browser. A busy machine is slow.
const browserTime = 5 * time.Minute

// tab is a page in a browser of its own.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	faults   []string // what the console says
	expected string   // a part of faults that count no more; empty: there is none
	more     chan struct{}
}

// need skips a test that lacks a tool. In CI it fails.
func need(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// open starts a browser and loads a page. What its console says fails the test at its end.
func open(t *testing.T, url string) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		need(t, "no chromium")
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 1000),
		chromedp.WSURLReadTimeout(browserTime))...)
	browser, endBrowser := chromedp.NewContext(allocator)
	p := &tab{t: t, more: make(chan struct{}, 1)}
	t.Cleanup(func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, fault := range p.faults {
			t.Errorf("the console says: %s", fault)
		}
	})
	t.Cleanup(func() {
		ctx, late := context.WithTimeout(browser, 20*time.Second)
		defer late()
		_ = chromedp.Cancel(ctx) // the browser may have ended
		endBrowser()
		end()
	})
	if err := chromedp.Listen(browser, p.heard); err != nil {
		t.Fatalf("start the browser: %v", err)
	}
	var late context.CancelFunc
	p.ctx, late = context.WithTimeout(browser, browserTime)
	t.Cleanup(late)
	p.run(chromedp.Navigate(url))
	return p
}

// heard gathers what a console shows.
func (p *tab) heard(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = fmt.Sprintf("%s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		fault = fmt.Sprint(e.Type)
		for _, arg := range e.Args {
			fault += " " + string(arg.Value)
		}
	case *log.EventEntryAdded:
		fault = fmt.Sprint(e.Entry.Level, ": ", e.Entry.Text, " ", e.Entry.URL)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if fault == "" || p.expected != "" && strings.Contains(fault, p.expected) {
		return
	}
	p.faults = append(p.faults, fault)
	select {
	case p.more <- struct{}{}:
	default: // forgive has not received the last element yet
	}
}

// forgive takes away a fault that has a part: the test has caused it. The console may say it after the page has shown what
// came of it.
func (p *tab) forgive(part string) {
	p.t.Helper()
	for !p.take(part) {
		select {
		case <-p.more:
		case <-p.ctx.Done():
			p.t.Fatalf("the console does not say %s", part)
		}
	}
}

// take takes away the first fault that has a part.
func (p *tab) take(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.faults, func(fault string) bool { return strings.Contains(fault, part) })
	if i >= 0 {
		p.faults = slices.Delete(p.faults, i, i+1)
	}
	return i >= 0
}

// expect lets faults that have a part pass from now on, however many there are.
func (p *tab) expect(part string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = part
}

func (p *tab) run(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatalf("browser: %v", err)
	}
}

// eval returns the value of an expression, after the promise that it may be.
func eval[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("browser: %v", err)
	}
	return value
}

// do evaluates a statement for its effect.
func (p *tab) do(statement string) {
	p.t.Helper()
	p.run(chromedp.Evaluate[chromedp.Void](statement))
}

// until waits until an expression is true.
func (p *tab) until(what, expression string) {
	p.t.Helper()
	if _, err := chromedp.Run(p.ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(100*time.Millisecond), chromedp.WithPollingTimeout(2*time.Minute))); err != nil {
		p.t.Fatalf("%s does not come: %v\n%.2000s", what, err, p.text("body"))
	}
}

// phone gives the tab the size of a phone.
func (p *tab) phone() {
	p.t.Helper()
	p.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulatePortrait))
}

// scheme makes the reader prefer light or dark colours.
func (p *tab) scheme(name string) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}); err != nil {
		p.t.Fatalf("browser: %v", err)
	}
}

// text returns the text of the first element of a selector.
func (p *tab) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ''`, selector))
}

// axeVersion is the version of axe-core that is installed in CI.
const axeVersion = "4.14.1"

// axe returns the source of axe-core, which npm installs once.
func axe(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "bucketsum", "axe-core-"+axeVersion)
	name := filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	source, err := os.ReadFile(name)
	if err == nil {
		return string(source)
	}
	if _, missing := exec.LookPath("npm"); missing != nil || os.Getenv("CI") == "" {
		need(t, "axe-core is not installed; with CI=1 in the environment npm installs it, once")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		t.Fatal(err)
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "npm") // several processes may do this at the same time
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(fresh)
	install := exec.CommandContext(t.Context(), "npm", "install", "--prefix", fresh, "--no-audit", "--no-fund", "--ignore-scripts", "axe-core@"+axeVersion)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	_ = os.Rename(fresh, dir) // fails if another process was faster
	if source, err = os.ReadFile(name); err != nil {
		t.Fatal(err)
	}
	return string(source)
}
