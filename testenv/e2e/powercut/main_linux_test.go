// Package powercut_test cuts the power of a folder on which bucketsum works.
package powercut_test

import (
	"regexp"
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(program.Exit)) }

func isSummed(line string) bool { return summedLine.MatchString(line) }

var summedLine = regexp.MustCompile(`^(md5 +)?[0-9a-f]{32}  .*B `)
