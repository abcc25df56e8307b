package filebucket_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

func TestIsHidden(t *testing.T) {
	for key, want := range map[string]bool{
		".bucketsum": true, ".bucketsum/x": true, "a/.bucketsum": true, "a/b/.bucketsum/x/y": true,
		"": false, "a": false, "a/b": false, ".bucketsums": false, "x.bucketsum/y": false, "a/.bucketsum.txt": false,
		".bucketsumx/.bucketsum/y": true,
	} {
		if got := filebucket.IsHidden(key); got != want {
			t.Errorf("IsHidden(%q): got %v, want %v", key, got, want)
		}
	}
}

// The version changes even if modification time and size are restored.
func TestVersion(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("not every system tells when a file was changed")
	}
	name := filepath.Join(t.TempDir(), "a")
	at := time.Unix(1_000_000_000, 5)
	put := func(content string) filebucket.Version {
		t.Helper()
		if err := os.WriteFile(name, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return filebucket.VersionOf(info)
	}
	old := put("one")
	// The system's clock for file times may advance in steps of milliseconds.
	for deadline := time.Now().Add(2 * time.Minute); ; {
		now := put("two")
		if now.Modified != old.Modified || now.Size != old.Size || old.ETag() == "" {
			t.Fatalf("%+v is now %+v", old, now)
		}
		if now.ETag() != old.ETag() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("another content has the same ETag %s", now.ETag())
		}
	}
}

// Where the system provides no time of change, the ETag is that of gocloud's
// fileblob.
func TestVersionWithoutTimeOfChange(t *testing.T) {
	info, err := fstest.MapFS{"a": {Data: []byte("0123456789abcdef"), ModTime: time.Unix(0, 0x1234)}}.Stat("a")
	if err != nil {
		t.Fatal(err)
	}
	if got := filebucket.VersionOf(info).ETag(); got != "1234-10" {
		t.Errorf("got %s, want 1234-10", got)
	}
}

func TestParseETag(t *testing.T) {
	for _, v := range []filebucket.Version{
		{Modified: 1_000_000_000_123, Size: 16, Changed: 1_000_000_000_456}, {Modified: 1, Size: 0}, {Modified: -77, Size: 3, Changed: -5}, {}, {Modified: -1, Size: 1},
	} {
		if got, ok := filebucket.ParseETag(v.ETag()); !ok || got != v {
			t.Errorf("%s: got %+v, %t, want %+v", v.ETag(), got, ok, v)
		}
	}
	for _, etag := range []string{"", "-", "1", "1-", "1-2-", "1-2-x", "1-2-3-4", "0x1-2", "01-2", "d41d8cd98f00b204e9800998ecf8427e", "--1-2"} {
		if got, ok := filebucket.ParseETag(etag); ok {
			t.Errorf("%q: got %+v", etag, got)
		}
	}
	for pair, want := range map[[2]string]bool{
		{"5-10-1", "5-10-2"}: true, {"5-10", "5-10-2"}: true, {"5-10-1", "6-10-1"}: false, {"5-10-1", "5-11-1"}: false, {"x", "x"}: false,
	} {
		if got := filebucket.Unmodified(pair[0], pair[1]); got != want {
			t.Errorf("%q: got %t, want %t", pair, got, want)
		}
	}
}
