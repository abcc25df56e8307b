package md5sum_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

// sameAs are tools of coreutils, and the flags with which sum must do the same.
var sameAs = []struct {
	tool       string
	args, ours []string
	flags      []string // that the tool knows, for printing
}{
	{"md5sum", nil, []string{"-a", "md5"}, plainFlags},
	{"sha1sum", nil, []string{"-a", "sha1"}, plainFlags},
	{"sha224sum", nil, []string{"-a", "sha224"}, plainFlags},
	{"sha256sum", nil, []string{"-a", "sha256"}, plainFlags},
	{"sha384sum", nil, []string{"-a", "sha384"}, plainFlags},
	{"sha512sum", nil, []string{"-a", "sha512"}, plainFlags},
	{"b2sum", nil, []string{"-a", "blake2b"}, append([]string{"-l0", "-l8", "-l256", "--length=504", "-l512", "-l7", "-l520"}, plainFlags...)},
	{"cksum", []string{"-a", "sm3"}, []string{"--tag", "-a", "sm3"}, cksumFlags},
	{"cksum", []string{"-a", "blake2b"}, []string{"--tag", "-a", "blake2b"}, append([]string{"-l0", "-l64", "--length=512", "-l12"}, cksumFlags...)},
	{"cksum", []string{"-a", "sha384"}, []string{"--tag", "-a", "sha384"}, append([]string{"-l0", "-l256"}, cksumFlags...)},
}

var (
	plainFlags = []string{"--tag", "--tag", "-b", "--text", "-t", "--binary", "-z", "--quiet", "--status", "--warn", "--strict", "--ignore-missing"}
	cksumFlags = []string{"--tag", "--untagged", "-z"}
	checkFlags = []string{"--quiet", "--status", "--warn", "-w", "--strict", "--ignore-missing", "--tag", "-z", "-b"}
)

// FuzzPrintsAsCoreutils runs sum and a tool with the same files and flags, drawn by chance.
func FuzzPrintsAsCoreutils(f *testing.F) {
	for seed := range uint64(150) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		d := draw{rand.New(rand.NewPCG(seed, 1))}
		files := d.files()
		inFolder(t, files)
		as := d.tool()
		args := slices.Concat(d.some(as.flags, 3), []string{"--"}, d.names(files))
		want := coreutils.Run(t, "input", as.tool, slices.Concat(as.args, args)...)
		got := run(t, "input", slices.Concat(as.ours, args)...)
		compare(t, fmt.Sprintf("%s %q", as.tool, args), want, got)
	})
}

// FuzzChecksAsCoreutils lets sum and a tool check the same list, which one of them has printed and chance has damaged.
func FuzzChecksAsCoreutils(f *testing.F) {
	for seed := range uint64(150) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		d := draw{rand.New(rand.NewPCG(seed, 2))}
		files := d.files()
		inFolder(t, files)
		as := d.tool()
		for as.tool == "cksum" {
			as = d.tool() // it checks without -a as sum does, but prints other messages with it
		}
		flags := d.some([]string{"--tag", "-b"}, 1)
		args := slices.Concat(flags, []string{"--"}, slices.Sorted(maps.Keys(files)))
		list := coreutils.Run(t, "", as.tool, slices.Concat(as.args, args)...)
		if d.IntN(2) == 0 {
			list = run(t, "", slices.Concat(as.ours, args)...)
		}
		damaged := d.damage(list.Stdout)
		args = append([]string{"--check"}, d.some(checkFlags, 2)...)
		want := coreutils.Run(t, damaged, as.tool, slices.Concat(as.args, args)...)
		got := run(t, damaged, slices.Concat(as.ours, args)...)
		compare(t, fmt.Sprintf("%s %q of\n%s", as.tool, args, damaged), want, got)
	})
}

