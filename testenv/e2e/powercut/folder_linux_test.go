package powercut_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/testenv/powercut"
	"github.com/bucketsum/bucketsum/testenv/powercut/ext4"
	"github.com/bucketsum/bucketsum/testenv/program"
	"github.com/bucketsum/bucketsum/testenv/sample"
)

var (
	powercutMost   = flag.Int("powercut.most", 100, "power cuts: how many combinations of lost writes are taken at each moment, about")
	powercutStarts = flag.Int("powercut.starts", 3, "power cuts: on how many of the folders the whole program is started")
	powercutShow   = flag.Bool("powercut.show", false, "power cuts: print what the program did")
	powercutCuts   = flag.Int("powercut.cuts", 3, "power cuts: how often the power of an ext4 file system is cut")
	powercutSeed   = flag.Uint64("powercut.seed", 1, "power cuts: seed of the combinations")
)

// cutting is a folder on which bucketsum works when the power fails.
type cutting struct {
	name       string
	layout     string
	algorithms []string
	resume     int64             // bytes between checkpoints; 0: the default
	before     map[string]string // files that exist at the first start
	// change changes the folder after a first run that was complete, so that the second run meets the
	// power cut. nil: the first does.
	change func(t *testing.T, dir string)
	// own are checksum files of the user's. No one may touch them.
	own map[string]string
	// refused are objects that get no record, because a file of the user's has its place.
	refused []string
}

var big = strings.Repeat("0123456789abcdef", 256) // 4 KiB

