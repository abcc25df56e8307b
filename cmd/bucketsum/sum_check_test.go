package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/testenv/coreutils"
)

// TestSumCheckAsCoreutils checks lists of all kinds with every flag, and expects the
// output, the warnings and the exit status of md5sum.
func TestSumCheckAsCoreutils(t *testing.T) {
	t.Chdir(t.TempDir())
	sumWrite(t, map[string]string{
		"a": "x", "b": "xx", "n\nl": "x", `b\s`: "x", "c\rr": "x", " a": "x", "*a": "x", "folder/a": "x", "-": "x",
	})
	const (
		good    = sumMD5OfX + "  a\n"
		bad     = "00000000000000000000000000000000  b\n"
		garbage = "garbage\n"
		missing = sumMD5OfX + "  nosuch\n"
	)
	lists := map[string]string{
		"good":               good,
		"bad":                bad,
		"missing":            missing,
		"folder":             sumMD5OfX + "  folder\n",
		"below a file":       sumMD5OfX + "  a/b\n",
		"garbage":            garbage,
		"empty":              "",
		"blank lines":        "\n\r\n\n" + good,
		"only blank lines":   "\n\n",
		"comments":           "# made by hand\n" + good,
		"only comments":      "#\n",
		"indented comment":   " # comment\n" + good,
		"all kinds":          good + bad + garbage + missing + garbage + bad + missing,
		"good and garbage":   good + garbage,
		"good and missing":   good + missing,
		"bad and missing":    bad + missing,
		"garbage, missing":   garbage + missing,
		"no newline":         good + strings.TrimSuffix(good, "\n"),
		"DOS":                strings.ReplaceAll(good+bad, "\n", "\r\n"),
		"upper case":         strings.ToUpper(sumMD5OfX) + "  a\n",
		"tagged":             "MD5 (a) = " + sumMD5OfX + "\nMD5 (b)= " + sumMD5OfX + "\n",
		"single space":       sumMD5OfX + " a\n" + good + sumMD5OfX + " *a\n",
		"single after two":   good + sumMD5OfX + " a\n",
		"short hex first":    "deadbeef is no checksum\n" + good,
		"escaped":            `\` + sumMD5OfX + `  n\nl` + "\n" + `\` + sumMD5OfX + `  b\\s` + "\n" + `\` + sumMD5OfX + `  c\rr` + "\n",
		"escaped and bad":    `\00000000000000000000000000000000  n\nl` + "\n" + `\00000000000000000000000000000000  no\nsuch` + "\n",
		"unescaped":          sumMD5OfX + `  n\nl` + "\n" + sumMD5OfX + `  b\s` + "\n",
		"wrong escape":       `\` + sumMD5OfX + `  b\s` + "\n",
		"standard input":     sumMD5OfX + "  -\n" + good,
		"twice":              good + good,
		"not text":           "\x7fELF\x00\x01\xff\xfe\n\x00\n",
		"mail quote":         "> " + good + good,
		"PGP":                "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + good + "-----BEGIN PGP SIGNATURE-----\n",
		"very long":          strings.Repeat("x", 3<<20) + "\n" + good,
		"very long, at last": good + strings.Repeat("x", 3<<20),
		"as long as a block": strings.Repeat("x", 64<<10-1) + "\n" + good,
	}
	warning := regexp.MustCompile(`(?m)(WARNING: .*|no properly formatted checksum lines found|no file was verified|: \d+: improperly formatted)`)
	taken := regexp.MustCompile(`(?m)^.* values of 32 digits were taken for md5; .*\n`)
	for name, list := range lists {
		for _, flags := range [][]string{nil, {"--quiet"}, {"--status"}, {"--strict"}, {"--warn"}, {"--ignore-missing"}, {"--ignore-missing", "--strict", "--warn"}, {"--status", "--ignore-missing"}} {
			args := append([]string{"--check"}, flags...)
			want, got := coreutils.Run(t, list, "md5sum", args...), sumRun(t, list, args...)
			if diff := cmp.Diff(want.Stdout, got.Stdout); diff != "" || got.Status != want.Status {
				t.Errorf("%s, %q: status %d, want %d; diff:\n%s", name, flags, got.Status, want.Status, diff)
			}
			got.Stderr = taken.ReplaceAllString(got.Stderr, "") // md5sum has no other algorithm
			said, ours := warning.FindAllString(want.Stderr, -1), warning.FindAllString(got.Stderr, -1)
			for i, s := range said {
				said[i] = strings.Replace(s, "improperly formatted MD5", "improperly formatted", 1)
			}
			if diff := cmp.Diff(said, ours); diff != "" || strings.Count(got.Stderr, "\n") != strings.Count(want.Stderr, "\n") {
				t.Errorf("%s, %q: stderr\n%swant like\n%sdiff:\n%s", name, flags, got.Stderr, want.Stderr, diff)
			}
		}
	}
}

func TestSumCheckSeveralLists(t *testing.T) {
	t.Chdir(t.TempDir())
	sumWrite(t, map[string]string{
		"a": "x", "1": sumMD5OfX + "  a\n", "2": "garbage\n", "3": sumSHA256OfX + "  a\n",
	})
	got := sumRun(t, sumMD5OfX+"  a\n", "-c", "1", "nosuch", "2", "-", "3")
	want := coreutils.Result{
		Stdout: "a: OK\na: OK\na: OK\n",
		Stderr: "bucketsum sum: nosuch: No such file or directory\n" +
			"bucketsum sum: 2: no properly formatted checksum lines found\n",
		Status: exitFailed,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// A list in a file can name standard input; a list on standard input cannot.
	sumWrite(t, map[string]string{"4": sumMD5OfX + "  -\n"})
	if got := sumRun(t, "x", "-c", "4"); got.Stdout != "-: OK\n" || got.Status != exitOK {
		t.Errorf("standard input in a list: %+v", got)
	}
	if got := sumRun(t, sumMD5OfX+"  -\n", "-c"); got.Stdout != "" || got.Status != exitFailed {
		t.Errorf("standard input in a list on standard input: %+v", got)
	}
}

func TestSumCheckAlgorithms(t *testing.T) {
	t.Chdir(t.TempDir())
	sumWrite(t, map[string]string{"a": "x"})
	line := func(algorithm string) string {
		return sumRun(t, "", "--untagged", "-a", algorithm, "a").Stdout
	}
	tagged := func(algorithm string) string {
		return sumRun(t, "", "--tag", "-a", algorithm, "a").Stdout
	}
	for _, test := range []struct {
		name       string
		algorithms string
		list       string
		ok         int    // files found OK
		fails      bool   // the exit status is 1
		say        string // on stderr
	}{
		{name: "by length", list: line("md5") + line("sha1") + line("sha256") + line("sha512"), ok: 4},
		{name: "by tag", list: tagged("md5") + tagged("crc32c") + tagged("crc64nvme") + tagged("blake3") + tagged("xxh3"), ok: 5},
		{name: "a length of two", list: line("xxh3"), fails: true, say: "values of 16 digits were taken for xxh64; if they are of crc64nvme or xxh3, say so with --algorithms"},
		{name: "8 digits", list: line("crc32c"), fails: true, say: "values of 8 digits were taken for crc32"},
		{name: "named", algorithms: "xxh3", list: line("xxh3"), ok: 1},
		{name: "named for the length", algorithms: "blake3", list: line("blake3"), ok: 1},
		{name: "length of another", list: line("blake3"), fails: true, say: "1 computed checksum did NOT match"},
		{name: "several named", algorithms: "md5,xxh3,blake3", list: line("md5") + line("xxh3") + line("blake3"), ok: 3},
		{name: "several named of one length", algorithms: "sha256,blake3", list: line("blake3"), fails: true, say: "may be of sha256 or blake3"},
		{name: "several named of one length, tagged", algorithms: "sha256,blake3", list: tagged("blake3") + tagged("sha256"), ok: 2},
		{name: "length not named", algorithms: "sha256", list: line("md5"), fails: true, say: "no properly formatted checksum lines found"},
		{name: "tag not named", algorithms: "sha256", list: tagged("md5") + tagged("sha256"), ok: 1, say: "1 line is improperly formatted"},
		{name: "unknown tag", list: "MD4 (a) = " + sumMD5OfX + "\n", fails: true, say: "no properly formatted checksum lines found"},
	} {
		args := []string{"--check"}
		if test.algorithms != "" {
			args = append(args, "-a", test.algorithms)
		}
		got := sumRun(t, test.list, args...)
		if got.Stdout != strings.Repeat("a: OK\n", test.ok) && !strings.Contains(got.Stdout, "FAILED") ||
			(got.Status == exitFailed) != test.fails || !strings.Contains(got.Stderr, test.say) || test.say == "" && got.Stderr != "" {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
}

func TestSumCheckAlgorithmsOfEnvironment(t *testing.T) {
	t.Chdir(t.TempDir())
	sumWrite(t, map[string]string{"a": "x"})
	list := sumRun(t, "", "-a", "xxh3", "a").Stdout
	var stdout, stderr strings.Builder
	p := process{stdin: strings.NewReader(list), stdout: &stdout, stderr: &stderr, getenv: func(name string) string {
		return map[string]string{"BUCKETSUM_ALGORITHMS": "xxh3"}[name]
	}}
	if status := dispatch(t.Context(), p, []string{"sum", "-c"}); status != exitOK || stdout.String() != "a: OK\n" {
		t.Errorf("status %d, stdout %q, stderr %q", status, stdout.String(), stderr.String())
	}
}
