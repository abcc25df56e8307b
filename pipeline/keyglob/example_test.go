package keyglob_test

import (
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline/keyglob"
)

func ExampleSelects() {
	include, exclude := []string{"photos/**"}, []string{"*.tmp"}
	for _, key := range []string{"photos/2026/a.raw", "photos/a.tmp", "mail/b.eml"} {
		fmt.Println(key, keyglob.Selects(include, exclude, key))
	}
	// Output:
	// photos/2026/a.raw true
	// photos/a.tmp false
	// mail/b.eml false
}
