package parquetfile_test

import (
	"fmt"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/parquetfile"
)

// A file is checked before a library opens it.
func ExampleCheckFooter() {
	const text = "this is a text, and no table"
	fmt.Println(parquetfile.CheckFooter(strings.NewReader(text), int64(len(text))))
	const huge = "PAR1 and a footer of 4 GB:\xff\xff\xff\xffPAR1"
	fmt.Println(parquetfile.CheckFooter(strings.NewReader(huge), int64(len(huge))))
	// Output:
	// the Parquet file is damaged: it is no such file: it ends with "able"
	// the Parquet file is damaged: its footer has 4294967295 bytes
}
