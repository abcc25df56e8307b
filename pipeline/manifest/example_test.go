package manifest_test

import (
	"errors"
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

func ExampleReader() {
	list := "SHA2-256(a)= 87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7\nnonsense\n"
	r, err := manifest.NewReader(strings.NewReader(list), manifest.Options{Name: "sums.txt"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for e, err := range r.Entries() {
		if fault, ok := errors.AsType[*manifest.LineError](err); ok {
			fmt.Println(fault)
		} else if err != nil {
			fmt.Println(err) // the list ends here
		} else {
			fmt.Println(e.Name, e.Checksums["sha256"][:8])
		}
	}
	// Output:
	// a 87428fc5
	// line 2: not a checksum line: expected a value, a separator and a name
}