func cuttings() []cutting {
	return []cutting{
		{
			name:   "first run",
			before: map[string]string{"a.txt": "alpha", "sub/b": "beta", "mine": "adopted", "other": "refused"},
			own: map[string]string{
				"mine.md5":  sample.MD5([]byte("adopted")) + "  mine\n",
				"other.md5": sample.MD5([]byte("something else")) + "  other\n",
			},
			refused: []string{"other"},
		},
		{
			name:   "replaced and removed",
			before: map[string]string{"a.txt": "alpha", "sub/b": "beta", "sub/c": "gamma", "mine": "adopted"},
			own:    map[string]string{"mine.md5": sample.MD5([]byte("adopted")) + "  mine\n"},
			change: func(t *testing.T, dir string) {
				sample.Write(t, dir, "a.txt", []byte("alpha, second edition"))
				sample.Write(t, dir, "d.txt", []byte("delta"))
				if err := os.Remove(filepath.Join(dir, "sub/b")); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name:       "folders of records",
			layout:     "sums/{alg}/{key}",
			algorithms: []string{"md5", "sha256"},
			before:     map[string]string{"a.txt": "alpha", "sub/deep/b": "beta"},
		},
		{
			name:   "checkpoints",
			resume: 1 << 10,
			before: map[string]string{"big": big},
		},
	}
}

func (c cutting) layoutOf(t *testing.T) blobstore.Layout {
	t.Helper()
	if c.layout == "" {
		c.layout = blobstore.DefaultLayout
	}
	l, err := blobstore.ParseLayout(c.layout)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (c cutting) algs() []string {
	if len(c.algorithms) == 0 {
		return []string{"md5"}
	}
	return c.algorithms
}

func (c cutting) args(dir string) []string {
	args := []string{"local", "--listen", "off", "--settle", "1ms", "--algorithms", strings.Join(c.algs(), ",")}
	if c.layout != "" {
		args = append(args, "--record", c.layout)
	}
	if c.resume > 0 {
		args = append(args, "--checkpoint-above", fmt.Sprint(c.resume), "--checkpoint-every", fmt.Sprint(c.resume))
	}
	return append(args, dir)
}

// TestFolderPowerCut runs bucketsum on folders, looks at every folder that a power cut could have left, and
// lets the work be finished there. No record may be wrong or torn, what was announced must be there, files
// of the user's must be untouched, and the next start must write the records that are missing.
//
// Then it changes what the runs have done, as if bucketsum left out a sync, or wrote a file in place: each
// such mutant must do harm in some folder, or the test would not notice the fault.
func TestFolderPowerCut(t *testing.T) {
	killed, runs := make(map[string]string), 0
	for _, c := range cuttings() {
		t.Run(c.name, func(t *testing.T) {
			x := newExperiment(t, c)
			states := x.states(t, x.log)
			random := rand.New(rand.NewPCG(*powercutSeed, 1))
			starts := random.Perm(len(states))[:min(*powercutStarts, len(states))]
			for i, s := range states {
				repair := x.handle
				if slices.Contains(starts, i) {
					repair = x.start
				}
				if err := x.check(t, s, repair); err != nil {
					t.Fatalf("power cut after operation %d: %v\nthe folder after the cut:\n%s\noperations:\n%s", s.Moment, err, s.Tree, x.upTo(s.Moment))
				}
			}
			if *powercutShow {
				t.Log("operations:\n" + x.upTo(len(x.log.Ops)-1))
			}
			t.Logf("%d operations, %d folders after a power cut, %d starts of the program", len(x.log.Ops), len(states), len(starts))
			for name, mutate := range powercutMutants {
				if killed[name] == "" && !testing.Short() {
					killed[name] = x.kill(t, mutate)
				}
			}
			runs++
		})
	}
	if testing.Short() || runs < len(cuttings()) {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(powercutMutants)) {
		if killed[name] == "" {
			t.Errorf("bucketsum could do without this, or the test does not notice: %s", name)
		}
		t.Logf("%s: %s", name, killed[name])
	}
}

// powercutMutants are changes of what bucketsum did.
var powercutMutants = map[string]func([]powercut.Op) []powercut.Op{
	"no sync of content": without(func(o powercut.Op) bool {
		return path.Dir(o.Path) == ".bucketsum/tmp"
	}),
	"no sync of the names of records": without(func(o powercut.Op) bool {
		return !strings.HasPrefix(o.Path, ".bucketsum")
	}),
	"no sync of the names of notes": without(func(o powercut.Op) bool {
		return path.Dir(o.Path) == ".bucketsum/records"
	}),
	"no sync of the folders of notes": without(func(o powercut.Op) bool {
		return o.Path == ".bucketsum" || o.Path == ".bucketsum/records"
	}),
	"no sync of new folders of records": without(func(o powercut.Op) bool {
		return o.Path == "sums"
	}),
	"note forgotten before its record is": func(ops []powercut.Op) []powercut.Op {
		var mutated []powercut.Op
		record := -1 // where the last record was removed
		for _, o := range ops {
			if o.Kind == powercut.Remove && strings.HasPrefix(o.Path, ".bucketsum/records/") && record >= 0 {
				o.Line = mutated[record].Line
				mutated = slices.Insert(mutated, record+1, o)
				continue
			}
			if o.Kind == powercut.Remove && !strings.HasPrefix(o.Path, ".bucketsum") {
				record = len(mutated)
			}
			mutated = append(mutated, o)
		}
		return mutated
	},
	"files written in place": func(ops []powercut.Op) []powercut.Op {
		var mutated []powercut.Op
		content := make(map[string]string)
		for _, o := range ops {
			switch {
			case o.Kind == powercut.Write:
				content[o.Path] += o.Data
			case (o.Kind == powercut.Link || o.Kind == powercut.Rename) && path.Dir(o.Path) == ".bucketsum/tmp":
				for _, kind := range []powercut.Kind{powercut.Create, powercut.Truncate, powercut.Write, powercut.Sync} {
					mutated = append(mutated, powercut.Op{Kind: kind, Path: o.To, Data: content[o.Path], Line: o.Line, Begin: o.Line + 1})
				}
				if o.Kind == powercut.Link {
					continue
				}
				o.Kind, o.To = powercut.Remove, ""
			}
			mutated = append(mutated, o)
		}
		return mutated
	},
}

// without returns a function that leaves out some syncs.
func without(left func(powercut.Op) bool) func([]powercut.Op) []powercut.Op {
	return func(ops []powercut.Op) []powercut.Op {
		return slices.DeleteFunc(ops, func(o powercut.Op) bool { return o.Kind == powercut.Sync && left(o) })
	}
}

// kill returns what harm the mutant does; empty if it does none.
func (x *experiment) kill(t *testing.T, mutate func([]powercut.Op) []powercut.Op) string {
	t.Helper()
	mutant := powercut.Log{Before: x.log.Before, Ops: mutate(slices.Clone(x.log.Ops))}
	for i, s := range x.states(t, mutant) {
		if err := x.check(t, s, x.handle); err != nil {
			return fmt.Sprintf("%s, folder %d: %v", x.name, i+1, err)
		}
	}
	return ""
}

// TestFolderPowerCutExt4 cuts the power of a real file system while bucketsum works on it, several times in
// a row. It lasts seconds, as ext4 really syncs.
func TestFolderPowerCutExt4(t *testing.T) {
	if testing.Short() {
		t.Skip("it mounts a file system several times")
	}
	disk := ext4.New(t)
	x := &experiment{cutting: cutting{own: map[string]string{"mine.md5": sample.MD5([]byte("adopted")) + "  mine\n"}}, dir: filepath.Join(disk.Dir, "in")}
	x.place = x.layoutOf(t)
	sample.Write(t, x.dir, "mine", []byte("adopted"))
	sample.Write(t, x.dir, "mine.md5", []byte(x.own["mine.md5"]))
	for cut := range *powercutCuts {
		for i := range 40 {
			sample.Write(t, x.dir, fmt.Sprintf("d%d/f%d", i%5, i), fmt.Appendf(nil, "%d %d", i, cut/2)) // new content in every second round
		}
		x.former = x.objects
		x.objects = x.find(t)
		disk.Sync() // the files are the user's, and older than half a minute
		r := program.Options{}.Start(t, program.Build(t), "local", "--listen", "off", "--settle", "100ms", "--concurrency", "4", x.dir)
		if cut%2 == 0 {
			r.Until(1+cut*5%35, isSummed) // then some of the files have records
		} else {
			r.Until(1, func(string) bool { return x.complete() == nil })
		}
		r.Stop(syscall.SIGKILL)
		printed := strings.Join(r.Output(), "\n") + "\n"
		disk.Cut()
		if err := x.harmless(printed); err != nil {
			t.Fatalf("after cut %d: %v\nbucketsum had said:\n%s", cut, err, printed)
		}
		t.Logf("cut %d: %d files were announced", cut, len(announcedIn(printed)))
	}
	if err := x.start(t); err != nil {
		t.Fatal(err)
	}
}
