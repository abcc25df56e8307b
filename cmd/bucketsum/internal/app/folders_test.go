package app

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/cloudpubsub"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/testenv/folders"
)

var (
	histories   = flag.Int("histories", 70, "how many seeds TestFolders runs")
	firstSeed   = flag.Int64("first-seed", 1, "the first of them")
	oneSeed     = flag.Int64("seed", 0, "run only this seed; its history is printed")
	profileFlag = flag.String("profile", "", fmt.Sprintf("what users do, one of %v; empty: all in turn", folders.Profiles))
	parallel    = flag.Int("side-by-side", 8, "how many histories run at the same time")
)

// ownQueues gives each worker queues of its own. In memory, queues of one name belong to the whole process.
type ownQueues struct {
	cloudpubsub.Driver
	suffix string
}

func (d ownQueues) OpenQueue(ctx context.Context, url string, concurrency int) (queue.Queue, error) {
	return d.Driver.OpenQueue(ctx, url+d.suffix, concurrency)
}

func (d ownQueues) OpenTopic(ctx context.Context, url string) (queue.Topic, error) {
	return d.Driver.OpenTopic(ctx, url+d.suffix)
}

// localWorker runs bucketsum local.
func localWorker(ctx context.Context, s folders.Setup) error {
	err := Local(ctx, LocalConfig{Dir: s.Dir, Settle: s.Settle, Out: s.Out, Worker: Config{
		Drivers: queue.Drivers{ownQueues{suffix: "-" + rand.Text()}}, Concurrency: s.Concurrency, DrainTimeout: s.Drain,
		Resume: handlers.Resume{Above: 100_000, Every: 50_000},
		Observer: pipeline.Observer{Step: func(ctx context.Context, step pipeline.Step, o pipeline.Object) context.Context {
			s.Step(step, o.Key)
			return ctx
		}},
	}})
	if errors.Is(err, ErrIncomplete) {
		return nil
	}
	return err
}

// folderBase returns where the folders are made: in memory if possible.
func folderBase(t *testing.T) string {
	t.Helper()
	if dir, err := os.MkdirTemp("/dev/shm", "bucketsum"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// TestFolders runs random histories of a folder, see package folders.
func TestFolders(t *testing.T) {
	base, began := folderBase(t), time.Now()
	profiles := folders.Profiles
	if *profileFlag != "" {
		profiles = []folders.Profile{folders.Profile(*profileFlag)}
	}
	first, n := *firstSeed, int64(*histories)
	if *oneSeed != 0 {
		first, n = *oneSeed, 1
	}
	var next, ops atomic.Int64
	var failed atomic.Bool
	var all sync.WaitGroup
	for range min(int64(*parallel), n) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < n && !failed.Load(); i = next.Add(1) - 1 {
				h := folders.Draw(profiles[int(first+i)%len(profiles)], first+i)
				if *oneSeed != 0 {
					printHistory(h)
				}
				v, err := folders.Run(base, h, localWorker)
				ops.Add(int64(len(h.Ops)))
				if err != nil {
					t.Errorf("seed %d: %v", h.Seed, err)
				}
				if v != nil && failed.CompareAndSwap(false, true) {
					t.Fail()
					reportFolder(base, h, v, i+1)
				}
			}
		})
	}
	all.Wait()
	if !t.Failed() {
		fmt.Printf("histories: %d seeds %d..%d of %v, %d operations, %.1f per second, violations 0\n",
			n, first, first+n-1, profiles, ops.Load(), float64(n)/time.Since(began).Seconds())
	}
}

// reportFolder prints a violation with the operations that it needs.
func reportFolder(base string, h folders.History, v *folders.Violation, ran int64) {
	short, shortest := folders.Shrink(base, h, v, localWorker)
	fmt.Printf("violation: seed=%d histories=%d profile=%s %s\n", h.Seed, ran, h.Profile, v)
	printHistory(short)
	if len(short.Ops) < len(h.Ops) {
		fmt.Printf("  (shrunk from %d operations) %s\n", len(h.Ops), shortest)
	}
	fmt.Printf("replay: go test ./cmd/bucketsum/internal/app -run '^TestFolders$' -args -profile %s -seed %d\n", h.Profile, h.Seed)
}

func printHistory(h folders.History) {
	for _, o := range h.Ops {
		fmt.Println("  " + o.String())
	}
}

// TestFolderHistories runs histories that random ones found to fail once, and that hold now.
func TestFolderHistories(t *testing.T) {
	base := folderBase(t)
	for name, h := range map[string]folders.History{
		"a link that leads out takes the place of a file": {Profile: folders.Honest, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "link-outside", Path: "d/a", To: "secret"},
		}},
		"a folder is deleted while a record is written": {Profile: folders.Emptied, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "delete-folder", Path: "d", At: pipeline.StepRecord},
		}},
		"a folder takes the place of a file while the worker is down": {Profile: folders.Honest, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "kill"}, {Do: "to-folder", Path: "d/a", Size: 20, N: 1},
		}},
		"renamed folder, then a changed file": {Profile: folders.Moved, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "move", Path: "d", To: "x"}, {Do: "quiet"}, {Do: "put", Path: "x/a", Size: 30, N: 1},
		}},
		"renamed folder, then a deleted file": {Profile: folders.Moved, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "move", Path: "d", To: "x"}, {Do: "quiet"}, {Do: "delete", Path: "x/a"},
		}},
		"renamed folder while the worker is down, and a changed and a deleted file": {Profile: folders.Moved, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "put", Path: "d/b", Size: 20}, {Do: "quiet"}, {Do: "stop"},
			{Do: "move", Path: "d", To: "x"}, {Do: "put", Path: "x/a", Size: 30, N: 1}, {Do: "delete", Path: "x/b"},
		}},
		"cp -a of a folder, then a changed file": {Profile: folders.Copied, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "copy", Path: "d", To: "x"}, {Do: "quiet"}, {Do: "write", Path: "x/a", Size: 30, N: 1},
		}},
		"cp -a of a folder, and a changed file at once": {Profile: folders.Copied, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "copy", Path: "d", To: "x"}, {Do: "write", Path: "x/a", Size: 30, N: 1},
		}},
		"cp -r of a folder, then a changed file": {Profile: folders.Recopied, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "copy-new", Path: "d", To: "x"}, {Do: "quiet"}, {Do: "write", Path: "x/a", Size: 30, N: 1},
		}},
		"folder moved away and back, then a changed file": {Profile: folders.Away, Ops: []folders.Op{
			{Do: "put", Path: "d/a", Size: 20}, {Do: "quiet"}, {Do: "away", Path: "d"}, {Do: "quiet"}, {Do: "back", Path: "d"}, {Do: "quiet"},
			{Do: "put", Path: "d/a", Size: 30, N: 1},
		}},
		"restored without .bucketsum, then a changed file": {Profile: folders.Restored, Ops: []folders.Op{
			{Do: "put", Path: "a", Size: 20}, {Do: "quiet"}, {Do: "stop"}, {Do: "forget"}, {Do: "start"}, {Do: "put", Path: "a", Size: 30, N: 1},
		}},
		"restored without .bucketsum, then a deleted file": {Profile: folders.Restored, Ops: []folders.Op{
			{Do: "put", Path: "a", Size: 20}, {Do: "quiet"}, {Do: "stop"}, {Do: "forget"}, {Do: "start"}, {Do: "delete", Path: "a"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if v, err := folders.Run(base, h, localWorker); v != nil || err != nil {
				t.Errorf("got %v, %v", v, err)
			}
		})
	}
}
