package app

import (
	"context"

	"github.com/bucketsum/bucketsum/adapters/telemetry"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest/md5lanes"
)

// measure starts metrics and traces.
func (a *App) measure(ctx context.Context) error {
	t, err := telemetry.New(ctx, telemetry.Config{Version: a.config.Version, Log: a.config.Log})
	if err != nil {
		return err
	}
	a.measured = t
	a.config.Observer = pipeline.Observers(t.Observer(), a.config.Activity.Observer(), a.config.Observer)
	a.closes = append(a.closes, func() error {
		t.Close()
		return nil
	})
	return t.Gauge("lanes_in_use", "", "MD5 lanes that are hashing at this instant.", func(context.Context) float64 {
		engine, err := md5lanes.Default()
		if err != nil {
			return 0 // the program ends at its start
		}
		hashes, lanes := engine.Load()
		return float64(min(hashes, lanes))
	})
}

// measureReadiness exports as a metric what /readyz answers.
func (a *App) measureReadiness() error {
	return a.measured.Gauge("ready", "", "1 if the queue and the buckets can be reached and the worker does not drain, else 0.", func(ctx context.Context) float64 {
		if len(a.ready.Load().Faults(ctx)) > 0 {
			return 0
		}
		return 1
	})
}
