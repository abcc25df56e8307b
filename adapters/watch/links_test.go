package watch_test

import (
	"os"
	"slices"
	"testing"

	"github.com/bucketsum/bucketsum/adapters/watch"
)

func TestLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/target", "x")
	must(t,
		os.Mkdir(dir+"/sub", 0o777),
		os.Symlink("../target", dir+"/sub/link"),
		os.Symlink("sub/link", dir+"/link2"),
		os.Symlink("later", dir+"/dangling"))
	r := start(t, watch.Config{Dir: dir, Settle: quick}, nil)
	all := func(tag string, keys ...string) func() bool {
		return func() bool {
			state := r.inbox.state()
			return !slices.ContainsFunc(keys, func(k string) bool { return state[k] != tag })
		}
	}
	r.inbox.until(t, "at the start", all(etag(t, dir+"/target"), "target", "sub/link", "link2"))
	write(t, dir+"/target", "other")
	r.inbox.until(t, "rewritten", all(etag(t, dir+"/target"), "target", "sub/link", "link2"))
	write(t, dir+"/later", "later")
	r.inbox.until(t, "target created", all(etag(t, dir+"/later"), "later", "dangling"))
	must(t, os.Remove(dir+"/target"))
	r.inbox.until(t, "deleted", all("", "target", "sub/link", "link2"))
	if got, want := keys(r.inbox.state()), []string{"dangling", "later"}; !slices.Equal(got, want) {
		t.Errorf("the events leave %q, want %q", got, want)
	}
}

// The target of a link must be in the folder, be the link absolute or relative.
func TestAbsoluteLinks(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	write(t, dir+"/sub/target", "x")
	write(t, dir+"/.bucketsum/x", "x")
	write(t, outside+"/secret", "x")
	must(t,
		os.Symlink(dir+"/sub/target", dir+"/absolute"),
		os.Symlink("absolute", dir+"/chain"),
		os.Symlink(dir+"/later", dir+"/dangling"),
		os.Symlink(dir+"/.bucketsum/x", dir+"/hidden"),
		os.Symlink(outside+"/secret", dir+"/out"),
		os.Symlink(dir+"/sub", dir+"/folder"))
	r := start(t, watch.Config{Dir: dir, Settle: quick}, nil)
	has := func(want ...string) func() bool {
		return func() bool { return slices.Equal(keys(r.inbox.state()), want) }
	}
	r.inbox.until(t, "at the start", has("absolute", "chain", "sub/target"))
	write(t, dir+"/sub/target", "other")
	r.inbox.until(t, "rewritten", func() bool {
		state, tag := r.inbox.state(), etag(t, dir+"/sub/target")
		return state["absolute"] == tag && state["chain"] == tag
	})
	write(t, dir+"/later", "x")
	r.inbox.until(t, "target created", has("absolute", "chain", "dangling", "later", "sub/target"))
	must(t, os.Remove(dir+"/sub/target"))
	r.inbox.until(t, "deleted", has("dangling", "later"))
}
