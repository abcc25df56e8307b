package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/pstest"
	"github.com/aws/aws-sdk-go-v2/aws"
	sqsclient "github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
	"github.com/bucketsum/bucketsum/adapters/kafka/kafkatest"
	"github.com/bucketsum/bucketsum/adapters/rabbitmq/rabbitmqtest"
	"github.com/bucketsum/bucketsum/adapters/servicebus/servicebustest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/tcpproxy"
)

// queueServer is the server of a queue technology, or a fake of one.
type queueServer struct {
	runsOn string // the server and its version
	// urls returns the URLs of queues that no other test uses. A missing queue is
	// created when it is opened, the one for dead letters after the one for events.
	urls func(t *testing.T, name string) queueURLs
	// stop kills the server, or cuts its connections; start brings it back with all that
	// it had stored. nil: the server is part of this process.
	stop, start func()
	stops       string // what stop does to it
}

const killed, cutOff = "killed", "cut off"

// queueURLs are the URLs that serve gets, and those from which a test reads what serve
// has sent.
type queueURLs struct {
	queue, deadLetters, results string
	letters, announced          string
	// left returns how many messages of queue or of letters are not acknowledged; nil:
	// the server does not tell.
	left func(t *testing.T, url string) int64
}

// startQueueServers returns, by scheme, functions that start the servers of the suite.
// They may run concurrently, because it sets the environment variables for all of them.
func startQueueServers(t *testing.T) map[string]func(t *testing.T) queueServer {
	google := pstest.NewServer()
	t.Cleanup(func() { google.Close() })
	toGoogle := tcpproxy.Start(t, google.Addr)
	t.Setenv("PUBSUB_EMULATOR_HOST", toGoogle.Address())
	azure := servicebustest.Start(t, 5*time.Second)
	t.Setenv("SERVICEBUS_CONNECTION_STRING", azure.ConnectionString())
	return map[string]func(t *testing.T) queueServer{
		"mem":       memServer,
		"awssqs":    func(t *testing.T) queueServer { return sqsServer(t, "awssqs", "") },
		"sqs":       func(t *testing.T) queueServer { return sqsServer(t, "sqs", ".fifo") },
		"jetstream": jetstreamServer,
		"kafka":     kafkaServer,
		"amqp":      rabbitServer,
		"gcppubsub": func(*testing.T) queueServer { return googleServer(google, toGoogle) },
		"azuresb":   func(*testing.T) queueServer { return azureServer(azure) },
	}
}

func memServer(*testing.T) queueServer {
	return queueServer{runsOn: "itself", urls: func(t *testing.T, name string) queueURLs {
		at := "mem://" + name + "-" + rand.Text() + "-" // they last as long as the process
		u := queueURLs{queue: at + "objects", deadLetters: at + "failed", results: at + "results"}
		u.letters, u.announced = u.deadLetters, u.results
		for _, url := range []string{u.queue, u.deadLetters, u.results} {
			openTopic(t, url)
		}
		return u
	}}
}

