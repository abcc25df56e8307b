package sweep_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// TestWorkerHasNoInventory: a worker that lists the bucket does not take rows of an inventory for keys.
func TestWorkerHasNoInventory(t *testing.T) {
	w := newWorld(map[string]*store{"b": newStore(5)})
	p := &process{world: w, kill: func() {}}
	pass, stop := p.pass(new(rows)), make(chan struct{})
	close(stop)
	pass.Options.Inventory, pass.Shards, pass.Stop = "sha256:1", 1, stop
	if _, err := pass.Here(t.Context()); !errors.Is(err, sweep.ErrStopped) {
		t.Fatal(err)
	}
	for _, keys := range []bool{true, false} {
		worker := &sweep.Worker{Reports: p, Send: func(context.Context, pipeline.Shard) error { return nil }}
		worker.Open = func(ctx context.Context, plan sweep.Plan, name string) (sweep.Bucket, error) {
			b, err := p.open(ctx, plan, name)
			b.Keys = keys
			return b, err
		}
		err := worker.Handle(t.Context(), event(pipeline.Shard{Pass: "audit", Bucket: "b"}))
		if refused := err != nil && strings.Contains(err.Error(), "rows of an inventory"); refused != keys || !keys && err != nil {
			t.Errorf("positions are keys: %v: got the error %v", keys, err)
		}
	}
}

// TestQueueNeedsPlace: a pass that was begun with a list which workers cannot read is not sent to them.
func TestQueueNeedsPlace(t *testing.T) {
	w := newWorld(map[string]*store{"b": newStore(5)})
	p, stop := (&process{world: w, kill: func() {}}).pass(new(rows)), make(chan struct{})
	close(stop)
	p.Options.Inventory, p.Stop = "sha256:1", stop
	if _, err := p.Here(t.Context()); !errors.Is(err, sweep.ErrStopped) {
		t.Fatal(err)
	}
	p.InventoryAt = &sweep.InventoryAt{URL: "s3://lists/keys"} // the plan does not have it
	_, err := p.ByQueue(t.Context(), func(context.Context, pipeline.Shard) error { return errors.New("a shard was sent") })
	if err == nil || !strings.Contains(err.Error(), "choose another name by --pass") {
		t.Errorf("got %v", err)
	}
}
