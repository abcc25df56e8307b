package powercut_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/folder"
	"github.com/bucketsum/bucketsum/handlers"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/testenv/powercut"
	"github.com/bucketsum/bucketsum/testenv/program"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

// experiment is a run of bucketsum that was traced.
type experiment struct {
	cutting
	dir     string
	log     powercut.Log
	place   blobstore.Layout
	objects map[string]string // content by key
	former  map[string]string // content before the last change
}

func newExperiment(t *testing.T, c cutting) *experiment {
	t.Helper()
	x := &experiment{cutting: c, dir: powercut.MemoryDir(t), place: c.layoutOf(t)}
	for _, files := range []map[string]string{c.before, c.own} {
		for name, content := range files {
			sample.Write(t, x.dir, name, []byte(content))
		}
	}
	x.objects = x.find(t)
	if c.change != nil {
		if err := x.start(t); err != nil {
			t.Fatal(err)
		}
		x.former = x.objects
		c.change(t, x.dir)
		x.objects = x.find(t)
	}
	cmd := exec.Command(program.Build(t), x.args(x.dir)...)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	x.log = powercut.Trace(t, x.dir, cmd, func() bool { return x.complete() == nil })
	return x
}

// find returns the objects in the folder.
func (x *experiment) find(t *testing.T) map[string]string {
	t.Helper()
	tree, err := powercut.Read(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for key, e := range tree {
		if !e.Dir && !strings.HasPrefix(key, ".bucketsum/") && !x.place.IsRecord(key) {
			found[key] = e.Data
		}
	}
	return found
}

func (x *experiment) states(t *testing.T, log powercut.Log) []powercut.State {
	t.Helper()
	states, err := log.States(powercut.Choose{
		Most: *powercutMost, Seed: *powercutSeed,
		Scratch: func(key string) bool {
			return strings.HasPrefix(key, ".bucketsum/tmp/") || strings.HasPrefix(key, ".bucketsum/locks/")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return states
}

func (x *experiment) upTo(moment int) string {
	var s strings.Builder
	for i, o := range x.log.Ops[:moment+1] {
		fmt.Fprintf(&s, "%3d %s\n", i, o)
	}
	return s.String()
}

// check makes the folder that a power cut has left, looks at it, and starts bucketsum on it.
func (x *experiment) check(t *testing.T, s powercut.State, repair func(*testing.T) error) error {
	if err := s.Tree.Restore(x.dir); err != nil {
		t.Fatal(err)
	}
	if err := x.harmless(s.Printed); err != nil {
		return fmt.Errorf("after the cut: %w", err)
	}
	if err := repair(t); err != nil {
		return fmt.Errorf("after the next start: %w", err)
	}
	return nil
}

// harmless returns what is wrong before the next start.
func (x *experiment) harmless(printed string) error {
	if err := x.untouched(); err != nil {
		return err
	}
	announced := announcedIn(printed)
	return x.withStore(func(s *blobstore.Store) error {
		for key := range x.allKeys() {
			for _, alg := range x.algs() {
				record := x.place.RecordKey(key, alg)
				if _, theirs := x.own[record]; theirs {
					continue
				}
				if err := x.recordOf(s, key, alg, announced[key]); err != nil {
					return fmt.Errorf("%s: %w", record, err)
				}
			}
		}
		return nil
	})
}

var announcedLine = regexp.MustCompile(`(?m)^(?:(?:md5 +)?[0-9a-f]{32,}|record removed) .*  (\S+)$`)

func announcedIn(printed string) map[string]bool {
	found := make(map[string]bool)
	for _, m := range announcedLine.FindAllStringSubmatch(printed, -1) {
		found[m[1]] = true
	}
	return found
}

// recordOf returns what is wrong with the record of a key. If it was announced it must be there.
func (x *experiment) recordOf(s *blobstore.Store, key, alg string, announced bool) error {
	data, err := os.ReadFile(filepath.Join(x.dir, x.place.RecordKey(key, alg)))
	content, exists := x.objects[key]
	former, existed := x.former[key]
	switch line := strings.Replace(string(data), " *", "  ", 1); {
	case os.IsNotExist(err):
		if announced && exists {
			return errors.New("it was announced and is gone")
		}
		return nil
	case err != nil:
		return err
	case exists && line == lineOf(alg, key, content):
	case existed && line == lineOf(alg, key, former) && !announced:
		return nil
	default:
		return fmt.Errorf("it is %q", data)
	}
	if !announced {
		return nil
	}
	return x.covered(s, key)
}

// covered returns an error if no record is of the current version of an object.
func (x *experiment) covered(s *blobstore.Store, key string) error {
	o, err := s.Bucket().Source.Stat(context.Background(), pipeline.Object{Bucket: "bucket", Key: key, Size: pipeline.UnknownSize})
	if err != nil {
		return err
	}
	r, _, err := s.Bucket().Records.Lookup(context.Background(), o)
	if err != nil {
		return err
	}
	if !r.Covers(o, x.algs()) {
		return fmt.Errorf("the record is of another version: %v, not %v", r.Source, o)
	}
	return nil
}

func lineOf(alg, key, content string) string {
	d, err := digest.New(alg)
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(d, content) // never fails
	return digest.FormatLine(d.Sums()[alg], path.Base(key))
}

func (x *experiment) allKeys() map[string]string {
	all := maps.Clone(x.objects)
	maps.Copy(all, x.former)
	return all
}

// untouched returns an error if a file of the user's is not as it was.
func (x *experiment) untouched() error {
	for _, files := range []map[string]string{x.objects, x.own} {
		for name, content := range files {
			if data, err := os.ReadFile(filepath.Join(x.dir, name)); err != nil || string(data) != content {
				return fmt.Errorf("the user's %s was harmed: %q, %w", name, data, err)
			}
		}
	}
	return nil
}

// complete returns nil if each object has its record, and no record is there without its object.
func (x *experiment) complete() error {
	if err := x.untouched(); err != nil {
		return err
	}
	return x.withStore(func(s *blobstore.Store) error {
		for key := range x.allKeys() {
			if slices.Contains(x.refused, key) {
				continue
			}
			for _, alg := range x.algs() {
				record := x.place.RecordKey(key, alg)
				content, exists := x.objects[key]
				data, err := os.ReadFile(filepath.Join(x.dir, record))
				switch line := strings.Replace(string(data), " *", "  ", 1); {
				case !exists && os.IsNotExist(err):
					continue
				case err != nil:
					return err
				case !exists, line != lineOf(alg, key, content):
					return fmt.Errorf("%s is %q", record, data)
				}
				if _, theirs := x.own[record]; theirs {
					continue
				}
				if err := x.covered(s, key); err != nil {
					return fmt.Errorf("%s: %w", record, err)
				}
			}
		}
		return nil
	})
}

func (x *experiment) withStore(do func(*blobstore.Store) error) error {
	bucket, err := folder.Open(x.dir)
	if err != nil {
		return err
	}
	s := blobstore.New(bucket, "bucket", blobstore.Config{Layout: x.place, Algorithms: x.algs()})
	return errors.Join(do(s), s.Close())
}

// start runs the program until the folder is complete.
func (x *experiment) start(t *testing.T) error {
	r := program.Options{}.Start(t, program.Build(t), x.args(x.dir)...)
	r.Until(1, program.Contains("is the bucket"))
	lines, late := r.Lines, time.After(2*time.Minute) // as Until does, on a machine with much else to do
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	fault := errors.New("it did not end")
	for waiting := true; waiting && fault != nil; {
		select {
		case _, ok := <-lines: // read, so that the program goes on
			if !ok {
				lines = nil
			}
		case <-look.C:
			fault = x.complete()
		case <-late:
			waiting = false
		}
	}
	if status := r.Stop(syscall.SIGTERM); fault == nil && status != 0 && len(x.refused) == 0 {
		fault = fmt.Errorf("exit status %d", status)
	}
	if fault != nil {
		return fmt.Errorf("%w; bucketsum says:\n%s", fault, strings.Join(r.Output(), "\n"))
	}
	return nil
}

// handle does what a start does, with the same store and handler but without the queue and the watcher,
// which takes a tenth of the time.
func (x *experiment) handle(t *testing.T) error {
	ctx := t.Context()
	err := x.withStore(func(s *blobstore.Store) error {
		if err := errors.Join(s.CheckWritable(), s.CleanUp(ctx)); err != nil {
			return err
		}
		b := s.Bucket()
		do, err := handlers.New(handlers.Config{
			Buckets: map[string]pipeline.Bucket{"bucket": b}, Algorithms: x.algs(), Resume: handlers.Resume{Above: x.resume, Every: x.resume},
		})
		if err != nil {
			return err
		}
		for o, err := range s.List(ctx) {
			if err != nil {
				return err
			}
			if slices.Contains(x.refused, o.Key) {
				continue
			}
			record, _, err := b.Records.Lookup(ctx, o)
			if err == nil && record.Covers(o, x.algs()) {
				continue
			}
			if err := do(ctx, pipeline.Event{Kind: pipeline.Created, Object: o}); err != nil {
				return err
			}
		}
		for key, err := range s.Recorded(ctx) {
			if err != nil {
				return err
			}
			if _, exists := x.objects[key]; !exists {
				if err := do(ctx, pipeline.Event{Kind: pipeline.Deleted, Object: pipeline.Object{Bucket: "bucket", Key: key}}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.complete()
}
