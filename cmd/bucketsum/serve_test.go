package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocloud.dev/pubsub"
)

// serving is the serve command in this process.
type serving struct {
	t       *testing.T
	address string        // of its HTTP side, with --listen 127.0.0.1:0
	lines   <-chan string // of its log
	seen    []string      // lines that until has read
	cancel  context.CancelFunc
	status  chan int
}

// serve starts the command and waits until it serves.
func serve(t *testing.T, env map[string]string, args ...string) *serving {
	t.Helper()
	s := begin(t, env, args...)
	s.until("msg=serving ")
	return s
}

// begin runs serve until the end of the test, and waits until it opens its queues and
// buckets.
func begin(t *testing.T, env map[string]string, args ...string) *serving {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stderr, stdin := io.Pipe()
	lines := make(chan string, 1000)
	s := &serving{t: t, lines: lines, cancel: cancel, status: make(chan int, 1)}
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(stderr); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	p := process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: stdin, getenv: func(name string) string { return env[name] }}
	go func() {
		defer stdin.Close()
		s.status <- dispatch(ctx, p, append([]string{"serve", "--listen", "off", "--log-level", "debug"}, args...))
	}()
	t.Cleanup(func() { cancel(); <-s.status })
	s.address = logged(s.until("msg=starting "), "listen")
	return s
}

// logged returns the value of an attribute in a line of the log. The value must not
// contain spaces.
func logged(line, name string) string {
	_, value, _ := strings.Cut(line, " "+name+"=")
	value, _, _ = strings.Cut(value, " ")
	return value
}

// until waits for a line of the log that has all parts.
func (s *serving) until(parts ...string) string {
	s.t.Helper()
	timeout := time.NewTimer(2 * time.Minute)
	defer timeout.Stop()
next:
	for {
		select {
		case line, ok := <-s.lines:
			if !ok {
				s.t.Fatalf("the log ended without %q", parts)
			}
			s.seen = append(s.seen, line)
			for _, part := range parts {
				if !strings.Contains(line, part) {
					continue next
				}
			}
			return line
		case <-timeout.C:
			s.t.Fatalf("the log never had %q", parts)
		}
	}
}

// stop ends the command and returns its exit status.
func (s *serving) stop() int {
	s.cancel()
	status := <-s.status
	s.status <- status // for the cleanup
	return status
}

func openTopic(t *testing.T, url string) *pubsub.Topic {
	t.Helper()
	topic, err := pubsub.OpenTopic(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { topic.Shutdown(context.Background()) })
	return topic
}

// memoryQueue returns the URL of a new topic: topics last as long as the process, and a test
// may run several times.
func memoryQueue(name string) string { return "mem://" + name + "-" + rand.Text() }

