package awsenv

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// missing skips a test whose server is missing. In CI it fails the test.
func missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// findTool returns the path of a server that is written in Go: the one in the PATH,
// or one that was built before, in the version that the go.mod of the tools requires.
// In CI it is built if needed.
func findTool(t testing.TB, server, module, pkg string) (string, error) {
	t.Helper()
	if name, err := exec.LookPath(server); err == nil {
		return name, nil
	}
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	tools := filepath.Join(root, ".ci", "tools", module)
	versions, err := os.ReadFile(tools)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	// Each version has its own file.
	name := filepath.Join(cache, "bucketsum", fmt.Sprintf("%s-%x", server, sha256.Sum256(versions)))
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if os.Getenv("CI") == "" {
		return "", errors.New("it is not in the PATH; with CI=1 in the environment it is built, once")
	}
	return name, build(root, tools, pkg, name)
}

// build builds a server. Several processes may do this at the same time.
func build(root, tools, pkg, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(name), "build")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, "server")
	c := exec.Command("go", "build", "-modfile="+tools, "-o", built, pkg)
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return os.Rename(built, name)
}

// moduleRoot returns the folder of this module.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// azuriteVersion is the version that is installed in CI.
const azuriteVersion = "3.37.0"

// findAzurite returns the path of Azurite: the one in the PATH, or one that npm
// installed before. In CI it is installed if needed.
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
		return "", errors.New("it is not in the PATH; with CI=1 in the environment npm installs it, once")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), "npm") // several processes may do this at the same time
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
