// Package md5lanes computes MD5 for many writers at the same time. Per second of CPU it is
// several times as fast as crypto/md5.
//
// MD5 of one stream is serial: every step waits for the one before it, and most of a CPU
// idles. This package runs the steps of up to 16 streams side by side in the lanes of
// vector registers. Use it in place of crypto/md5, with a goroutine for each stream:
//
//	h := md5lanes.New()
//	io.Copy(h, r)
//	sum := h.Sum(nil)
//
// The gain is proportional to the number of goroutines that are in Write together, up to
// 16 on each CPU; more goroutines keep the lanes full. Write returns when its bytes are
// hashed and does not keep them. Writes of 32 KiB and more gain most, writes of less than
// 2 KiB gain nothing, and a lone writer is as fast as with crypto/md5.
//
// # Scheduling
//
// An engine has no goroutine of its own. A goroutine whose Write finds no set of lanes at
// work becomes the leader of one: it collects the writers that wait, runs the lanes, gives a
// lane that is done to the next writer in the queue, and hands the lead to a waiting
// goroutine once its own bytes are hashed. The queue is first come, first served, in pieces of at most
// 1 MiB, so that a writer of gigabytes does not keep others waiting. When all lanes are
// taken and a dozen more writers wait, another set of lanes runs on another CPU. An idle
// engine costs nothing, a hash that is dropped halfway is collected as garbage, and a bubble
// of testing/synctest may share an engine with goroutines outside it.
//
// Two writers alone are hashed apart, each by crypto/md5 on a CPU of its own, if there are
// CPUs for that: 1,570 MB/s on two idle CPUs instead of at most 1,210 MB/s in two lanes, for
// a fifth more CPU. From three writers on, lanes are faster. MB per CPU-second of
// BenchmarkWrite on a CPU of 2.6 GHz with AVX-512 (AMD Zen 4), writes of 64 KiB, medians;
// crypto/md5 has 780 for any number of writers:
//
//	writers        1      2      3      4      6      8     16     32
//	GOMAXPROCS=1   790  1,170  1,740  2,190  3,240  4,600  8,950  8,800
//	GOMAXPROCS=2   770    760  1,510  1,810  3,040  3,830  7,360  8,080
//
// With GOMAXPROCS=1, and with GOMAXPROCS=2 and three to 16 writers, these figures are also
// about the MB/s, because one CPU hashes at a time; crypto/md5 reaches 1,560 MB/s on two.
//
// If the bytes are available without waiting, such as those of files in memory, a hash can
// fetch them itself. Then no goroutine has to be woken for every chunk, and the lanes stay
// full: see Fetcher.
//
// # State
//
// A hash marshals its state as crypto/md5 does, byte for byte, so that each of the two can
// resume what the other began, on any machine.
//
// # Kernels
//
// Kernels exist for AVX-512 and AVX2 on amd64. The best that the CPU can run is chosen at
// start. On other architectures, arm64 included, a hash is crypto/md5's own. The environment
// variable BUCKETSUM_MD5 forces "avx512", "avx2" or "generic", for tests and comparisons.
// With another value, or a kernel that the CPU cannot run, Default fails and New panics.
//
// MD5 is broken wherever an attacker could gain from a collision. Checksum files and ETags
// still use it.
package md5lanes
