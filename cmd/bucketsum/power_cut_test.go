package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
	"github.com/bucketsum/bucketsum/testenv/docpage"
	"github.com/bucketsum/bucketsum/testenv/powercut/ext4"
)

// cutBroker is a broker that stores on a disk whose power is cut.
type cutBroker struct {
	urls         func(t *testing.T, name string) queueURLs
	age          func() // nil, or makes its queues older than what it writes with a delay
	kill, resume func()
}

func cutJetstream(safe bool) func(t *testing.T, folder string) cutBroker {
	return func(t *testing.T, folder string) cutBroker {
		s := jetstreamtest.StartIn(t, folder, safe)
		return cutBroker{func(*testing.T, string) queueURLs {
			u := queueURLs{
				queue: s.URL("OBJECTS", "consumer=workers&create=true"), deadLetters: s.URL("FAILED", "create=true"), results: s.URL("RESULTS", "create=true"),
				letters: s.URL("FAILED", "consumer=reader&create=true"), announced: s.URL("RESULTS", "consumer=reader&create=true"),
			}
			u.left = func(t *testing.T, _ string) int64 { return jetstreamLeft(t, s, "OBJECTS", "workers") }
			return u
		}, nil, s.Kill, s.Resume}
	}
}

func cutRabbit(classic bool) func(t *testing.T, folder string) cutBroker {
	return func(t *testing.T, folder string) cutBroker {
		s := rabbitmqtest.StartIn(t, folder)
		b := rabbitQueues(s)
		return cutBroker{func(t *testing.T, name string) queueURLs {
			if classic {
				for _, queue := range []string{name, name + ".dead", name + "-results"} {
					s.Classic(queue)
				}
			}
			return b(t, name)
		}, s.Restart, s.Kill, s.Resume}
	}
}

// TestPowerCut kills a broker that has acknowledged events, cuts its power, on an ext4 file
// system, and counts the objects that serve then gives a record. docs/queues.md says the
// same.
func TestPowerCut(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers several times")
	}
	documented := documentedLosses(t)
	for name, tc := range map[string]struct {
		start      func(t *testing.T, folder string) cutBroker
		onlyKilled bool
		keeps      bool
	}{
		"JetStream, file storage, by default":              {cutJetstream(false), false, false},
		"JetStream, file storage, by default, killed":      {cutJetstream(false), true, true},
		"JetStream, file storage, `sync_interval: always`": {cutJetstream(true), false, true},
		"RabbitMQ, quorum queue":                           {cutRabbit(false), false, true},
		"RabbitMQ, classic durable queue":                  {cutRabbit(true), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const waiting, inWork = 500, 100
			disk := ext4.New(t)
			b := tc.start(t, disk.Dir)
			cut := func() {
				t.Helper()
				b.kill()
				if !tc.onlyKilled {
					disk.Cut()
				}
				b.resume()
			}
			f := newFlow(t, b.urls(t, "objects"))
			if b.age != nil {
				b.age()
			}
			send := func(part string, n int) {
				t.Helper()
				disk.Sync() // the server and its queues are older than half a minute
				for i := range n {
					f.mustSend(f.object(fmt.Sprint(part, i))) // returns when the broker has acknowledged it
				}
			}
			send("waiting ", waiting)
			cut()
			f.start()
			if tc.keeps {
				f.until("handling the events that waited", func() bool { return records(t, f) == waiting })
				send("in work ", inWork)
				cut()
				f.until("handling the events that were in work", func() bool { return records(t, f) == waiting+inWork })
			} else {
				f.until("handling what is left", func() bool { return f.urls.left(t, f.urls.queue) == 0 })
			}
			f.stop()
			got := fmt.Sprintf("%d of %d", records(t, f), len(f.wantResults))
			t.Logf("%s events survived", got)
			if kept := records(t, f) == len(f.wantResults); kept != tc.keeps {
				t.Errorf("want all to survive: %v", tc.keeps)
			}
			if tc.keeps && !strings.Contains(documented[name], got) { // otherwise a slow system may have written some
				t.Errorf("docs/queues.md says %q", documented[name])
			}
		})
	}
}

// documentedLosses returns what the table of docs/queues.md says about power cuts and about
// killed brokers, by the name of the queue.
func documentedLosses(t *testing.T) map[string]string {
	t.Helper()
	documented := make(map[string]string)
	for _, cells := range docpage.Rows(t, "queues.md", "| queue | broker killed | power cut | how we know |") {
		documented[cells[0]+", killed"], documented[cells[0]] = cells[1], cells[2]
	}
	return documented
}

// TestRecipeSyncs: the configuration of nats-server in docs/on-premises.md is valid, makes it
// sync each message, and lets in clients of this machine that have the password.
func TestRecipeSyncs(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "on-premises.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, ok := strings.Cut(string(page), "cat > /etc/nats-server.conf <<'EOF'\n")
	recipe, _, ok2 := strings.Cut(recipe, "EOF\n")
	if !ok || !ok2 {
		t.Fatal("docs/on-premises.md has no /etc/nats-server.conf")
	}
	file := filepath.Join(t.TempDir(), "nats-server.conf")
	if err := os.WriteFile(file, []byte(recipe), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Setenv("NATS_PASSWORD", "secret")
	options, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !options.JetStream || !options.SyncAlways || options.StoreDir == "" {
		t.Errorf("JetStream %v, sync always %v, store %q", options.JetStream, options.SyncAlways, options.StoreDir)
	}
	if options.Host != "127.0.0.1" || options.Username == "" || options.Password != "secret" {
		t.Errorf("listens on %q, user %q, password %q", options.Host, options.Username, options.Password)
	}
}

// records counts the records in the bucket.
func records(t *testing.T, f *queueFlow) (n int) {
	t.Helper()
	for _, name := range filesIn(t, f.dir) {
		if strings.HasSuffix(name, ".md5") {
			n++
		}
	}
	return n
}
