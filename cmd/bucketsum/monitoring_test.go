package main

import (
	"bufio"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// exported has the metrics that a worker exports to Prometheus.
type exported struct {
	series   []string
	families map[string]bool // without the suffixes of histograms' series
}

// scrape fetches the metrics of a worker that has summed an object.
func scrape(t *testing.T) exported {
	t.Helper()
	dir, queue := t.TempDir(), "mem://events-"+rand.Text()
	write(t, dir, "a", []byte("hello\n"))
	events := openTopic(t, queue)
	s := serve(t, nil, "--queue", queue, "--listen", "127.0.0.1:0", "--bucket", "inbox=file://"+dir)
	send(t, events, objectEvent("Object Created", "inbox", "a", "01"))
	s.until("message handled")
	status, body := program.Get(t, "http://"+s.address+"/metrics")
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	e := exported{families: make(map[string]bool)}
	for lines := bufio.NewScanner(strings.NewReader(body)); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 3 && fields[1] == "TYPE" {
			e.families[fields[2]] = true
		} else if !strings.HasPrefix(lines.Text(), "#") {
			e.series = append(e.series, lines.Text())
		}
	}
	return e
}

// has reports whether a metric, or the histogram of this name, has a series with this
// value of the label.
func (e exported) has(name, label, value string) bool {
	return slices.ContainsFunc(e.series, func(s string) bool {
		return (strings.HasPrefix(s, name+"{") || strings.HasPrefix(s, name+"_bucket{")) && strings.Contains(s, label+`="`+value+`"`)
	})
}

func readBundle(t *testing.T, names ...string) string {
	t.Helper()
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return strings.ReplaceAll(all.String(), `\"`, `"`) // of JSON
}

const (
	dashboard = "chart/files/dashboard.json"
	alerts    = "chart/files/alerts.yaml"
	runbook   = "RUNBOOK.md"

	metricsPage = "../docs/operations.md"
)

var (
	metricName = regexp.MustCompile(`\bbucketsum_[a-z_]+[a-z]`)
	selector   = regexp.MustCompile(`\b(bucketsum_[a-z_]+)\{([^}]*)\}`)
	matcher    = regexp.MustCompile(`([a-z_]+)=~?"([^"]*)"`)
	suffixes   = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// TestBundleNamesWhatIsExported expects that a worker exports every metric, with the values
// of its labels, that the dashboard, the alerts and the runbook name, and that one of
// these has every metric that it exports.
func TestBundleNamesWhatIsExported(t *testing.T) {
	e := scrape(t)
	text := readBundle(t, dashboard, alerts, runbook)
	named := make(map[string]bool)
	for _, name := range metricName.FindAllString(text, -1) {
		if family := suffixes.ReplaceAllString(name, ""); e.families[family] && !e.families[name] {
			name = family
		}
		named[name] = true
		if !e.families[name] {
			t.Errorf("%s is not exported", name)
		}
	}
	if len(named) < 15 {
		t.Errorf("%d metrics are named only", len(named))
	}
	listed := readBundle(t, metricsPage)
	for family := range e.families {
		if !strings.HasPrefix(family, "bucketsum_") {
			continue
		}
		if !named[family] {
			t.Errorf("%s is exported and not named in dashboard, alerts or runbook", family)
		}
		if !strings.Contains(listed, "`"+family+"`") {
			t.Errorf("%s is exported and not listed in %s", family, metricsPage)
		}
	}
	for _, name := range metricName.FindAllString(listed, -1) {
		if family := suffixes.ReplaceAllString(name, ""); !e.families[name] && !e.families[family] {
			t.Errorf("%s lists %s, which is not exported", metricsPage, name)
		}
	}
	labels := 0
	for _, s := range selector.FindAllStringSubmatch(text, -1) {
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			if m[1] == "job" || m[1] == "namespace" {
				continue // a label that the scraper adds
			}
			for value := range strings.SplitSeq(m[2], "|") {
				labels++
				if !e.has(s[1], m[1], value) {
					t.Errorf("%s has no %s=%q", s[1], m[1], value)
				}
			}
		}
	}
	if labels < 5 {
		t.Errorf("%d labels are named only", labels)
	}
	_, reasons, found := strings.Cut(text, "| `reason` | meaning |")
	for _, line := range strings.Split(reasons, "\n")[2:] {
		cells := strings.Split(line, "`")
		if len(cells) < 3 {
			break
		}
		found = found && e.has("bucketsum_dead_letters_total", "reason", cells[1])
	}
	if !found {
		t.Error("the runbook's table of reasons has others than are exported")
	}
}

// TestEveryAlertHasItsEntry expects that every alert has a severity, a description and an
// entry in the runbook.
func TestEveryAlertHasItsEntry(t *testing.T) {
	rules, book := readBundle(t, alerts), readBundle(t, runbook)
	heading := regexp.MustCompile(`(?m)^## (\w+)$`)
	var entries []string
	for _, m := range heading.FindAllStringSubmatch(book, -1) {
		entries = append(entries, m[1])
	}
	alerts := strings.Split(rules, "- alert: ")[1:]
	if len(alerts) < 6 || len(alerts) != len(entries) {
		t.Errorf("%d alerts and %d entries", len(alerts), len(entries))
	}
	for _, alert := range alerts {
		name, _, _ := strings.Cut(alert, "\n")
		if !slices.Contains(entries, name) {
			t.Errorf("%s has no entry in the runbook", name)
		}
		for _, want := range []string{
			"summary: ", "description: ",
			"runbook_url: https://github.com/bucketsum/bucketsum/blob/main/deploy/RUNBOOK.md#" + strings.ToLower(name) + "\n",
		} {
			if !strings.Contains(alert, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if !strings.Contains(alert, "severity: critical\n") && !strings.Contains(alert, "severity: warning\n") {
			t.Errorf("%s has no severity", name)
		}
		_, entry, _ := strings.Cut(book, "## "+name+"\n")
		entry, _, _ = strings.Cut(entry, "\n## ")
		for _, part := range []string{"**Means.**", "**Look at.**", "**Do.**"} {
			if !strings.Contains(entry, part) {
				t.Errorf("the entry of %s lacks %s", name, part)
			}
		}
	}
}
