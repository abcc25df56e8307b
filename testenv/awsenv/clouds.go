package awsenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// StartFakeGCS starts a fake-gcs-server, which is Google Cloud Storage in memory
// without credentials.
func StartFakeGCS(t testing.TB) Server {
	t.Helper()
	name, err := findTool(t, "fake-gcs-server", filepath.Join("gcs", "go.mod"), "github.com/fsouza/fake-gcs-server")
	if err != nil {
		missing(t, fmt.Sprintf("fake-gcs-server is not installed: %v", err))
	}
	return start(t, "/_internal/healthcheck", func(port string) *exec.Cmd {
		return exec.Command(name, "-backend", "memory", "-scheme", "http", "-host", "127.0.0.1", "-port", port,
			"-public-host", "127.0.0.1:"+port, "-log-level", "error")
	})
}

// The account that Azurite accepts. Everybody knows its key.
const (
	AzuriteAccount = "devstoreaccount1"
	AzuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// azuriteVersion is what is installed in CI.
const azuriteVersion = "3.37.0"

// StartAzurite starts Azurite, which is Azure Blob Storage in memory.
func StartAzurite(t testing.TB) Server {
	t.Helper()
	name, err := findAzurite()
	if err != nil {
		missing(t, fmt.Sprintf("azurite-blob is not installed: %v", err))
	}
	dir := t.TempDir()
	return start(t, "", func(port string) *exec.Cmd {
		c := exec.Command(name, "--blobHost", "127.0.0.1", "--blobPort", port, "--inMemoryPersistence", "--silent",
			"--skipApiVersionCheck", "--disableTelemetry")
		c.Dir = dir // where it writes notes
		return c
	})
}

// findAzurite returns that of the PATH, or one that npm installed before. In CI it
// is installed.
func findAzurite() (string, error) {
	if name, err := exec.LookPath("azurite-blob"); err == nil {
		return name, nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "bucketsum", "azurite-"+azuriteVersion)
	name := filepath.Join(dir, "node_modules", ".bin", "azurite-blob")
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if os.Getenv("CI") == "" {
		return "", errors.New("none in the PATH; with CI=1 in the environment npm installs it, once")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "npm") // several processes may do so at the same time
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	c := exec.Command("npm", "install", "--prefix", fresh, "--no-audit", "--no-fund", "azurite@"+azuriteVersion)
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm install: %w\n%s", err, out)
	}
	if err := os.Rename(fresh, dir); err != nil {
		if _, there := os.Stat(name); there != nil { // else another process was faster
			return "", err
		}
	}
	return name, nil
}
