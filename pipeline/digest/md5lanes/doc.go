// Package md5lanes computes MD5 for many writers at the same time, several times as fast
// per second of CPU as crypto/md5.
//
// MD5 of one stream is serial: every step waits for the one before it, and most of a CPU
// idles. This package runs the steps of up to 16 streams side by side in the lanes of
// vector registers. It takes no more than to use it in place of crypto/md5, with a
// goroutine for each stream:
//
//	h := md5lanes.New()
//	io.Copy(h, r)
//	sum := h.Sum(nil)
//
// The gain is proportional to the number of goroutines that are in Write together, up to
// 16 on each CPU; more keep the lanes full. Write returns when its bytes are hashed and
// keeps none of them. Writes of 32 KiB and more gain most, those of less than 2 KiB nothing,
// and a lone writer is as fast as with crypto/md5.
//
// # Scheduling
//
// An engine has no goroutine of its own. A Write that finds nobody at work leads: it
// collects the others that wait, runs the lanes, gives a lane that is done to the next
// in the queue, and hands the lead to a waiting goroutine once its own bytes are hashed.
// The queue is first come, first served, in pieces of at most 1 MiB, so that a writer of
// gigabytes does not keep others waiting. When all lanes are taken and a dozen more writers
// wait, another set of lanes runs on another CPU. An engine that is not in use costs
// nothing, a hash that is dropped halfway is plain garbage, and a bubble of
// testing/synctest may share an engine with goroutines outside it.
//
// # State
//
// A hash marshals its state as crypto/md5 does, byte for byte, so that either can resume
// what the other began, on any machine.
//
// # Kernels
//
// Kernels exist for AVX-512 and AVX2 on amd64; the best that the CPU has is chosen at start.
// Everywhere else, arm64 included, a hash is crypto/md5's own. The environment variable
// BUCKETSUM_MD5 forces "avx512", "avx2" or "generic", for tests and comparisons; another
// value, or a kernel that the CPU cannot run, makes Default fail and New panic.
//
// MD5 is broken where somebody could gain from a collision. It is still what checksum files
// and ETags are made of.
package md5lanes
