package folders

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Profile says which operations are possible in a history.
type Profile string

// The profiles. The others have the operations of Honest and some that are named after them.
const (
	Honest   Profile = "honest"
	Moved    Profile = "moved"    // folders are renamed
	Copied   Profile = "copied"   // folders are copied with their records and the times of files, as by cp -a
	Recopied Profile = "recopied" // folders are copied with their records and new times, as by cp -r: a record is adopted if the object does not change before
	Away     Profile = "away"     // folders are moved out and back
	Restored Profile = "restored" // .bucketsum is removed
	Emptied  Profile = "emptied"  // folders are removed while their records are written
)

// Profiles are all profiles.
var Profiles = []Profile{Honest, Moved, Copied, Recopied, Away, Restored, Emptied}

// weights says how often each operation is drawn.
var weights = map[string]int{
	"put": 20, "write": 12, "twin": 6, "twin-in-place": 4, "append": 5, "delete": 8, "delete-folder": 3, "rename": 8,
	"to-folder": 3, "to-file": 3, "fifo": 2, "link": 3, "link-outside": 2, "own-right": 2, "own-wrong": 2, "unrecord": 5, "touch": 4,
	"quiet": 18, "stop": 6, "kill": 5, "start": 25,
}

// more are the weights of the operations that a profile adds.
var more = map[Profile]map[string]int{
	Moved: {"move": 20}, Copied: {"copy": 20}, Recopied: {"copy-new": 20}, Away: {"away": 14, "back": 30}, Restored: {"forget": 14}, Emptied: {"delete-folder": 30},
}

var (
	names = []string{"a", "b", "c", "inner", "sp ace", "new\nline", "100%25", "a+b", "-n", "ü", `back\slash`, "ctrl\x01", ".hidden", "a.md5x"}
	odd   = []string{"x.sha256", "bad\xff", strings.Repeat("l", 253)} // names that get no record
	dirs  = []string{"", "", "d", "d", "d/e", "x", "x/y"}
	steps = []pipeline.Step{pipeline.StepLookup, pipeline.StepOpen, pipeline.StepHash, pipeline.StepRecord, pipeline.StepRemove}
)

// History is what a seed draws.
type History struct {
	Profile     Profile
	Seed        int64 // 0: the history was written by hand
	Concurrency int   // of the worker; 0: 1
	Ops         []Op
}

// Draw draws a history.
func Draw(p Profile, seed int64) History {
	rng := rand.New(rand.NewPCG(uint64(seed), 7)) //nolint:gosec // a seed replays it
	h := History{Profile: p, Seed: seed, Concurrency: 1 + rng.IntN(4)}
	few := 2 + rng.IntN(4) // histories of few names repeat them
	var some []string
	for range few {
		some = append(some, names[rng.IntN(len(names))])
	}
	if rng.IntN(6) == 0 {
		some = append(some, odd[rng.IntN(len(odd))])
	}
	var deck []string
	for do, n := range weights {
		deck = append(deck, slices.Repeat([]string{do}, n)...)
	}
	for do, n := range more[p] {
		deck = append(deck, slices.Repeat([]string{do}, n)...)
	}
	slices.Sort(deck)
	at := 0
	if rng.IntN(2) == 0 {
		at = 4
	}
	u, up := newUsers("", "/outside"), true
	for length := 4 + rng.IntN(16); len(h.Ops) < length; {
		o := Op{Do: deck[rng.IntN(len(deck))], N: len(h.Ops) + 1}
		dir, other := dirs[rng.IntN(len(dirs))], dirs[rng.IntN(len(dirs))]
		o.Path = strings.TrimPrefix(dir+"/"+some[rng.IntN(len(some))], "/")
		to := strings.TrimPrefix(other+"/"+some[rng.IntN(len(some))], "/")
		size := []int{1 + rng.IntN(40), 1 + rng.IntN(40), 1 + rng.IntN(5000), 150_000}[rng.IntN(4)]
		waits := at > 0 && rng.IntN(at) == 0
		step := steps[rng.IntN(len(steps))]
		switch o.Do {
		case "start", "stop", "kill", "quiet":
			o.Path = ""
			if up == (o.Do == "start") {
				continue
			}
			up = o.Do == "start" || o.Do == "quiet"
			if waits && o.Do == "kill" {
				o.At = step
			}
			h.Ops = append(h.Ops, o)
			continue
		case "put", "write", "append", "to-folder":
			o.Size = size
		case "rename":
			o.To = to
		case "move", "copy", "copy-new":
			o.Path, o.To = dir, other
		case "to-file":
			o.Path, o.Size = dir, size
		case "delete-folder", "away", "back":
			o.Path = dir
		case "forget":
			o.Path = ""
		case "link":
			o.To = some[rng.IntN(len(some))]
		case "link-outside":
			o.To = []string{"", "secret"}[rng.IntN(2)]
		}
		if o.Path == "" && o.Do != "forget" || o.To == "" && (o.Do == "move" || strings.HasPrefix(o.Do, "copy")) {
			continue
		}
		if done, _ := u.do(o); !done {
			continue
		}
		switch {
		case p == Emptied && o.Do == "delete-folder" && up:
			o.At = pipeline.StepRecord
		case waits && up:
			o.At = step
		}
		h.Ops = append(h.Ops, o)
	}
	return h
}
