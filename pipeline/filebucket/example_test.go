package filebucket_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// The keys of a folder's files come in the order in which an object store lists them.
func ExampleWalk() {
	dir, err := os.MkdirTemp("", "inbox")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Mkdir(filepath.Join(dir, "a"), 0o777); err != nil {
		log.Fatal(err)
	}
	for _, name := range []string{"a/b", "a-"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			log.Fatal(err)
		}
	}
	open := func(key string) (*os.File, error) { return os.Open(filepath.Join(dir, key)) }
	err = filebucket.Walk(open, func(e filebucket.Entry) error {
		if e.Err == nil && !e.Type.IsDir() {
			fmt.Println(e.Key)
		}
		return e.Err
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// a-
	// a/b
}
