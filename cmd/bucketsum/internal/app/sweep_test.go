package app

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// TestSweepsCheckpoints: a worker deletes a checkpoint that has not changed for two weeks,
// and keeps one that has.
func TestSweepsCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		well := func() error { return nil }
		a, _, ended, stop := startLate(t, well, well)
		synctest.Wait()
		checkpoints := a.config.Stores["photos"].Bucket().Checkpoints
		save := func(key string) {
			t.Helper()
			if err := checkpoints.Save(t.Context(), pipeline.Object{Bucket: "photos", Key: key}, []byte("state")); err != nil {
				t.Fatal(err)
			}
		}
		saved := func(key string) bool {
			t.Helper()
			_, err := checkpoints.Load(t.Context(), pipeline.Object{Bucket: "photos", Key: key})
			if err != nil && !errors.Is(err, pipeline.ErrNotFound) {
				t.Fatal(err)
			}
			return err == nil
		}
		save("left")
		save("in work")
		time.Sleep(sweepAge - sweepEvery)
		save("in work")
		if !saved("left") {
			t.Error("a checkpoint of less than two weeks was deleted")
		}
		time.Sleep(2 * sweepEvery)
		synctest.Wait()
		if saved("left") || !saved("in work") {
			t.Errorf("left behind: %v, in work: %v", saved("left"), saved("in work"))
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
