package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLocalLogsItsHTTPSide: the report of local has no line for what is wrong with the HTTP side, so the log has it.
func TestLocalLogsItsHTTPSide(t *testing.T) {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() }) // after local has ended
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte("0123456789abcdef\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(token, 0o644); err != nil {
		t.Fatal(err)
	}
	url, _ := startLocal(t, t.TempDir(), func(c *Config) {
		c.Listen, c.TokenFile, c.Log = ":0", token, slog.New(slog.NewTextHandler(log, nil))
	})
	if strings.Contains(url, "[::]") {
		t.Errorf("%s is no address for a browser on another machine", url)
	}
	if err := os.Remove(token); err != nil {
		t.Fatal(err)
	}
	if status, answer := call(t, "GET", url+"/v1/dead-letters", ""); status != 503 || !strings.Contains(answer, "The log says why") {
		t.Errorf("status %d: %s", status, answer)
	}
	if status, answer := call(t, "POST", url+"/md5", ""); status != 400 {
		t.Errorf("status %d: %s", status, answer)
	}
	said, err := os.ReadFile(log.Name())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"chmod 600", "without TLS, others on the network can read the token", "the token cannot be read"} {
		if !strings.Contains(string(said), want) {
			t.Errorf("the log does not say %q: %s", want, said)
		}
	}
	if !strings.Contains(string(said), `level=INFO msg="upload refused"`) {
		t.Errorf("what clients do wrong is more than a note: %s", said)
	}
	if strings.Contains(string(said), "0123456789abcdef") {
		t.Errorf("the log has the token: %s", said)
	}
}
