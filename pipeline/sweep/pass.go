package sweep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Pass is a pass over one or more buckets, as the process runs it that was told to. Command, Options, Buckets and
// Open are needed.
type Pass struct {
	Command Command
	Options Options
	Buckets []string // as events name them
	Open    Open
	Version string // of the program
	// Places tells buckets of the same name apart, and places of records; see Plan. It has no secrets.
	Places map[string]string
	// InventoryAt is where the workers find the list of Options.Inventory; nil: they cannot read it.
	InventoryAt *InventoryAt

	// Reports keeps the plan and the reports, so that the pass can be resumed. nil: rows go only to Rows.
	Reports Reports
	// Name is the name of the pass: a pass with that name is resumed, else a new one gets it. Empty: the newest
	// unfinished pass with the same command, buckets, places and options is resumed, else a new one is named by the time.
	Name string
	// Shards is into how many ranges a new plan divides the buckets; 0: one for each bucket.
	Shards int

	Concurrency int // items in work at the same time; 0: DefaultConcurrency
	Cut         Cut // of shards into reports; zero: DefaultCut
	// Stop is closed to end the pass early: what is in work is finished and kept. nil: it never is.
	Stop <-chan struct{}

	// Rows receives all rows of the pass, in the order of buckets and positions, except from ByQueue; also those that were
	// found before the pass was resumed. It is called by one goroutine at a time and must not keep the slice. nil: rows are not
	// wanted.
	Rows func([]Row) error
	// Progress is called when the pass has advanced, by one goroutine at a time. nil: it is not.
	Progress func(Progress)
	Log      *slog.Logger // nil: discarded
}

// Progress is how far a pass is.
type Progress struct {
	Pass   string // empty without Reports
	Totals Totals // until now, with what was done before the pass was resumed
	// Resumed is the part of Totals that was done before.
	Resumed Totals
	// Open and Done count shards. A shard that is done may open others.
	Open, Done int
}

// Summary is the result of a pass.
type Summary struct {
	Pass     string    `json:"pass,omitempty"` // empty without Reports
	Command  Command   `json:"command"`
	Created  time.Time `json:"created"`
	Ended    time.Time `json:"ended"` // of a pass that was complete before: then
	Totals   Totals    `json:"totals"`
	Resumed  Totals    `json:"-"` // the part of Totals that was done before
	Complete bool      `json:"-"` // every object has its row
}

func (p *Pass) shards() *shards {
	return &shards{
		reports: p.Reports, form: p.Options.form(), version: p.Version, concurrency: p.Concurrency, cut: cmp.Or(p.Cut, DefaultCut),
		stop: p.Stop, log: cmp.Or(p.Log, slog.New(slog.DiscardHandler)),
	}
}

// Here runs the pass in this process. When it ends early, the error says why: that of the context, of a bucket that
// cannot be listed, of Rows, or ErrStopped. The summary is that of what was done.
func (p *Pass) Here(ctx context.Context) (Summary, error) {
	plan, err := p.plan(ctx)
	if err != nil {
		return Summary{Command: p.Command}, err
	}
	return p.conclude(ctx, plan, plan.roots())
}

// ByIndex runs part index of n parts of the pass, counted from 0: those ranges of the plan that have this index
// modulo n. It needs Reports and Name, which are the same for all parts. When all parts have ended, Here puts
// the whole together, and runs what a part has left.
func (p *Pass) ByIndex(ctx context.Context, index, n int) (Summary, error) {
	if p.Reports == nil || p.Name == "" || index < 0 || index >= n {
		return Summary{Command: p.Command}, fmt.Errorf("shard %d of %d: it needs reports, the name of the pass, and an index from 0 to %d", index, n, n-1)
	}
	plan, err := p.plan(ctx)
	if err != nil {
		return Summary{Command: p.Command}, err
	}
	var mine []pipeline.Shard
	for i, root := range plan.roots() {
		if i%n == index {
			mine = append(mine, root)
		}
	}
	return p.runHere(ctx, plan, mine)
}

// conclude runs all shards of a pass here, and writes the summary if it is complete.
func (p *Pass) conclude(ctx context.Context, plan Plan, roots []pipeline.Shard) (Summary, error) {
	s, err := p.runHere(ctx, plan, roots)
	if err != nil || p.Reports == nil {
		return s, err
	}
	return p.writeSummary(ctx, s)
}

