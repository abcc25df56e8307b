package subprocess_test

import (
	"bufio"
	"fmt"
	"os"
	"testing"

	"github.com/bucketsum/bucketsum/testenv/subprocess"
)

func TestMain(m *testing.M) {
	subprocess.Main("TEST_SUBPROCESS_NAME", func(name string) error {
		fmt.Println("ready")
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Println(name, in.Text())
		}
		return nil
	})
	os.Exit(m.Run())
}

func TestProcess(t *testing.T) {
	p := subprocess.Start(t, "TEST_SUBPROCESS_NAME=echo")
	defer p.Kill()
	if got := p.Line(); got != "ready" {
		t.Errorf("got %q, want ready", got)
	}
	if got := p.Ask("a b"); got != "echo a b" {
		t.Errorf("got %q, want echo a b", got)
	}
	p.Kill()
}
