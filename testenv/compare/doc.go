// Package compare measures bucketsum and tools that do the same, on this machine,
// with files and with a versitygw on the loopback interface. It consists of one test,
// which .ci/compare runs.
package compare
