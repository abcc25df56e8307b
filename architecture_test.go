// Package architecture holds the packages of this module to the rooms and directions
// that docs/architecture.md describes.
package architecture

import (
	"errors"
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/bucketsum/bucketsum"

// rooms says which other rooms the packages of each room may import. A room is a
// package and all packages below it. The longest matching name decides.
var rooms = map[string][]string{
	"cmd":                             {"handlers", "adapters", "pipeline"},
	"cmd/bucketsum/internal/app":      {"handlers", "adapters", "pipeline", "cmd/bucketsum/internal/keeper", "cmd/bucketsum/internal/report", "cmd/bucketsum/internal/screen"},
	"cmd/bucketsum/internal/report":   {"handlers", "adapters", "pipeline", "cmd/bucketsum/internal/screen"},
	"cmd/bucketsum/internal/pass":     {"handlers", "adapters", "pipeline", "cmd/bucketsum/internal/app"},
	"cmd/bucketsum/internal/handover": {"pipeline", "cmd/bucketsum/internal/output"},
	"cmd/bucketsum/internal/md5sum":   {"adapters", "pipeline", "cmd/bucketsum/internal/flagvalue", "cmd/bucketsum/internal/meant", "cmd/bucketsum/internal/output"},
	"handlers":                        {"pipeline"},
	"handlers/web":                    {"pipeline", "handlers/web"},
	"adapters":                        {"pipeline"},
	"adapters/blobstore":              {"pipeline", "adapters/blobstore/driver"},
	"adapters/blobstore/s3":           {"pipeline", "adapters/blobstore/driver", "adapters/awsfault"},
	"adapters/sqs":                    {"pipeline", "adapters/awsfault"},
	"adapters/blobstore/drivertest":   {"adapters/blobstore", "pipeline", "testenv/awsenv"},
	"testenv":                         {"handlers", "adapters", "pipeline", "testenv"},
	"pipeline":                        {"pipeline/digest"},
	"pipeline/digest":                 {"pipeline/digest", "pipeline/suggest"},
	"pipeline/queue":                  {"pipeline"},
	"pipeline/manifest":               {"pipeline"},
	"pipeline/pipelinetest":           {"pipeline"},
	"pipeline/redrive":                {"pipeline"},
	"pipeline/sweep":                  {"pipeline"},
}

// technologies are the modules that only adapters, cmd and testenv may import.
var technologies = []string{
	"gocloud.dev", "github.com/aws/", "github.com/ThreeDotsLabs/watermill-", "github.com/nats-io/", "github.com/twmb/",
	"github.com/rabbitmq/", "cloud.google.com/", "google.golang.org/api/", "github.com/Azure/",
}

// mostFiles is how many files a package may have, without its tests.
const mostFiles = 20

// TestArchitecture checks every package: its imports keep the direction
// cmd → handlers, adapters → pipeline → digest; adapters do not import each other;
// only tests import testenv and the packages named …test; only adapters and cmd know
// technologies. Each package has a doc comment and a bounded number of files.
func TestArchitecture(t *testing.T) {
	packages := 0
	err := filepath.WalkDir(".", func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if name := e.Name(); name == "testdata" || strings.HasPrefix(name, ".") && dir != "." {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil && dir != "." {
			return filepath.SkipDir // a module of its own
		}
		p, err := build.ImportDir(dir, build.ImportComment)
		if none := (*build.NoGoError)(nil); errors.As(err, &none) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(p.GoFiles) == 0 {
			return nil // tests only
		}
		packages++
		t.Run(filepath.ToSlash(dir), func(t *testing.T) { checkPackage(t, filepath.ToSlash(dir), p) })
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packages < 20 {
		t.Errorf("found only %d packages", packages)
	}
}

func checkPackage(t *testing.T, name string, p *build.Package) {
	if p.Doc == "" {
		t.Error("the package has no doc comment")
	}
	// What other systems build counts, too.
	files := slices.DeleteFunc(slices.Concat(p.GoFiles, p.IgnoredGoFiles), func(f string) bool { return strings.HasSuffix(f, "_test.go") })
	if len(files) > mostFiles {
		t.Errorf("the package has %d files without tests, more than %d: split it", len(files), mostFiles)
	}
	room := roomOf(name)
	if room == "" {
		t.Errorf("the package is in none of the rooms of the module")
	}
	for _, imported := range p.Imports {
		checkTechnology(t, name, imported)
		if local, ok := strings.CutPrefix(imported, module+"/"); ok {
			checkImport(t, name, room, local)
		}
	}
}

// roomOf returns the innermost room that a package is in.
func roomOf(name string) string {
	for ; name != "."; name = filepath.ToSlash(filepath.Dir(name)) {
		if _, ok := rooms[name]; ok {
			return name
		}
	}
	return ""
}

func checkTechnology(t *testing.T, name, imported string) {
	for _, technology := range technologies {
		if strings.HasPrefix(imported, technology) && !isIn(name, "cmd") && !isIn(name, "adapters") && !isIn(name, "testenv") {
			t.Errorf("it imports %s, which only adapters may", imported)
		}
	}
}

func checkImport(t *testing.T, name, room, imported string) {
	if isForTests(imported) && !isForTests(name) {
		t.Errorf("it imports %s, which only tests may", imported)
	}
	if isIn(imported, name) || isIn(imported, "testenv") && isForTests(name) {
		return // a package may use what is below it; fakes of servers use testenv
	}
	if !slices.ContainsFunc(rooms[room], func(allowed string) bool { return isIn(imported, allowed) }) {
		t.Errorf("it imports %s; packages in %s may import %v", imported, room, rooms[room])
	}
}

// isIn reports whether a package is a room, or below it.
func isIn(name, room string) bool { return name == room || strings.HasPrefix(name, room+"/") }

// isForTests reports whether a package must not be part of the program.
func isForTests(name string) bool { return isIn(name, "testenv") || strings.HasSuffix(name, "test") }

// TestURLsAreParsedInOnePlace: the errors of net/url quote the whole text, with its password. The code that
// ships parses what users give by redact.Parse, whose errors quote nothing.
func TestURLsAreParsedInOnePlace(t *testing.T) {
	found := false
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (e.Name() == "testenv" || e.Name() == "testdata" || strings.HasPrefix(e.Name(), ".") && path != "."):
			return filepath.SkipDir
		case e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || isForTests(filepath.ToSlash(filepath.Dir(path))):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, call := range []string{"url.Parse(", "url.ParseRequestURI("} {
			if !strings.Contains(string(text), call) {
				continue
			}
			if filepath.ToSlash(path) != "pipeline/redact/parse.go" {
				t.Errorf("%s calls %s…), whose error has secrets; redact.Parse parses URLs", path, call)
			} else {
				found = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !found {
		t.Error("redact.Parse parses no URL: is this test looking for the wrong calls?")
	}
}
