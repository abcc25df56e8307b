package main

import (
	"go/build"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/bucketsum/bucketsum"

// mayImport says, for each room of the module, which other rooms its packages
// may import. The longest matching name decides.
var mayImport = map[string][]string{
	"cmd":                              {"handlers", "adapters", "pipeline"},
	"handlers":                         {"pipeline"},
	"handlers/web":                     {"pipeline"},
	"adapters":                         {"pipeline"},
	"adapters/blobstore":               {"pipeline", "adapters/blobstore/driver"},
	"adapters/jetstream/jetstreamtest": {"pipeline", "testenv/freeport"},
	"adapters/kafka/kafkatest":         {"pipeline", "testenv/freeport"},
	"adapters/rabbitmq/rabbitmqtest":   {"pipeline", "testenv/freeport"},
	"testenv":                          {"pipeline"},
	"testenv/awsenv":                   {"pipeline", "testenv/freeport"},
	"pipeline":                         {"pipeline/digest"},
	"pipeline/digest":                  {"pipeline/digest"},
	"pipeline/queue":                   {"pipeline"},
	"pipeline/pipelinetest":            {"pipeline"},
}

// technologies are the modules that only adapters and cmd may know.
var technologies = []string{"gocloud.dev", "github.com/aws/", "github.com/ThreeDotsLabs/watermill-", "github.com/nats-io/", "github.com/twmb/", "github.com/rabbitmq/", "cloud.google.com/", "google.golang.org/api/", "github.com/Azure/"}

// TestArchitecture holds the imports of every package to the direction
// cmd → handlers, adapters → pipeline → digest, keeps testenv and the packages
// named …test out of what ships, and asks each package for its doc comment.
func TestArchitecture(t *testing.T) {
	root := filepath.Join("..", "..")
	packages := 0
	err := filepath.WalkDir(root, func(dir string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() {
			return err
		}
		if name := e.Name(); name == "testdata" || (strings.HasPrefix(name, ".") && dir != root) {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil && dir != root {
			return filepath.SkipDir // a module of its own
		}
		p, err := build.ImportDir(dir, build.ImportComment)
		if err != nil {
			if _, none := err.(*build.NoGoError); none {
				return nil
			}
			return err
		}
		packages++
		place, _ := filepath.Rel(root, dir)
		place = filepath.ToSlash(place)
		if p.Doc == "" {
			t.Errorf("package %s has no doc comment", place)
		}
		allowed := allowedImports(place)
		if allowed == nil {
			t.Errorf("package %s is in none of the rooms of the module", place)
		}
		for _, imported := range p.Imports {
			checkImport(t, place, imported, allowed)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if packages < 5 {
		t.Errorf("saw %d packages only", packages)
	}
}

func allowedImports(place string) []string {
	for ; place != "."; place = filepath.ToSlash(filepath.Dir(place)) {
		if allowed, ok := mayImport[place]; ok {
			return allowed
		}
	}
	return nil
}

func checkImport(t *testing.T, place, imported string, allowed []string) {
	t.Helper()
	knows := strings.HasPrefix(place, "cmd") || strings.HasPrefix(place, "adapters")
	for _, technology := range technologies {
		if strings.HasPrefix(imported, technology) && !knows {
			t.Errorf("%s imports %s, which only adapters may", place, imported)
		}
	}
	local, ok := strings.CutPrefix(imported, module+"/")
	if !ok {
		return
	}
	if forTests(local) && !forTests(place) {
		t.Errorf("%s imports %s, which only tests may", place, local)
	}
	if strings.HasPrefix(local, place+"/") {
		return
	}
	for _, room := range allowed {
		if local == room || strings.HasPrefix(local, room+"/") && !strings.HasSuffix(local, "test") {
			return
		}
	}
	t.Errorf("%s imports %s; it may import %v", place, local, allowed)
}

// forTests reports whether a package is never part of the binary.
func forTests(place string) bool {
	return place == "testenv" || strings.HasPrefix(place, "testenv/") || strings.HasSuffix(place, "test")
}