// compare compares what was printed, the status, and what the messages say. Names in messages are quoted in another way.
func compare(t *testing.T, what string, want, got coreutils.Result) {
	t.Helper()
	want.Stderr, got.Stderr = messages(want.Stderr), messages(got.Stderr)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var (
	numbered = regexp.MustCompile(`(\d+): improperly formatted .*$`)
	reason   = regexp.MustCompile(`: (WARNING: .*|[^:]*)$`)
)

// messages returns the lines of stderr without the program and the names. All mistakes in flags are the same.
func messages(stderr string) string {
	var all strings.Builder
	for line := range strings.Lines(stderr) {
		line = strings.TrimSuffix(line, "\n")
		switch m := numbered.FindStringSubmatch(line); {
		case strings.Contains(line, "--help") || regexp.MustCompile(`--[a-z]|is not a multiple|invalid length|maximum digest length|has no values of`).MatchString(line):
			return "usage\n"
		case m != nil:
			fmt.Fprintf(&all, "%s: improperly formatted\n", m[1])
		default:
			fmt.Fprintln(&all, reason.FindString(line))
		}
	}
	return all.String()
}

// draw draws by chance.
type draw struct{ *rand.Rand }

func (d draw) tool() (as struct {
	tool       string
	args, ours []string
	flags      []string
}) {
	return sameAs[d.IntN(len(sameAs))]
}

// pieces make names that are difficult for tools.
var pieces = []string{"\n", "\r", `\`, `\n`, " ", "  ", "*", "-", "--", "a", "b", "(", ")", " = ", "ü", "\xff", "#", "'", `"`, "\t", "MD5 (", "\x1b", ":", "."}

func (d draw) name() string {
	for {
		var name strings.Builder
		for range 1 + d.IntN(4) {
			name.WriteString(pieces[d.IntN(len(pieces))])
		}
		if n := name.String(); n != "." && n != ".." && n != "-" {
			return n
		}
	}
}

func (d draw) files() map[string]string {
	files := make(map[string]string)
	for range 1 + d.IntN(5) {
		files[d.name()] = strings.Repeat("x", d.IntN(3)*d.IntN(300))
	}
	return files
}

// names returns names of files, and of some things that are none.
func (d draw) names(files map[string]string) []string {
	names := slices.Sorted(maps.Keys(files))
	for _, other := range []string{"nosuch", ".", "-", "", names[0] + "/x", "no such\nfile"} {
		if d.IntN(4) == 0 {
			names = append(names, other)
		}
	}
	d.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	return names
}

// some returns at most n of the words, and one length: coreutils examine each of them, sum the last.
func (d draw) some(words []string, n int) []string {
	var some []string
	isLength := func(word string) bool { return strings.HasPrefix(word, "-l") || strings.HasPrefix(word, "--length") }
	for range d.IntN(n + 1) {
		if word := words[d.IntN(len(words))]; !isLength(word) || !slices.ContainsFunc(some, isLength) {
			some = append(some, word)
		}
	}
	return some
}

// damage changes a list, or leaves it as it is.
func (d draw) damage(list string) string {
	lines := strings.SplitAfter(list, "\n")
	i := d.IntN(len(lines))
	switch d.IntN(8) {
	case 0:
		lines = slices.Delete(lines, i, i+1)
	case 1:
		lines = slices.Insert(lines, i, "garbage\n", "# comment\n", "\n")
	case 2: // another name
		lines[i] = strings.Replace(lines[i], "a", "nosuch", 1)
	case 3: // another value
		lines[i] = strings.Replace(strings.Replace(lines[i], "0", "1", 1), "f", "0", 1)
	case 4: // another character
		if n := len(lines[i]); n > 0 {
			at := d.IntN(n)
			lines[i] = lines[i][:at] + string(" *\\/0g()\r"[d.IntN(9)]) + lines[i][at+1:]
		}
	case 5:
		return strings.ReplaceAll(list, "\n", "\r\n")
	case 6:
		return list[:d.IntN(len(list)+1)]
	}
	return strings.Join(lines, "")
}
