// Package page_test uses the page in a real browser, as its readers do: beside the real program, and in the states that
// a reader can find it in.
package page_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/program"
)

// The picture in the README is made with -run TestLooks -screenshot DIR.
var screenshots = flag.String("screenshot", "", "a folder for pictures of the page")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m, goleak.Cleanup(program.Exit)) }
