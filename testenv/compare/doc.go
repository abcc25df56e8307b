// Package compare measures bucketsum beside the tools that do the same, on this
// machine, against files and against a versitygw on the loopback interface. It has
// nothing but a test, which .ci/compare runs.
package compare
