package awsenv

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
)

// StartFakeGCS starts fake-gcs-server: Google Cloud Storage in memory, without
// credentials.
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

// The account that Azurite accepts. Its key is public.
const (
	AzuriteAccount = "devstoreaccount1"
	AzuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// StartAzurite starts Azurite: Azure Blob Storage in memory.
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
		c.Dir = dir // it writes files there
		return c
	})
}
