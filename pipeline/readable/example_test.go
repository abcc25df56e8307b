package readable_test

import (
	"fmt"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

func Example() {
	fmt.Println(readable.Bytes(4 << 30))
	fmt.Println(readable.Duration(1234567 * time.Microsecond))
	fmt.Println(readable.Name("a\x1b[31mred.txt"))
	// Output:
	// 4.0 GiB
	// 1.23s
	// "a\x1b[31mred.txt"
}
