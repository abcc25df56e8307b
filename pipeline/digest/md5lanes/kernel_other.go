//go:build !amd64

package md5lanes

// kernels is empty where nothing has been shown to beat crypto/md5.
var kernels []*kernel