// writeSummary writes the summary of a complete pass. If the pass was complete before, the end of then stays.
func (p *Pass) writeSummary(ctx context.Context, s Summary) (Summary, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return s, err
	}
	name := summaryName(s.Pass)
	err = p.shards().put(ctx, name, text)
	if errors.Is(err, pipeline.ErrChanged) {
		var first Summary
		if text, err = p.Reports.Get(ctx, name); err == nil {
			err = json.Unmarshal(text, &first)
		}
		s.Ended = first.Ended
	}
	if err != nil {
		return s, fmt.Errorf("pass %s is complete; write or read its summary %s: %w", s.Pass, name, err)
	}
	return s, nil
}

// plan reads the plan of the pass, or makes one.
func (p *Pass) plan(ctx context.Context) (Plan, error) {
	if len(p.Buckets) == 0 {
		return Plan{}, errors.New("a pass needs a bucket")
	}
	if err := p.Options.check(); err != nil {
		return Plan{}, err
	}
	buckets := slices.Sorted(slices.Values(p.Buckets))
	buckets = slices.Compact(buckets)
	wanted := Plan{
		Pass: p.Name, Command: p.Command, Created: time.Now().UTC(), Version: p.Version, Options: p.Options, Places: p.Places,
		InventoryAt: p.InventoryAt, Buckets: make(map[string][]Range),
	}
	for _, b := range buckets {
		wanted.Buckets[b] = nil
	}
	if p.Reports == nil {
		return newPlan(ctx, wanted, buckets, p.Open, 1)
	}
	if p.Name != "" {
		if err := pipeline.CheckPass(p.Name); err != nil {
			return Plan{}, err
		}
		found, err := p.find(ctx, wanted)
		if !errors.Is(err, pipeline.ErrNotFound) {
			return found, err
		}
	} else if found, err := p.newest(ctx, wanted); err != nil || found.Pass != "" {
		return found, err
	} else {
		wanted.Pass = newName(wanted.Created)
	}
	made, err := newPlan(ctx, wanted, buckets, p.Open, p.Shards)
	if err != nil {
		return Plan{}, err
	}
	return p.keep(ctx, made, wanted)
}

// mostNames is how many passes begin in the same second, at most.
const mostNames = 1000

// keep writes a new plan. If another process was first to write one of that name, its plan is returned if it is like the
// wanted one. Otherwise a plan whose name is only the time gets another.
func (p *Pass) keep(ctx context.Context, made, wanted Plan) (Plan, error) {
	begun := made.Pass
	for n := 2; ; n++ {
		text, err := json.Marshal(made)
		if err != nil {
			return Plan{}, err
		}
		err = p.shards().put(ctx, planName(made.Pass), text)
		if err == nil {
			return made, nil
		}
		if !errors.Is(err, pipeline.ErrChanged) {
			return Plan{}, fmt.Errorf("pass %s: write the plan: %w", made.Pass, err)
		}
		found, err := p.find(ctx, wanted)
		if p.Name != "" || !errors.Is(err, ErrOther) || n > mostNames {
			return found, err
		}
		made.Pass = fmt.Sprintf("%s-%d", begun, n)
		wanted.Pass = made.Pass
	}
}

// ErrOther: a pass of this name does something else, so that this command cannot resume it.
var ErrOther = errors.New("choose another name by --pass")

// find returns the plan of the name that is wanted.
func (p *Pass) find(ctx context.Context, wanted Plan) (Plan, error) {
	found, err := readPlan(ctx, p.Reports, planName(wanted.Pass))
	if err != nil {
		return found, err
	}
	if others := found.differences(wanted); len(others) > 0 {
		return found, fmt.Errorf("pass %s exists, and differs in %s: %w", wanted.Pass, strings.Join(others, ", "), ErrOther)
	}
	return found, nil
}

// newest returns the plan of the newest unfinished pass that is like the wanted one; a zero one if there is none.
func (p *Pass) newest(ctx context.Context, wanted Plan) (newest Plan, _ error) {
	finished := make(map[string]bool) // by the name of the plan
	for name, err := range p.Reports.Names(ctx, summaries) {
		if err != nil {
			return newest, fmt.Errorf("list the passes: %w", err)
		}
		finished[plans+strings.TrimPrefix(name, summaries)] = true
	}
	for name, err := range p.Reports.Names(ctx, plans) {
		if err != nil {
			return newest, fmt.Errorf("list the passes: %w", err)
		}
		if finished[name] {
			continue
		}
		found, err := readPlan(ctx, p.Reports, name)
		if err != nil {
			p.shards().log.Warn("a pass was left out of the search for an unfinished one", "plan", name, "err", err)
			continue
		}
		if len(found.differences(wanted)) == 0 && !found.Created.Before(newest.Created) {
			newest = found
		}
	}
	return newest, nil
}