// sqsServer is moto behind a proxy that can cut every connection.
func sqsServer(t *testing.T, scheme, suffix string) queueServer {
	direct := awsenv.StartMoto(t)
	var down atomic.Bool
	server := direct.Before(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if down.Load() {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
			}
			return
		}
		next.ServeHTTP(w, r)
	})
	client := sqsclient.New(sqsclient.Options{
		Region: awsenv.Region, BaseEndpoint: &direct.URL,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: awsenv.AccessKey, SecretAccessKey: awsenv.SecretKey}, nil
		}),
	})
	create := func(t *testing.T, name string) string {
		attributes := map[string]string{"VisibilityTimeout": "5"}
		if suffix != "" {
			attributes["FifoQueue"] = "true"
		}
		made, err := client.CreateQueue(t.Context(), &sqsclient.CreateQueueInput{QueueName: aws.String(name + suffix), Attributes: attributes})
		if err != nil {
			t.Fatal(err)
		}
		return awsenv.QueueURL(t, *made.QueueUrl, scheme) + "&waittime=1s&endpoint=" + server.URL
	}
	left := func(t *testing.T, url string) (n int64) {
		name := url[strings.LastIndex(url[:strings.Index(url, "?")], "/")+1 : strings.Index(url, "?")]
		found, err := client.GetQueueUrl(t.Context(), &sqsclient.GetQueueUrlInput{QueueName: &name})
		if err != nil {
			t.Fatal(err)
		}
		got, err := client.GetQueueAttributes(t.Context(), &sqsclient.GetQueueAttributesInput{
			QueueUrl: found.QueueUrl, AttributeNames: []types.QueueAttributeName{types.QueueAttributeNameAll},
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []string{"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"} {
			one, err := strconv.ParseInt(got.Attributes[a], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			n += one
		}
		return n
	}
	return queueServer{
		runsOn: "moto " + minor(awsenv.MotoVersion(t)),
		urls: func(t *testing.T, name string) queueURLs {
			u := queueURLs{queue: create(t, name), deadLetters: create(t, name+"-failed"), results: create(t, name+"-results"), left: left}
			u.letters, u.announced = u.deadLetters, u.results
			return u
		},
		stop:  func() { down.Store(true) },
		start: func() { down.Store(false) },
		stops: cutOff,
	}
}

func jetstreamServer(t *testing.T) queueServer {
	s := jetstreamtest.StartSafe(t)
	const consumer = "workers"
	return queueServer{
		runsOn: "nats-server " + minor(jetstreamtest.Version),
		urls: func(t *testing.T, name string) queueURLs {
			for _, stream := range []string{name, name + "-failed", name + "-results"} {
				jetstreamAdmin(t, s, func(js jetstream.JetStream) error {
					_, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: stream, Subjects: []string{stream}})
					_, err2 := js.CreateConsumer(t.Context(), stream, jetstream.ConsumerConfig{
						// Messages in flight when the server stops come back after this time.
						Durable: consumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 5 * time.Second,
					})
					return errors.Join(err, err2)
				})
			}
			queue := func(stream string) string { return s.URL(stream, "consumer="+consumer) }
			return queueURLs{
				queue: queue(name), deadLetters: s.URL(name+"-failed", ""), results: s.URL(name+"-results", ""),
				letters: queue(name + "-failed"), announced: queue(name + "-results"),
				left: func(t *testing.T, url string) int64 {
					return jetstreamLeft(t, s, url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")], consumer)
				},
			}
		},
		stop: s.Kill, start: s.Resume, stops: killed,
	}
}

func jetstreamAdmin(t *testing.T, s *jetstreamtest.Server, do func(jetstream.JetStream) error) {
	t.Helper()
	nc, err := nats.Connect("nats://" + s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		err = do(js)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// jetstreamLeft returns how many messages the consumer of a stream has not acknowledged.
func jetstreamLeft(t *testing.T, s *jetstreamtest.Server, stream, consumer string) (n int64) {
	t.Helper()
	jetstreamAdmin(t, s, func(js jetstream.JetStream) error {
		c, err := js.Consumer(t.Context(), stream, consumer)
		if err == nil {
			n = int64(c.CachedInfo().NumPending) + int64(c.CachedInfo().NumAckPending)
		}
		return err
	})
	return n
}

func kafkaServer(t *testing.T) queueServer {
	s := kafkatest.Start(t, 3)
	return queueServer{
		runsOn: "kfake (franz-go)",
		urls:   func(_ *testing.T, name string) queueURLs { return kafkaURLs(s, name) },
		stop:   s.Kill, start: s.Resume, stops: killed,
	}
}

func kafkaURLs(s *kafkatest.Server, name string) queueURLs {
	const group = "workers"
	queue := func(topic string) string { return s.URL(topic, "create=true&group="+group) }
	return queueURLs{
		queue: queue(name), deadLetters: s.URL(name+"-failed", "create=true"), results: s.URL(name+"-results", "create=true"),
		letters: queue(name + "-failed"), announced: queue(name + "-results"),
		left: func(_ *testing.T, url string) int64 {
			return s.Left(url[strings.LastIndex(url, "/")+1:strings.Index(url, "?")], group)
		},
	}
}

func rabbitServer(t *testing.T) queueServer {
	s := rabbitmqtest.Start(t)
	return queueServer{
		runsOn: "RabbitMQ " + minor(s.Version()),
		urls:   rabbitQueues(s),
		stop:   s.Stop, start: s.Resume, stops: "stopped in order",
	}
}

// rabbitQueues returns the URLs of queues that are created unless they are there.
func rabbitQueues(s *rabbitmqtest.Server) func(t *testing.T, name string) queueURLs {
	return func(_ *testing.T, name string) queueURLs {
		failed, results := s.URL("queue="+name+".dead"), s.URL("create=true&queue="+name+"-results")
		return queueURLs{
			queue: s.URL("create=true&queue=" + name), deadLetters: failed, results: results, letters: failed, announced: results,
			left: func(_ *testing.T, url string) int64 {
				if s.Empty(url[strings.Index(url, "queue=")+len("queue="):]) {
					return 0
				}
				return 1
			},
		}
	}
}

// googleServer is Google's fake, which stores nothing: stop cuts its connections.
func googleServer(s *pstest.Server, to *tcpproxy.Proxy) queueServer {
	return queueServer{
		runsOn: "pstest (Google)",
		urls: func(_ *testing.T, name string) queueURLs {
			queue := func(topic string) string {
				return fmt.Sprintf("gcppubsub://projects/p/subscriptions/%s?topic=%s&create=true", topic, topic)
			}
			u := queueURLs{queue: queue(name), deadLetters: queue(name + "-failed"), results: queue(name + "-results")}
			u.letters, u.announced = u.deadLetters, u.results
			u.left = func(_ *testing.T, url string) (n int64) {
				_, topic, _ := strings.Cut(strings.TrimSuffix(url, "&create=true"), "topic=")
				for _, m := range s.Messages() {
					if m.Topic == "projects/p/topics/"+topic && m.Acks == 0 {
						n++
					}
				}
				return n
			}
			return u
		},
		stop: to.Cut, start: to.Mend, stops: cutOff,
	}
}

// azureServer is our fake of Service Bus, which keeps its messages while it is stopped.
func azureServer(s *servicebustest.Server) queueServer {
	return queueServer{
		runsOn: "our stand-in",
		urls: func(_ *testing.T, name string) queueURLs {
			for _, queue := range []string{name, name + "-failed", name + "-results"} {
				s.Queue(queue)
			}
			u := queueURLs{queue: "azuresb://" + name, deadLetters: "azuresb://" + name + "-failed", results: "azuresb://" + name + "-results"}
			u.letters, u.announced = u.deadLetters, u.results
			u.left = func(_ *testing.T, url string) int64 { return int64(s.Left(strings.TrimPrefix(url, "azuresb://"))) }
			return u
		},
		stop: s.Stop, start: s.Resume, stops: cutOff,
	}
}

// minor returns a version without its patch number.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}
