package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestClassify(t *testing.T) {
	sdk := errors.New("NoSuchKey: status 404")
	permanent := pipeline.Permanent(errors.New("no room"))
	for _, tc := range []struct {
		name string
		err  error
		want pipeline.Class
	}{
		{"none", nil, pipeline.ClassNone},
		{"permanent of none", pipeline.Permanent(nil), pipeline.ClassNone},
		{"unknown", sdk, pipeline.ClassTransient},
		{"panic", &pipeline.PanicError{Value: 1}, pipeline.ClassTransient},
		{"drain", pipeline.ErrDrainTimeout, pipeline.ClassTransient},
		{"cancelled", fmt.Errorf("read: %w", context.Canceled), pipeline.ClassTransient},
		{"timeout", fmt.Errorf("read: %w", context.DeadlineExceeded), pipeline.ClassTransient},

		{"permanent", permanent, pipeline.ClassPermanent},
		{"permanent within", fmt.Errorf("save a: %w", permanent), pipeline.ClassPermanent},
		{"permanent with two names", fmt.Errorf("save a: %w: %w", permanent, sdk), pipeline.ClassPermanent},
		{"permanent mark of what would be superseded", pipeline.Permanent(fmt.Errorf("bucket: %w", pipeline.ErrMissing)), pipeline.ClassPermanent},
		{"permanent mark of several", pipeline.Permanent(errors.Join(sdk, pipeline.ErrMissing)), pipeline.ClassPermanent},

		{"not found", pipeline.ErrMissing, pipeline.ClassSuperseded},
		{"changed", fmt.Errorf("open a: %w", pipeline.ErrMissing), pipeline.ClassSuperseded},
		{"archived", pipeline.ErrArchived, pipeline.ClassSuperseded},
		{"own record", pipeline.ErrOwnRecord, pipeline.ClassSuperseded},
		{"filtered", pipeline.ErrFiltered, pipeline.ClassSuperseded},
		{"superseded with two names", fmt.Errorf("open a: %w: %w", pipeline.ErrMissing, sdk), pipeline.ClassSuperseded},

		// A shutdown may cause any error.
		{"permanent mark of a cancellation", pipeline.Permanent(fmt.Errorf("read: %w", context.Canceled)), pipeline.ClassTransient},
		{"permanent mark of a timeout", pipeline.Permanent(context.DeadlineExceeded), pipeline.ClassTransient},
		{"superseded by a cancellation", fmt.Errorf("%w: %w", pipeline.ErrMissing, context.Canceled), pipeline.ClassTransient},

		// Joined failures: the one that needs the most care decides.
		{"permanent and unknown", errors.Join(permanent, sdk), pipeline.ClassTransient},
		{"unknown and permanent, wrapped", fmt.Errorf("save: %w", errors.Join(sdk, permanent)), pipeline.ClassTransient},
		{"superseded and unknown", errors.Join(pipeline.ErrMissing, sdk), pipeline.ClassTransient},
		{"superseded and permanent", errors.Join(pipeline.ErrMissing, permanent), pipeline.ClassPermanent},
		{"superseded twice", errors.Join(pipeline.ErrMissing, nil, pipeline.ErrMissing), pipeline.ClassSuperseded},
		{"joined alone", errors.Join(permanent), pipeline.ClassPermanent},
		{"joined within joined", errors.Join(permanent, errors.Join(pipeline.ErrMissing, sdk)), pipeline.ClassTransient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := pipeline.Classify(tc.err); got != tc.want {
				t.Errorf("Classify(%v) is %q, want %q", tc.err, got, tc.want)
			}
		})
	}
}

func TestPermanentKeepsTheError(t *testing.T) {
	cause := errors.New("no room")
	err := pipeline.Permanent(fmt.Errorf("save a: %w", cause))
	if err.Error() != "save a: no room" || !errors.Is(err, cause) {
		t.Errorf("%v does not wrap %v under its own text", err, cause)
	}
}
