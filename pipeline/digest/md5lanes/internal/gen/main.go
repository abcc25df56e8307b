// Command gen writes the MD5 kernels of package md5lanes, one instruction set per run:
//
//	go run . -kernel avx512 -out ../../avx512_amd64.s -stubs ../../avx512_amd64.go -pkg md5lanes
//
// It is a module of its own so that importers of md5lanes do not depend on avo.
package main

import (
	"flag"
	"fmt"
	"math"
	"os"

	"github.com/mmcloughlin/avo/build"
)

// signature is the signature of every kernel. State word w of lane l is dig[w][l]; the lane's
// bytes start at ptr[l]; scratch holds transposed blocks.
const signature = "func(dig *[4][16]uint32, ptr *[16]uintptr, scratch *[2][16][16]uint32, blocks int)"

// shifts holds the rotations of the four rounds, in bits. Step i of a round uses column i%4.
var shifts = [4][4]uint64{{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}}

// word returns the index of the word of the block, of 16, that step i adds.
func word(i int) int {
	switch i / 16 {
	case 0:
		return i
	case 1:
		return (5*i + 1) % 16
	case 2:
		return (3*i + 5) % 16
	}
	return 7 * i % 16
}

// constant returns the constant that step i adds.
func constant(i int) uint32 {
	return uint32(math.Floor(math.Abs(math.Sin(float64(i+1))) * (1 << 32)))
}

func main() {
	kernel := flag.String("kernel", "", "`name` of the instruction set: avx512 or avx2")
	flag.Parse()
	build.ConstraintExpr("amd64")
	switch *kernel {
	case "avx512":
		avx512()
	case "avx2":
		avx2()
	default:
		fmt.Fprintf(os.Stderr, "gen: unknown kernel %q; valid are avx512, avx2\n", *kernel)
		os.Exit(2)
	}
	build.Generate()
}