func send(t *testing.T, topic *pubsub.Topic, body string) {
	t.Helper()
	if err := topic.Send(t.Context(), &pubsub.Message{Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

// objectEvent returns an event as EventBridge sends it.
func objectEvent(detailType, bucket, key, sequencer string) string {
	return fmt.Sprintf(`{"version":"0","id":"%s","detail-type":%q,"source":"aws.s3","time":"2026-01-02T03:04:05Z",
		"detail":{"version":"0","bucket":{"name":%q},"object":{"key":%q,"sequencer":%q}}}`, sequencer, detailType, bucket, key, sequencer)
}

func TestServe(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write(t, dir, "a b", []byte("hello\n"))
	write(t, other, "a b", []byte("other\n"))
	queue, deadLetter := memoryQueue("events"), memoryQueue("dead")
	events := openTopic(t, queue)
	openTopic(t, deadLetter)
	letters, err := pubsub.OpenSubscription(t.Context(), deadLetter)
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Shutdown(context.Background())
	s := serve(t, map[string]string{
		"BUCKETSUM_BUCKET":     "file://" + dir + " other=file://" + other,
		"BUCKETSUM_ALGORITHMS": "md5,sha256",
	}, "--queue", queue, "--dead-letter", deadLetter)
	name := filepath.Base(dir)

	send(t, events, objectEvent("Object Created", name, "a b", "01"))
	s.until("object handled", "outcome=recorded", "bucket="+name)
	send(t, events, objectEvent("Object Created", name, "a b", "01"))
	s.until("message handled")
	send(t, events, objectEvent("Object Created", name, "a b", "02"))
	s.until("object handled", "outcome=current")
	send(t, events, objectEvent("Object Created", "other", "a b", "03"))
	s.until("object handled", "outcome=recorded", "bucket=other")
	for file, want := range map[string]string{
		dir + "/a b.md5":    "b1946ac92492d2347c6235b4d2611184  a b\n",
		dir + "/a b.sha256": "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  a b\n",
		other + "/a b.md5":  sumOf([]byte("other\n")) + "  a b\n",
	} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v; want %q", file, got, err, want)
		}
	}

	send(t, events, objectEvent("Object Created", name, "a b.md5", "04"))
	s.until("message superseded", "is a checksum record itself")
	send(t, events, objectEvent("Object Created", name, "nothing", "05"))
	s.until("message superseded", "no such object")
	send(t, events, `{"Event":"s3:TestEvent","Service":"Amazon S3","Bucket":"x"}`)
	s.until("message handled")

	for body, reason := range map[string]string{
		objectEvent("Object Created", "secrets", "a", "06"):          `bucket "secrets" is not configured`,
		objectEvent("Object Created", name, "../"+name+"-2/x", "07"): "leads out of the bucket",
		`{"detail":`:                     "JSON",
		strings.Repeat("[", 1<<19):       "exceeded max depth",
		`{"Records":[{"eventName":"x"}]`: "JSON",
	} {
		send(t, events, body)
		letter, err := letters.Receive(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		letter.Ack()
		if string(letter.Body) != body {
			t.Errorf("the dead letter's body is not that of the message: %.100q", letter.Body)
		}
		if got := letter.Metadata["reason_poisoned"]; !strings.Contains(got, reason) || letter.Metadata["attempt"] != "1" {
			t.Errorf("metadata %v; want the reason %q and attempt 1", maps.Collect(maps.All(letter.Metadata)), reason)
		}
	}

	if err := os.Remove(filepath.Join(dir, "a b")); err != nil {
		t.Fatal(err)
	}
	send(t, events, objectEvent("Object Deleted", name, "a b", "08"))
	s.until("object handled", "outcome=removed")
	if status := s.stop(); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
	if got := filesIn(t, dir); len(got) != 0 {
		t.Errorf("files are left: %q", got)
	}
}

func TestServeCheck(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a", []byte("a"))
	queue := "mem://events-" + rand.Text()
	send(t, openTopic(t, queue), objectEvent("Object Created", "inbox", "a", "1"))
	args := []string{"serve", "--check", "--listen", "off", "--queue", queue, "--bucket"}
	if status, _, stderr := call(t, nil, append(args, "inbox=file://"+dir)...); status != exitOK || !strings.Contains(stderr, "can be reached") {
		t.Errorf("status %d, want %d, and a word in\n%s", status, exitOK, stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "a.md5")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a check did some work: %v", err)
	}
	if status, _, stderr := call(t, nil, append(args, "inbox=file://"+dir+"/missing")...); status != exitFailed || !strings.Contains(stderr, "missing") {
		t.Errorf("status %d, want %d, and the bucket in\n%s", status, exitFailed, stderr)
	}
	// No server listens on port 1.
	args = []string{"serve", "--check", "--listen", "off", "--queue", "jetstream://127.0.0.1:1/OBJECTS?consumer=c", "--bucket", "inbox=file://" + dir}
	if status, _, stderr := call(t, nil, args...); status != exitFailed || !strings.Contains(stderr, "--queue") {
		t.Errorf("status %d, want %d, and the queue in\n%s", status, exitFailed, stderr)
	}
}
