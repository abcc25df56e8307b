//go:build !race

package main

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sqsclient "github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// TestMemoryOfLargeMessages gives a serve process with --concurrency 64 messages of almost
// 1 MiB whose records are all {}, and honest events among them. One such message may cost
// little; one for each place may cost a few times its size. (The race detector takes several
// times as much.)
func TestMemoryOfLargeMessages(t *testing.T) {
	t.Run("one", func(t *testing.T) { testMemory(t, 1, 150<<20) })
	t.Run("64", func(t *testing.T) { testMemory(t, 64, 150<<20) })
}

func testMemory(t *testing.T, large, most int) {
	const places = 64
	server := httptest.NewServer(sqstest.NewServer())
	t.Cleanup(server.Close)
	environ := []string{"AWS_ACCESS_KEY_ID=" + awsenv.AccessKey, "AWS_SECRET_ACCESS_KEY=" + awsenv.SecretKey, "AWS_EC2_METADATA_DISABLED=true"}
	client := sqsclient.New(sqsclient.Options{Region: awsenv.Region, BaseEndpoint: &server.URL, Credentials: aws.AnonymousCredentials{}})
	queues := make(map[string]string) // URLs for serve
	for _, name := range []string{"objects", "failed"} {
		made, err := client.CreateQueue(t.Context(), &sqsclient.CreateQueueInput{QueueName: &name})
		if err != nil {
			t.Fatal(err)
		}
		queues[name] = *made.QueueUrl
	}
	dir := t.TempDir()
	// The dead letters need room for their reason.
	body := `{"Records":[` + strings.Repeat("{},", (1<<20-4000)/3) + `{}]}`
	for i := range places {
		key := fmt.Sprintf("f%d", i)
		write(t, dir, key, []byte(key))
		messages := []string{objectEvent("Object Created", "photos", key, "01")}
		if i < large {
			messages = append(messages, body)
		}
		for _, m := range messages {
			if _, err := client.SendMessage(t.Context(), &sqsclient.SendMessageInput{QueueUrl: aws.String(queues["objects"]), MessageBody: &m}); err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(name string) string {
		return awsenv.QueueURL(t, queues[name], "awssqs") + "&endpoint=" + server.URL
	}
	worker := startWith(t, program.Options{Environ: environ}, "serve", "--listen", "off", "--concurrency", fmt.Sprint(places), "--queue", at("objects"), "--dead-letter", at("failed"), "--bucket", "photos=file://"+dir)
	start, recorded := time.Now(), time.Duration(0)
	letters := 0
	worker.Until(places+large, func(line string) bool {
		if strings.Contains(line, "message dead-lettered") && strings.Contains(line, "Records has more than 10000 items") {
			letters++
			return true
		}
		if strings.Contains(line, "object handled") && strings.Contains(line, "outcome=recorded") {
			recorded = time.Since(start)
			return true
		}
		return false
	})
	used := mostMemory(t, worker.PID())
	t.Logf("%d messages of %d bytes and %d honest events: at most %d MiB resident; the last honest event was handled after %s, everything after %s",
		letters, len(body), places, used>>20, recorded.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	if used > most {
		t.Errorf("the process used %d MiB, want at most %d", used>>20, most>>20)
	}
	if letters != large {
		t.Errorf("%d dead letters, want %d", letters, large)
	}
	if got := len(recordsIn(t, dir)); got != places {
		t.Errorf("%d records, want %d", got, places)
	}
	if status := worker.Stop(syscall.SIGTERM); status != exitOK {
		t.Errorf("exit status is %d", status)
	}
}

// mostMemory returns the most memory that a process had resident, in bytes.
func mostMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int
	if _, err := fmt.Sscan(rest, &kilobytes); err != nil {
		t.Fatalf("no VmHWM in %s: %v", status, err)
	}
	return kilobytes << 10
}
