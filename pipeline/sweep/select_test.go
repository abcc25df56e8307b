package sweep_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

func TestSelects(t *testing.T) {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	object := func(key string, size int64, modified time.Time) sweep.Item {
		return sweep.Item{At: key, Object: pipeline.Object{Key: key, Size: size}, Modified: modified}
	}
	record := sweep.Item{At: "a.raw.md5", Record: true, Object: pipeline.Object{Key: "a.raw"}}
	for name, tc := range map[string]struct {
		options sweep.Options
		item    sweep.Item
		want    bool
	}{
		"all":                                {sweep.Options{}, object("a", 0, time.Time{}), true},
		"prefix":                             {sweep.Options{Prefix: "a/"}, object("a/b", 0, at), true},
		"other prefix":                       {sweep.Options{Prefix: "a/"}, object("ab", 0, at), false},
		"excluded":                           {sweep.Options{Exclude: []string{"*.raw"}}, object("a/b.raw", 0, at), false},
		"newer":                              {sweep.Options{Newer: at}, object("a", 0, at.Add(1)), true},
		"as old":                             {sweep.Options{Newer: at}, object("a", 0, at), false},
		"of unknown age":                     {sweep.Options{Newer: at}, object("a", 0, time.Time{}), true},
		"larger":                             {sweep.Options{Larger: 5}, object("a", 6, at), true},
		"as large":                           {sweep.Options{Larger: 5}, object("a", 5, at), false},
		"empty":                              {sweep.Options{Larger: 5}, object("a", 0, at), false},
		"of unknown size":                    {sweep.Options{Larger: 5}, object("a", pipeline.UnknownSize, at), true},
		"a record goes by its object's key":  {sweep.Options{Include: []string{"*.raw"}}, record, true},
		"a record of an excluded object":     {sweep.Options{Exclude: []string{"*.raw"}}, record, false},
		"a record has the age of no object":  {sweep.Options{Newer: at, Larger: 5}, record, true},
		"a record of an object not sampled ": {sweep.Options{Sample: 1e-18}, record, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := tc.options.Selects(tc.item); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

// TestSample: the share is about right, a larger sample has the smaller one, and the choice is the same in every
// process and version.
func TestSample(t *testing.T) {
	small, large, both := 0, 0, 0
	for i := range 100_000 {
		item := sweep.Item{Object: pipeline.Object{Key: fmt.Sprintf("photos/%d.raw", i)}}
		a, b := sweep.Options{Sample: 0.05}.Selects(item), sweep.Options{Sample: 0.2}.Selects(item)
		if a {
			small++
		}
		if b {
			large++
		}
		if a && b {
			both++
		}
	}
	if small < 4700 || small > 5300 || large < 19_400 || large > 20_600 || both != small {
		t.Errorf("of 100,000 keys 5%% are %d, 20%% are %d, %d in both; want about 5,000 and 20,000, and each of the smaller in the larger", small, large, both)
	}
	var chosen []string
	for i := range 40 {
		if key := fmt.Sprintf("k%d", i); (sweep.Options{Sample: 0.1}).Selects(sweep.Item{Object: pipeline.Object{Key: key}}) {
			chosen = append(chosen, key)
		}
	}
	if got, want := strings.Join(chosen, " "), "k2 k11 k30"; got != want {
		t.Errorf("a tenth of k0 to k39: got %s, want %s", got, want)
	}
}

func TestPrefixRange(t *testing.T) {
	for _, prefix := range []string{"a", "photos/", "ü", "a\U0010FFFF", "\U0010FFFF", "a\uD7FF", "a\uE000", "a!", "a ", "\x01", "a\x00"} {
		r := sweep.PrefixRange(prefix)
		for _, key := range []string{prefix, prefix + "\x00", prefix + "a", prefix + "\U0010FFFF", prefix + "\U0010FFFFz"} {
			if !r.Contains(key) {
				t.Errorf("the range of %q, %q, has not %q", prefix, r, key)
			}
		}
	}
	r := sweep.PrefixRange("photos/")
	for _, key := range []string{"photos", "photos.raw", "photos-2026", "photos1", "mail", "photo", "photosa", ""} {
		if r.Contains(key) {
			t.Errorf("the range of photos/, %q, has %q", r, key)
		}
	}
	if all := sweep.PrefixRange(""); all != (sweep.Range{}) {
		t.Errorf("the range of the empty prefix: got %q, want all", all)
	}
}

func FuzzPrefixRange(f *testing.F) {
	f.Add("photos/", "x")
	f.Fuzz(func(t *testing.T, prefix, rest string) {
		if prefix = strings.ToValidUTF8(prefix, ""); prefix+rest == "" {
			return
		}
		if r := sweep.PrefixRange(prefix); !r.Contains(prefix + rest) {
			t.Errorf("the range of %q, %q, has not %q", prefix, r, prefix+rest)
		}
	})
}
