// Package cephenv starts a real Ceph for tests: a monitor, one storage daemon that keeps
// objects in memory, and a RADOS gateway, which speaks S3 and sends bucket notifications.
//
// What tests must not do, because Debian's 16.2.15 crashes then: make topics with
// persistent=true, and send DeleteObjects to a bucket with notifications. It crashes rarely
// at other requests, too, so the gateway is started again when it ends.
package cephenv

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
	"github.com/bucketsum/bucketsum/testenv/freeport"
)

// programs are what Start runs. On Debian they are in the packages ceph-mon, ceph-osd and
// radosgw, and in what these need.
var programs = []string{"ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool"}

// patience is how long one step of the start may take.
const patience = 2 * time.Minute

// Start starts Ceph, which takes about 15 seconds, and returns the gateway. It accepts the
// credentials of awsenv. All processes end with the test.
func Start(t testing.TB) awsenv.Server {
	t.Helper()
	for _, name := range programs {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(name + " is not installed: apt-get install ceph-mon ceph-osd radosgw")
			}
			t.Skip(name + " is not installed: apt-get install ceph-mon ceph-osd radosgw")
		}
	}
	dir, err := os.MkdirTemp("", "ceph") // a test's folder has a name that is too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	c := &cluster{t: t, dir: dir, id: uuid(), mon: freeport.Find(t), gateway: freeport.Find(t)}
	c.prepare()
	c.startMonitor()
	c.startStorage()
	return c.startGateway()
}

// cluster is a Ceph that is being started.
type cluster struct {
	t            testing.TB
	dir, id      string
	mon, gateway string          // ports
	monitor      <-chan struct{} // closed when the monitor has ended
}

func (c *cluster) path(name string) string { return filepath.Join(c.dir, name) }

// prepare writes the configuration.
func (c *cluster) prepare() {
	c.t.Helper()
	for _, name := range []string{"mon", "osd", "rgw", "run", "log"} {
		if err := os.Mkdir(c.path(name), 0o777); err != nil {
			c.t.Fatal(err)
		}
	}
	config := fmt.Sprintf(configuration, c.dir, c.id, c.mon, c.gateway)
	for name, content := range map[string]string{"ceph.conf": config, "keyring": ""} {
		if err := os.WriteFile(c.path(name), []byte(content), 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) startMonitor() {
	c.t.Helper()
	c.run("monmaptool", "--create", "--fsid", c.id, "--addv", "a", "[v1:127.0.0.1:"+c.mon+"]", c.path("monmap"))
	c.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", c.path("monmap"), "--keyring", c.path("keyring"))
	c.monitor = c.start("ceph-mon", "-i", "a", "-f")
}

func (c *cluster) startStorage() {
	c.t.Helper()
	id := uuid()
	c.tell("osd", "new", id)
	c.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", id)
	c.tell("osd", "crush", "add-bucket", "localhost", "host")
	c.tell("osd", "crush", "move", "localhost", "root=default")
	ended := c.start("ceph-osd", "-i", "0", "-f", "--osd-crush-update-on-start=false")
	c.tell("osd", "crush", "add", "osd.0", "1", "host=localhost", "root=default")
	c.until("waiting for the storage", ended, func() error {
		out, err := c.command(c.t.Context(), "ceph", "osd", "stat").Output()
		if err == nil && !bytes.Contains(out, []byte("1 up")) {
			err = fmt.Errorf("it is not up: %s", out)
		}
		return err
	})
}

func (c *cluster) startGateway() awsenv.Server {
	c.t.Helper()
	s := awsenv.Server{URL: "http://127.0.0.1:" + c.gateway}
	c.keepGateway()
	c.until("waiting for the gateway", nil, func() error { return ask(c.t.Context(), s.URL) })
	c.run("radosgw-admin", "user", "create", "--uid", "tester", "--display-name", "Tester",
		"--access-key", awsenv.AccessKey, "--secret-key", awsenv.SecretKey)
	return s
}

// keepGateway runs the gateway until the end of the test, and starts it again when it crashes.
func (c *cluster) keepGateway() {
	ctx, stop := context.WithCancel(context.WithoutCancel(c.t.Context()))
	var out bytes.Buffer
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			daemon := c.command(ctx, "radosgw", "-n", "client.rgw.a", "-f")
			daemon.Stdout, daemon.Stderr = &out, &out
			_ = daemon.Run() // it crashed, or ctx has ended
			backoff.Sleep(ctx, 100*time.Millisecond)
		}
	}()
	c.t.Cleanup(func() {
		stop()
		<-done
		if c.t.Failed() {
			c.t.Logf("radosgw said:\n%s", out.Bytes()[max(0, out.Len()-4<<10):])
		}
	})
}

// command is a command that uses this cluster.
func (c *cluster) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...)
	command.Env = append(os.Environ(), "CEPH_CONF="+c.path("ceph.conf"))
	return command
}

func (c *cluster) run(name string, args ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if out, err := c.command(ctx, name, args...).CombinedOutput(); err != nil {
		c.t.Fatalf("%s %s: %v\n%s", name, args, err, out)
	}
}

// tell sends a command to the monitor until the monitor accepts it. A monitor that has just
// started, or that elects itself again, answers some commands and refuses others ("EPERM:
// problem getting command descriptions"). So the command must be one that may be repeated.
func (c *cluster) tell(args ...string) {
	c.t.Helper()
	args = append([]string{"--connect-timeout", "5"}, args...)
	c.until(fmt.Sprint("ceph ", args), c.monitor, func() error {
		out, err := c.command(c.t.Context(), "ceph", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
}

// start starts a daemon, which is killed at the end of the test: nothing that it has is needed
// any more. The channel is closed when it ends.
func (c *cluster) start(name string, args ...string) <-chan struct{} {
	c.t.Helper()
	daemon := c.command(context.WithoutCancel(c.t.Context()), name, args...)
	var out bytes.Buffer
	daemon.Stdout, daemon.Stderr = &out, &out
	if err := daemon.Start(); err != nil {
		c.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = daemon.Wait() // the error says that it was killed
	}()
	c.t.Cleanup(func() {
		_ = daemon.Process.Kill() // fails if it has ended
		<-ended
		if c.t.Failed() {
			c.t.Logf("%s said:\n%s", name, out.Bytes()[max(0, out.Len()-4<<10):])
		}
	})
	return ended
}

// until tries until there is no error. It fails when the daemon has ended, or after some time.
func (c *cluster) until(what string, ended <-chan struct{}, try func() error) {
	c.t.Helper()
	late := time.After(patience)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ended:
			c.t.Fatalf("%s: the daemon has ended: %v", what, err)
		case <-late:
			c.t.Fatalf("%s: still after %s: %v", what, patience, err)
		case <-again.C:
		}
	}
}

// uuid returns a random UUID.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
