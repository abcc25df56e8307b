// Package storm runs bucketsum's workers under faults, as real processes, and checks that no
// object is lost and no wrong checksum is recorded.
//
// A storm has lanes. A lane is one configuration: buckets on versitygw or a folder, a queue
// of the strict SQS model (package sqstest), and workers (`bucketsum serve` or `local`).
// Users change objects and send the events that S3 would send, doubled, delayed and out of
// order. Workers reach the store and the queue over TLS, through one proxy that injects
// faults; they are killed, frozen and drained at random. A watcher reads records and results
// all the time. At the end the faults stop, the queues drain, and everything is compared with
// what the users know.
//
// The seed decides what users do and which faults are drawn. Processes and the network add
// their own timing, so that a storm does not replay exactly: package sim does.
//
//	go test ./testenv/storm                                    # a short one
//	go test ./testenv/storm -timeout 0 -v -args -for 1h -ops 100000 -seed 1
//	go test ./testenv/storm -timeout 0 -v -args -for 20m -faults each
//	go test ./testenv/storm -timeout 0 -v -args -for 40m -faults pairs
//	go test ./testenv/storm -timeout 0 -v -args -for 1m -faults lost
//	go test ./testenv/storm -timeout 0 -v -args -for 1m -faults lost+kill -lanes sidecar
package storm

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/sqs/sqstest"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// Config says what a storm is like. All fields but JSON and Logs are needed.
type Config struct {
	For       time.Duration // how long users work and faults happen
	Ops       int           // how many changes users try to make in that time
	Seed      uint64
	Workers   int           // of each lane; one more is never killed
	Faults    string        // see parseFaults
	Lanes     []string      // see laneNames
	KillEvery time.Duration // between two things that are done to workers of a lane, on average
	JSON      string        // a file that takes one line of JSON for each report
	Logs      string        // a folder that takes the output of the workers
}

// storm is a run.
type storm struct {
	t      testing.TB
	config Config
	seed   uint64

	binary, dir string
	gateway     string // URL of versitygw
	s3          *s3.Client
	sqs         *sqstest.Server
	proxy       *proxy
	lanes       []*lane
	users       *users
	outbox      *outbox
	chaosDice   *dice
	logs        *logFile

	duration, killEvery, watchEvery, sampleEvery, patience time.Duration

	began                         time.Time
	lasted                        time.Duration
	samples                       []sample // of one goroutine, until it ended
	events, seen, results, logged *tally
	wrong                         atomic.Int64
	explained                     []string
	tallies                       map[string]map[string]int // at the end, by lane

	mu          sync.Mutex
	faultsFound []string
}

// mostFaults is how many faults a storm prints.
const mostFaults = 40

// fault notes that a promise was broken, or that the storm itself failed.
func (s *storm) fault(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.mu.Lock()
	s.faultsFound = append(s.faultsFound, text)
	n := len(s.faultsFound)
	s.mu.Unlock()
	if n <= mostFaults {
		s.t.Errorf("%s after %s: %s", time.Now().Format("15:04:05.000"), time.Since(s.began).Round(time.Second), text)
	}
}

// Run runs a storm. Every broken promise fails the test.
func Run(t testing.TB, c Config) {
	t.Helper()
	sets, err := parseFaults(c.Faults)
	if err != nil {
		t.Fatal(err)
	}
	s := &storm{
		t: t, config: c, seed: c.Seed, dir: t.TempDir(), duration: c.For, killEvery: c.KillEvery,
		watchEvery: min(max(c.For/500, 40*time.Millisecond), 100*time.Millisecond), sampleEvery: max(c.For/400, 500*time.Millisecond), patience: 2 * time.Minute,
		chaosDice: newDice(c.Seed, 1), tallies: make(map[string]map[string]int),
		events: newTally(), seen: newTally(), results: newTally(), logged: newTally(),
	}
	s.set(t)
	for _, l := range s.lanes {
		for n := range c.Workers + 1 {
			w := &worker{storm: s, lane: l, name: fmt.Sprintf("%s-%d", l.name, n), survivor: n == c.Workers}
			if l.local && n > 0 {
				break // one process for a folder
			}
			l.workers = append(l.workers, w)
		}
	}
	var processes sync.WaitGroup
	t.Cleanup(func() { s.stopAll(&processes) })
	s.startAll(&processes)
	s.blow(t, sets)
	s.t.Log("\n" + s.report())
	s.writeJSON("end", map[string]any{
		"operations": s.operations(), "lost": s.lostAtEnd(), "wrong": s.wrong.Load(), "faults": s.faultsFound,
		"injected": s.proxy.faultsServed.counts(), "processes": s.events.counts(), "lanes": s.tallies, "explained": s.explained,
	})
}

// set makes the servers, buckets, queues and the program.
func (s *storm) set(t testing.TB) {
	t.Helper()
	gateway := awsenv.StartVersitygw(t)
	s.gateway = gateway.URL
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	t.Cleanup(transport.CloseIdleConnections)
	s.s3 = newS3Client(gateway.URL, transport)
	s.sqs = sqstest.NewServer()
	log := newRequests(s.fault)
	s.proxy = startProxy(t, newDice(s.seed, 2), gateway.URL, s.sqs, log)
	s.makeBucket(t, elsewhere, false)
	for _, name := range s.config.Lanes {
		l := newLane(t, s, name)
		log.allow(l)
		s.lanes = append(s.lanes, l)
	}
	s.outbox = &outbox{dice: newDice(s.seed, 3), sent: newTally(), short: s.duration < 5*time.Minute}
	s.users = &users{storm: s, dice: newDice(s.seed, 4), outbox: s.outbox, ops: newTally()}
	if s.config.Logs != "" {
		var err error
		if s.logs, err = newLogFile(s.config.Logs); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.logs.f.Close() }) // it is for reading only
	}
	s.binary = filepath.Join(s.dir, "bucketsum")
	build := exec.Command("go", "build", "-o", s.binary, "github.com/bucketsum/bucketsum/cmd/bucketsum")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
}

