package sqstest

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"
)

// StartMoto starts moto on a free port and returns its URL; it ends with the
// test. The test is skipped where moto is not installed, and fails where CI is set.
func StartMoto(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("moto_server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("moto_server is not installed: pip install 'moto[server]'")
		}
		t.Skip("moto_server is not installed")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	var output bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, "-H", "127.0.0.1", "-p", port)
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Wait() }) // it was killed
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			conn.Close()
			return "http://" + address
		}
		if time.Now().After(deadline) {
			t.Fatalf("moto does not listen: %v\n%s", err, &output)
		}
		time.Sleep(50 * time.Millisecond) // nothing tells when a process listens
	}
}
