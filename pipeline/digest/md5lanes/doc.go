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
// Two writers alone are hashed apart by crypto/md5, where there are CPUs for that: 1,570 MB/s
// on two idle ones instead of at most 1,210 in two lanes, for a fifth more CPU. From three
// on lanes win. MB per CPU-second of BenchmarkWrite on a CPU of 2.6 GHz with AVX-512 (AMD
// Zen 4), writes of 64 KiB, medians, crypto/md5 being at 780 for any number:
//
//	writers        1      2      3      4      6      8     16     32
//	GOMAXPROCS=1   790  1,170  1,740  2,190  3,240  4,600  8,950  8,800
//	GOMAXPROCS=2   770    760  1,510  1,810  3,040  3,830  7,360  8,080
//
// On one CPU and with three to 16 writers on two, that is also about the MB/s, as one CPU hashes
// at a time; crypto/md5 reaches 1,560 on two.
//
// Where what is to be hashed can be had without waiting, as from files in memory, a hash
// that fetches it by itself needs no goroutine to be woken for every chunk, and lanes stay
// full: see Fetcher.
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
