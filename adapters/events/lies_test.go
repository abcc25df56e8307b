package events_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/events"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/testenv/hostile"
)

// TestLies lies about the identity of each documented event, in all ways: the events must still be decoded, and
// one reading of each key must be the right one.
func TestLies(t *testing.T) {
	samples, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{"", "k", "1+1=2.txt", "90% off", "x%20y+z", "%41", "%e4%zz", "dir/ü 💎.bin", "a&b=c;d", "+", "%", "%2B", "tab\tand\nnewline", "%25%"}
	tried := 0
	for _, path := range samples {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		body := sample(t, name)
		honest, err := events.Decode(body, nil)
		if err != nil || !slices.ContainsFunc(honest, func(e pipeline.Event) bool { return e.Kind != pipeline.Ignored }) {
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20 * len(keys)) {
				key := keys[seed%uint64(len(keys))]
				lying, lies, err := hostile.Lies(rand.New(rand.NewPCG(seed, 1)), body, key)
				if err != nil {
					t.Fatal(err)
				}
				got, err := events.Decode(lying, nil)
				if err != nil || len(got) != len(honest) {
					t.Fatalf("seed %d: %d events, want %d; error: %v\nlies: %s\n%s", seed, len(got), len(honest), err, lies, lying)
				}
				for i, want := range honest {
					e := got[i]
					if e.Kind == pipeline.Ignored && want.Kind == pipeline.Ignored {
						continue
					}
					if key == "" || !strings.Contains(lies, "key is") {
						key = want.Object.Key
					}
					if e.Kind == pipeline.Ignored || e.Object.Bucket != want.Object.Bucket || key != e.Object.Key && key != e.OtherKey {
						t.Fatalf("seed %d: %s %s (or %q), want %s %q\nlies: %s\n%s", seed, e.Kind, e.Object, e.OtherKey, want.Kind, key, lies, lying)
					}
				}
			}
		})
	}
	if tried < 20 {
		t.Errorf("only %d events were tried", tried)
	}
}
