package powercut

import (
	"crypto/sha256"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// State is a folder that a power cut may leave.
type State struct {
	Tree   Tree
	Moment int // index of the last operation before the last moment at which the cut may leave it
	// Printed is what the program had written to standard output by then: the cut must not undo
	// what it has announced.
	Printed string
}

// choice is one value of a name or of a file that a power cut decides.
type choice struct {
	name *history[*node]
	file *node
	data []string
}

func (c choice) options() int {
	if c.name != nil {
		return 1 + len(c.name.later)
	}
	return len(c.data)
}

// choices returns what is not certain to survive.
func (d *disk) choices() []choice {
	var found []choice
	for _, n := range d.nodes() {
		if len(n.content.later) > 0 {
			found = append(found, choice{file: n, data: leftOf(n.content.kept, n.content.now())})
		}
		var names []string
		for name, h := range n.names {
			if len(h.later) > 0 {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range names {
			found = append(found, choice{name: n.names[name]})
		}
	}
	return found
}

// leftOf returns what may be left of a file that was not synced. The first is the kept content,
// the last is all of the new one.
func leftOf(kept, now string) []string {
	half := len(now) / 2
	left := []string{kept, "", now[:half], strings.Repeat("\x00", len(now)), now[:half] + strings.Repeat("\x00", len(now)-half),
		strings.Repeat("\x00", half) + now[half:]}
	if len(kept) == len(now) {
		left = append(left, kept[:half]+now[half:], now[:half]+kept[half:])
	}
	return append(left, now)
}

// build returns the folder with an option for each choice.
func (d *disk) build(choices []choice, options []int) Tree {
	names := make(map[*history[*node]]*node, len(choices))
	files := make(map[*node]string)
	for i, c := range choices {
		switch {
		case c.file != nil:
			files[c.file] = c.data[options[i]]
		case options[i] == 0:
			names[c.name] = c.name.kept
		default:
			names[c.name] = c.name.later[options[i]-1].value
		}
	}
	return d.tree(func(h *history[*node]) *node {
		if n, ok := names[h]; ok {
			return n
		}
		return h.kept
	}, func(n *node) string {
		if data, ok := files[n]; ok {
			return data
		}
		return n.content.kept
	})
}

// pick calls try with options for the choices: all of them if there are at most most; else those in
// which everything is lost but one, everything kept but one, all names in the order in which they
// were made up to some moment, and random ones.
func pick(choices []choice, most int, random *rand.Rand, try func([]int)) {
	options := make([]int, len(choices))
	all := 1
	for _, c := range choices {
		if all *= c.options(); all > most {
			break
		}
	}
	if all <= most {
		for {
			try(options)
			i := 0
			for ; i < len(choices); i++ {
				if options[i]++; options[i] < choices[i].options() {
					break
				}
				options[i] = 0
			}
			if i == len(choices) {
				return
			}
		}
	}
	lost, kept := make([]int, len(choices)), make([]int, len(choices))
	for i, c := range choices {
		kept[i] = c.options() - 1
	}
	for _, base := range [][]int{lost, kept} {
		try(base)
		for i, c := range choices {
			for n := range c.options() {
				copy(options, base)
				options[i] = n
				try(options)
			}
		}
	}
	for _, cut := range cuts(choices) {
		for _, data := range []bool{false, true} {
			for i, c := range choices {
				options[i] = 0
				if c.file != nil && data {
					options[i] = c.options() - 1
				}
				for c.name != nil && options[i] < len(c.name.later) && c.name.later[options[i]].at < cut {
					options[i]++
				}
			}
			try(options)
		}
	}
	for range most {
		for i, c := range choices {
			options[i] = random.IntN(c.options())
		}
		try(options)
	}
}

// cuts returns the moments at which names were changed.
func cuts(choices []choice) []int {
	var found []int
	for _, c := range choices {
		if c.name != nil {
			for _, change := range c.name.later {
				found = append(found, change.at)
			}
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// Choose says which folders [Log.States] returns. The zero value is all of them, which may be too many.
type Choose struct {
	// Most: where more combinations of what is lost and kept are possible at one moment, about as many
	// are taken, by the seed. 0: no limit.
	Most int
	Seed uint64
	// Scratch reports whether a path does not matter: of folders that differ only there one is
	// returned.
	Scratch func(path string) bool
}

// States returns the folders that a power cut at any moment of the run may leave, each once.
func (l Log) States(c Choose) ([]State, error) {
	if c.Most == 0 {
		c.Most = math.MaxInt
	}
	random := rand.New(rand.NewPCG(c.Seed, 0))
	d := newDisk(l.Before)
	index := make(map[[sha256.Size]byte]int)
	var found []State
	printed := ""
	note := func(moment int) {
		choices := d.choices()
		pick(choices, c.Most, random, func(options []int) {
			tree := d.build(choices, options)
			sum := tree.sum(c.Scratch)
			i, ok := index[sum]
			if !ok {
				i = len(found)
				index[sum] = i
				found = append(found, State{})
			}
			// The last moment is the one at which most was announced.
			found[i] = State{tree, moment, printed}
		})
	}
	note(-1)
	for i, o := range l.Ops {
		if err := d.do(o); err != nil {
			return nil, fmt.Errorf("operation %d: %w", i, err)
		}
		if o.Kind == Print {
			printed += o.Data
		}
		note(i)
	}
	return found, nil
}
