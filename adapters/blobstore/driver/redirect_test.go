package driver_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// TestRedirects: a store sends its client to other hosts of its own domain only.
func TestRedirects(t *testing.T) {
	const s3 = "https://photos.s3.amazonaws.com/a"
	for _, tc := range []struct {
		status   int
		from, to string
		follows  bool
	}{
		{307, s3, "https://photos.s3.eu-west-1.amazonaws.com/a", true},
		{308, s3, "https://photos.s3-eu-west-1.amazonaws.com/a", true},
		{307, "https://photos.s3.cn-north-1.amazonaws.com.cn/a", "https://s3.cn-northwest-1.amazonaws.com.cn/photos/a", true},
		{307, "http://ceph1:7480/a", "http://ceph1:7480/b", true},
		{307, "http://10.0.0.1:7480/a", "http://10.0.0.1:7480/b", true},
		{301, s3, "https://photos.s3.eu-west-1.amazonaws.com/a", false}, // a PUT would become a GET
		{302, s3, "https://photos.s3.eu-west-1.amazonaws.com/a", false},
		{307, s3, "http://photos.s3.eu-west-1.amazonaws.com/a", false},
		{307, s3, "https://evil.example/a", false},
		{307, s3, "https://s3.amazonaws.com.evil.example/a", false},
		{307, s3, "https://evilamazonaws.com/a", false},
		{307, s3, "https://photos.s3.eu-west-1.amazonaws.com:8443/a", false},
		{307, "https://photos.s3.cn-north-1.amazonaws.com.cn/a", "https://evil.com.cn/a", false},
		{307, s3, "http://169.254.169.254/latest/meta-data", false},
		{307, "http://10.0.0.1/a", "http://11.0.0.1/a", false},
		{307, "http://127.0.0.1:9000/a", "http://127.0.0.1:6379/a", false},
		{307, "http://[::1]:9000/a", "http://[::2]:9000/a", false},
		{307, "http://minio:9000/a", "http://metadata:9000/a", false},
	} {
		from, to := parse(t, tc.from), parse(t, tc.to)
		r := &http.Request{URL: to, Response: &http.Response{StatusCode: tc.status}}
		via := []*http.Request{{URL: from}}
		if err := driver.SameSite(r, via); (err == nil) != tc.follows {
			t.Errorf("%d from %s to %s: %v, want to follow: %v", tc.status, tc.from, tc.to, err, tc.follows)
		}
		for len(via) < 10 {
			via = append(via, via[0])
		}
		if driver.SameSite(r, via) == nil {
			t.Errorf("%d from %s to %s: it never ends", tc.status, tc.from, tc.to)
		}
	}
}

func parse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
