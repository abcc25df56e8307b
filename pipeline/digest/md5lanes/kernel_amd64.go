package md5lanes

import "golang.org/x/sys/cpu"

//go:generate go -C internal/gen run . -kernel avx512 -out ../../avx512_amd64.s -stubs ../../avx512_amd64.go -pkg md5lanes
//go:generate go -C internal/gen run . -kernel avx2 -out ../../avx2_amd64.s -stubs ../../avx2_amd64.go -pkg md5lanes

// kernels holds the kernels for amd64, the best first.
var kernels = []*kernel{
	{name: "avx512", runs: cpu.X86.HasAVX512F && cpu.X86.HasAVX512VL, block: blockAVX512},
	{name: "avx2", runs: cpu.X86.HasAVX2, block: blockAVX2},
}
