package app

import (
	"context"
	"errors"
	"fmt"
)

// SayConditions logs for each bucket which conditional writes its store honours.
func (a *App) SayConditions(ctx context.Context) error {
	var faults []error
	for _, name := range a.Buckets() {
		said, err := a.config.Stores[name].Conditions(ctx)
		if err != nil {
			faults = append(faults, fmt.Errorf("--bucket: %w", err))
		} else if said != "" {
			a.config.Log.Info("conditional writes: "+said, "bucket", name)
		}
	}
	return errors.Join(faults...)
}
