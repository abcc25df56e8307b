package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what the commands and the tests say into the documents")

// fact is what docs/queues.md says about a scheme and no end-to-end test finds out.
type fact struct {
	atLeastOnce, holds, order string
	deadLetters               string // of a message that always fails; table adds the program's own limit
	adapter                   string // the folder in adapters whose tests run the suites
	ours, watermills          bool
	sameAs                    string // the scheme in whose row this one stands, too
}

const oneAtATime = "with `--concurrency 1`"

var facts = map[string]fact{
	"awssqs": {atLeastOnce: "yes", holds: "visibility, extended by a heartbeat", order: "no",
		deadLetters: "`--dead-letter`, one delivery before `maxReceiveCount`; else the queue's redrive policy", adapter: "sqs", ours: true, watermills: true},
	"sqs": {atLeastOnce: "yes", holds: "visibility, extended by a heartbeat", order: "of each message group",
		deadLetters: "`--dead-letter`, one delivery before `maxReceiveCount`; else the queue's redrive policy", adapter: "sqs", watermills: true},
	"jetstream": {atLeastOnce: "yes", holds: "in-progress heartbeats", order: oneAtATime,
		adapter: "jetstream", ours: true, watermills: true},
	"kafka": {atLeastOnce: "yes", holds: "the partition; finished work is committed, also out of order", order: "of each partition, " + oneAtATime,
		adapter: "kafka", ours: true, watermills: true},
	"amqp": {atLeastOnce: "yes", holds: "the connection", order: oneAtATime,
		deadLetters: "the queue's, after 20 deliveries", adapter: "rabbitmq", ours: true, watermills: true},
	"amqps": {sameAs: "amqp"}, // with TLS
	"gcppubsub": {atLeastOnce: "yes", holds: "the ack deadline, extended", order: "no",
		deadLetters: "the subscription's policy", adapter: "gcppubsub", ours: true, watermills: true},
	"azuresb": {atLeastOnce: "yes", holds: "the lock, renewed by a heartbeat", order: "no", deadLetters: "the queue's, after its maximum delivery count",
		adapter: "servicebus", ours: true, watermills: true},
	"mem": {atLeastOnce: "within the process", holds: "nothing needed", order: "no", deadLetters: "none",
		adapter: "cloudpubsub", ours: true},
}

// suites returns the conformance suites that the adapter of a scheme passes. It checks
// that the adapter's tests call them.
func (f fact) suites(t *testing.T) string {
	t.Helper()
	var source strings.Builder
	files, err := filepath.Glob(filepath.Join("..", "..", "adapters", f.adapter, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	if strings.Contains(f.order, oneAtATime) && !strings.Contains(source.String(), "Ordered:") {
		t.Errorf("the tests of %s ask our suite for no order", f.adapter)
	}
	var suites []string
	for _, s := range []struct {
		claimed    bool
		name, call string
	}{{f.ours, "ours", "pipelinetest.TestQueue("}, {f.watermills, "Watermill's", "tests.TestPubSub("}} {
		if !s.claimed {
			continue
		}
		if !strings.Contains(source.String(), s.call) {
			t.Errorf("the tests of %s call no %s", f.adapter, s.call)
		}
		suites = append(suites, s.name)
	}
	return cell(strings.Join(suites, ", "))
}

func cell(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// table returns the table of docs/queues.md: a row for each scheme of queues.
func table(t *testing.T, ran map[string]ranOn) string {
	t.Helper()
	lines := []string{
		"| scheme | at least once | what holds a message in work | order | dead letters of what fails | conformance suites | end to end, on | stopped half-way |",
		"|" + strings.Repeat("---|", 8),
	}
	for _, s := range queueSchemes() {
		f, ok := facts[s.Name]
		if !ok {
			t.Errorf("facts has no %s://", s.Name)
		}
		if f.sameAs != "" {
			continue
		}
		if n := maxDeliveries(s.Name + "://x"); n > 0 {
			own := f.deadLetters
			f.deadLetters = fmt.Sprintf("`--dead-letter`, after %d deliveries", n)
			if own != "" {
				f.deadLetters += "; else " + own
			}
		}
		name, on, stopped := "`"+s.Name+"://`", "not tested", ""
		for other, same := range facts {
			if same.sameAs == s.Name {
				name += ", `" + other + "://`"
			}
		}
		if did, ok := ran[s.Name]; ok {
			on = did.server
			if did.stopped != "" {
				stopped = did.stopped + ": nothing is lost"
			}
		}
		lines = append(lines, "| "+strings.Join([]string{name, f.atLeastOnce, f.holds, f.order, f.deadLetters, f.suites(t), on, cell(stopped)}, " | ")+" |")
	}
	return strings.Join(lines, "\n") + "\n"
}

var queuesTable = regexp.MustCompile(`(?m)^\| scheme \|.*\n(?:\|.*\n)+`)

// checkTable holds the table in docs/queues.md to what ran, or with -update writes it there.
func checkTable(t *testing.T, ran map[string]ranOn) {
	t.Helper()
	path := filepath.Join("..", "..", "docs", "queues.md")
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := table(t, ran)
	t.Logf("\n%s", want)
	if !*update {
		if got := queuesTable.Find(page); string(got) != want {
			t.Errorf("docs/queues.md says otherwise; write it with: go test ./cmd/bucketsum -run TestQueues -update\n%s", got)
		}
		return
	}
	if err := os.WriteFile(path, queuesTable.ReplaceAllLiteral(page, []byte(want)), 0o666); err != nil {
		t.Fatal(err)
	}
}
