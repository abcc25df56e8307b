package main

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/bucketsum/bucketsum/adapters/cloudevents"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/program"
)

// killer is an object that kills the worker that reads it.
type killer struct {
	mu     sync.Mutex
	worker *program.Process // nil: it was killed
	kills  int
}

func (k *killer) start(start func() *program.Process) *program.Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.worker = start()
	return k.worker
}

// kill returns when the worker cannot send another request.
func (k *killer) kill() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.worker != nil {
		k.worker.Kill()
		<-k.worker.Ended
		k.worker = nil
		k.kills++
	}
}

// TestObjectThatKillsItsWorker: an object that kills each worker that reads it becomes a
// dead letter with the number of interruptions, and all other objects get their records.
// These come after the first kill, because the queue counts the deliveries of all messages
// that a worker dies with: a message that had as many as the killer would be given up, too.
func TestObjectThatKillsItsWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers, and a worker eleven times")
	}
	t.Parallel()
	for scheme, startServer := range map[string]func(*testing.T) queueServer{"jetstream": jetstreamServer, "amqp": rabbitServer} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			var k killer
			store := awsenv.StartMoto(t)
			proxy := store.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method == "GET" && r.URL.Path == "/objects/killer" {
					k.kill()
					return
				}
				next.ServeHTTP(w, r)
			})
			client := s3.New(s3.Options{
				Region: awsenv.Region, BaseEndpoint: &store.URL, UsePathStyle: true,
				Credentials: credentials.NewStaticCredentialsProvider(awsenv.AccessKey, awsenv.SecretKey, ""),
			})
			if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("objects")}); err != nil {
				t.Fatal(err)
			}
			f := newFlow(t, startServer(t).urls(t, "objects"))
			f.bucket, f.url = "objects", "s3://objects?use_path_style=true"
			put := func(key string) string {
				if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &f.bucket, Key: &key, Body: bytes.NewReader(contentOf(key))}); err != nil {
					t.Fatal(err)
				}
				return created(f.bucket, key)
			}
			kills := put("killer")
			f.wantLetters[kills] = fmt.Sprintf("interrupted %d times", mostDeliveries)
			f.wantResults[outcome{cloudevents.TypeFailed, f.bucket, "killer", ""}] = true
			f.mustSend(kills)
			start := func() *program.Process {
				return k.start(func() *program.Process {
					return startWith(t, program.Options{Environ: proxy.Environ()}, append([]string{"serve", "--listen", "off"}, f.flags()...)...)
				})
			}
			for range start().Lines { // until it is killed
			}
			for i := range 20 {
				key := fmt.Sprint("other-", i)
				f.wantResults[outcome{cloudevents.TypeRecorded, f.bucket, key, sumOf(contentOf(key))}] = true
				f.mustSend(put(key))
			}
			var worker *program.Process
			for givenUp := false; !givenUp; {
				worker = start()
				for line := range worker.Lines { // until it is killed
					if givenUp = strings.Contains(line, `msg="message dead-lettered"`); givenUp {
						break
					}
				}
			}
			f.until("waiting for everything else", func() bool { return len(f.missing()) == 0 })
			if k.kills != mostDeliveries {
				t.Errorf("it was worked on %d times, want %d", k.kills, mostDeliveries)
			}
			go func() { // lets it write its log
				for range worker.Lines {
				}
			}()
			if status := worker.Stop(syscall.SIGTERM); status != exitOK {
				t.Errorf("exit status is %d", status)
			}
		})
	}
}
