package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestSuperseded(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want pipeline.SupersededBy
	}{
		{nil, ""},
		{fmt.Errorf("look: %w", pipeline.ErrMissing), pipeline.SupersededMissing},
		{fmt.Errorf("save: %w", pipeline.ErrChanged), ""},
		{fmt.Errorf("look: %w", pipeline.ErrNotFound), ""},
		{pipeline.ErrArchived, pipeline.SupersededArchived},
		{pipeline.ErrOwnRecord, pipeline.SupersededOwnRecord},
		{pipeline.ErrFiltered, pipeline.SupersededFiltered},
		{errors.Join(pipeline.ErrFiltered, pipeline.ErrMissing), pipeline.SupersededMissing},
		{errors.New("503"), ""},
		{pipeline.Permanent(pipeline.ErrMissing), ""},
		{fmt.Errorf("%w: %w", pipeline.ErrMissing, context.Canceled), ""},
	} {
		if got := pipeline.Superseded(tc.err); got != tc.want {
			t.Errorf("%v: got %q, want %q", tc.err, got, tc.want)
		}
	}
}
