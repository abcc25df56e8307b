package awsenv

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// findVersitygw returns a versitygw.
func findVersitygw(t testing.TB) (string, error) {
	t.Helper()
	return findTool(t, "versitygw", "go.mod", "github.com/versity/versitygw/cmd/versitygw")
}

// findTool returns a server that is written in Go: that of the PATH, or one that
// was built before of the version that a module of the tools names. In CI it is built.
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
	// Another version is another file.
	name := filepath.Join(cache, "bucketsum", fmt.Sprintf("%s-%x", server, sha256.Sum256(versions)))
	if _, err := os.Stat(name); err == nil {
		return name, nil
	}
	if os.Getenv("CI") == "" {
		return "", errors.New("none in the PATH; with CI=1 in the environment it is built, once")
	}
	return name, build(root, tools, pkg, name)
}

// build builds a server. Several processes may do so at the same time.
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
