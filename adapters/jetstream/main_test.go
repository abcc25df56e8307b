package jetstream_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/jetstream/jetstreamtest"
)

func TestMain(m *testing.M) {
	jetstreamtest.Main()
	goleak.VerifyTestMain(m)
}
