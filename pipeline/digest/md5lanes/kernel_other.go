//go:build !amd64

package md5lanes

// kernels is empty: on other architectures no kernel was shown to be faster than crypto/md5.
var kernels []*kernel
