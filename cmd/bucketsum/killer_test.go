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
)

// killer kills the worker that reads the object "killer", once the worker has written a
// record, or all records are there: a faster kill would keep the others from theirs.
type killer struct {
	mu     sync.Mutex
	worker *running        // nil: it was killed
	wrote  chan struct{}   // closed when the worker may be killed
	left   map[string]bool // paths of records that are not there yet
	kills  int
}

func (k *killer) start(start func() *running) *running {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wrote = make(chan struct{})
	k.worker = start()
	if len(k.left) == 0 {
		close(k.wrote)
	}
	return k.worker
}

func (k *killer) written(path string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.left, path)
	select {
	case <-k.wrote:
	default:
		close(k.wrote)
	}
}

// kill returns when the worker is gone.
func (k *killer) kill(r *http.Request) {
	k.mu.Lock()
	worker, wrote := k.worker, k.wrote
	k.mu.Unlock()
	select {
	case <-wrote:
	case <-r.Context().Done():
		return // the worker gave it up
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if worker != nil && k.worker == worker {
		k.worker.cmd.Process.Kill()
		k.worker = nil
		k.kills++
	}
}

// TestObjectThatKillsItsWorker: an object that kills each worker that reads it becomes a
// dead letter with the number of interruptions, and all other objects get their records.
func TestObjectThatKillsItsWorker(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts servers, and a worker eleven times")
	}
	for scheme, start := range map[string]func(*testing.T) queueServer{"jetstream": jetstreamServer, "amqp": rabbitServer} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			k := killer{left: make(map[string]bool)}
			store := awsenv.StartMoto(t)
			proxy := store.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
				if r.Method == "GET" && r.URL.Path == "/objects/killer" {
					k.kill(r)
					return
				}
				next.ServeHTTP(w, r)
				if r.Method == "PUT" && strings.HasSuffix(r.URL.Path, ".md5") {
					k.written(r.URL.Path)
				}
			})
			client := s3.New(s3.Options{
				Region: awsenv.Region, BaseEndpoint: &store.URL, UsePathStyle: true,
				Credentials: credentials.NewStaticCredentialsProvider(awsenv.AccessKey, awsenv.SecretKey, ""),
			})
			if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("objects")}); err != nil {
				t.Fatal(err)
			}
			f := newFlow(t, start(t).urls(t, "objects"))
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
			for i := range 20 {
				key := fmt.Sprint("other-", i)
				k.left["/objects/"+key+".md5"] = true
				f.wantResults[outcome{cloudevents.TypeRecorded, f.bucket, key, sumOf(contentOf(key))}] = true
				f.mustSend(put(key))
			}
			var worker *running
			for givenUp := false; !givenUp; {
				worker = k.start(func() *running {
					return startWith(t, proxy.Environ(), append([]string{"serve", "--listen", "off"}, f.flags()...)...)
				})
				for line := range worker.lines { // until it is killed
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
				for range worker.lines {
				}
			}()
			if status := worker.stop(syscall.SIGTERM); status != exitOK {
				t.Errorf("exit status is %d", status)
			}
		})
	}
}