func (s *storm) makeBucket(t testing.TB, name string, versioned bool) {
	t.Helper()
	if _, err := s.s3.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatal(err)
	}
	if !versioned {
		return
	}
	if _, err := s.s3.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	}); err != nil {
		t.Fatal(err)
	}
}

// bucketURL returns the URL by which workers open a bucket, through the proxy.
func (s *storm) bucketURL(name string) string {
	return "s3://" + name + "?" + url.Values{"region": {awsenv.Region}, "use_path_style": {"true"}}.Encode()
}

// environ returns the environment of a lane's workers.
func (s *storm) environ(l *lane) []string {
	return append(awsenv.Server{URL: s.proxy.url, Authority: s.proxy.bundle}.Environ(),
		"AWS_SDK_UA_APP_ID="+l.name, "TMPDIR="+os.TempDir())
}

// startAll starts the workers and waits until all of them serve.
func (s *storm) startAll(processes *sync.WaitGroup) {
	for _, l := range s.lanes {
		for _, w := range l.workers {
			processes.Go(w.run)
		}
	}
	s.waitServing(time.Minute)
}

// waitServing waits until every worker serves.
func (s *storm) waitServing(limit time.Duration) {
	for deadline := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		idle := ""
		for _, l := range s.lanes {
			for _, w := range l.workers {
				w.mu.Lock()
				if w.address == "" {
					idle = w.name
				}
				w.mu.Unlock()
			}
		}
		if idle == "" {
			return
		}
		if time.Now().After(deadline) {
			s.fault("%s does not serve after %s", idle, limit)
			return
		}
	}
}

// stopAll ends the workers.
func (s *storm) stopAll(processes *sync.WaitGroup) {
	for _, l := range s.lanes {
		for _, w := range l.workers {
			w.stop()
		}
	}
	processes.Wait()
}

// blow is the storm: users and faults, then calm, then the verdict.
func (s *storm) blow(t testing.TB, sets []*faults) {
	s.began = time.Now()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	defer stop()
	var helpers, chaos sync.WaitGroup
	helpers.Go(func() { s.watch(ctx) })
	helpers.Go(func() { s.listen(ctx) })
	sampling, stopSampling := context.WithCancel(ctx)
	var sampler sync.WaitGroup
	sampler.Go(func() { s.measure(sampling) })
	trouble, endTrouble := context.WithCancel(ctx)
	chaos.Go(func() { s.chaos(trouble) })
	// Sweeps over the buckets and redrives of dead letters, once there are commands for them,
	// run beside the users: as helpers that end with trouble.

	s.work(ctx, sets)

	s.lasted = time.Since(s.began)
	s.calm()
	endTrouble()
	chaos.Wait()
	stopSampling()
	sampler.Wait()
	s.t.Logf("%s the faults have ended; %d operations", clock(s.began), s.operations())
	s.waitServing(time.Minute)
	s.settle(ctx)
	s.verdict(ctx)
	s.checkFlat()
	stop()
	helpers.Wait()
	s.checkLetters()
}

// work lets the users work, through all sets of faults.
func (s *storm) work(ctx context.Context, sets []*faults) {
	ticks := make(chan *phase)
	var running sync.WaitGroup
	running.Go(func() { s.users.run(ctx, ticks) })
	length := s.duration / time.Duration(len(sets))
	if len(sets) == 1 { // new keys every minute
		for range int(s.duration/time.Minute) - 1 {
			sets = append(sets, sets[0])
		}
		length = s.duration / time.Duration(len(sets))
	}
	places := 0
	for _, l := range s.lanes {
		places += len(l.places)
	}
	perPhase := max(s.config.Ops/len(sets), 1)
	keys := min(max(perPhase/places/5, 6), 60)
	interval := s.duration / time.Duration(s.config.Ops)
	next := s.began
	for n, set := range sets {
		ph := &phase{n: n, faults: set, keys: keys, from: time.Now()}
		s.proxy.storeOutage.Store(0)
		s.proxy.sqsOutage.Store(0)
		s.proxy.faults.Store(set)
		end := time.After(time.Until(s.began.Add(length * time.Duration(n+1))))
		for over := false; !over; {
			next = next.Add(interval) // a storm that is late catches up
			select {
			case <-end:
				over = true
				continue
			case <-time.After(time.Until(next)):
			}
			select {
			case ticks <- ph:
			case <-end:
				over = true
			}
		}
		s.progress(ph)
	}
	close(ticks)
	running.Wait()
}

// progress prints a line at the end of a phase.
func (s *storm) progress(ph *phase) {
	waiting := 0
	for _, l := range s.lanes {
		if l.queue != nil {
			n, _ := l.queue.waiting(context.Background()) // the model does not fail
			waiting += n
		}
	}
	s.mu.Lock()
	found := len(s.faultsFound)
	s.mu.Unlock()
	events := s.events.counts()
	s.t.Logf("%s %s %s: %d operations, %d messages wait, %d kills, %d freezes, %d drains, %d faults found",
		clock(s.began), ph, ph.faults, s.operations(), waiting, events["kill"], events["freeze"], events["drain"], found)
	s.writeJSON("progress", map[string]any{
		"phase": ph.n, "faults": ph.faults.String(), "operations": s.operations(), "waiting": waiting, "processes": events, "found": found,
	})
}

// clock returns how long the storm has lasted.
func clock(began time.Time) string { return time.Since(began).Round(time.Second).String() }
