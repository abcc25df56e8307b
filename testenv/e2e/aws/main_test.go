// Package aws_test runs bucketsum on what stands in for AWS: moto, with the policies, queues and
// rules that Terraform makes, which the stand-in enforces.
package aws_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(program.Exit)) }
