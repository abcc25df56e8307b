// Package jetstreamtest runs a real nats-server on loopback for tests. The server is a
// process of its own: a test can kill it, and does not count its goroutines.
package jetstreamtest

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/bucketsum/bucketsum/testenv/freeport"
	"github.com/bucketsum/bucketsum/testenv/subprocess"
)

// Version is the version of the server.
const Version = server.VERSION

// These environment variables turn a test binary into a nats-server that stores in the
// folder.
const (
	serverFolder = "TEST_NATS_SERVER_FOLDER"
	serverPort   = "TEST_NATS_SERVER_PORT"
	serverSafe   = "TEST_NATS_SERVER_IS_SAFE"
)

// Main must be called first in the TestMain of a package that calls Start, because the
// server is the test binary itself. In a server process Main runs the server and does
// not return.
func Main() {
	subprocess.Main(serverFolder, func(folder string) error {
		port, _ := strconv.Atoi(os.Getenv(serverPort))
		return serve(folder, port, os.Getenv(serverSafe) != "")
	})
}

// serve runs a server until its standard input ends. Each line of the input is the name
// of connections to cut; serve confirms it with a line of output.
func serve(folder string, port int, safe bool) error {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: folder, NoLog: true, NoSigs: true,
		SyncAlways: safe,
	})
	if err != nil {
		return err
	}
	srv.Start()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(2 * time.Minute) {
		return fmt.Errorf("the server does not start")
	}
	fmt.Println("ready")
	for scan := bufio.NewScanner(os.Stdin); scan.Scan(); {
		connections, err := srv.Connz(&server.ConnzOptions{})
		if err != nil {
			return err
		}
		for _, c := range connections.Conns {
			if c.Name == scan.Text() {
				srv.DisconnectClientByID(c.Cid)
			}
		}
		fmt.Println("done")
	}
	return nil
}

// Server is a nats-server with JetStream that stores in files.
type Server struct {
	t      testing.TB
	folder string
	port   string
	safe   bool

	process *subprocess.Process
}

// Start starts a server, which is killed at the end of the test.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartIn(t, t.TempDir(), false)
}

// StartSafe is Start for a server that syncs each message to its disk: it loses
// nothing when it is killed, and is as slow as the disk.
func StartSafe(t testing.TB) *Server {
	t.Helper()
	return StartIn(t, t.TempDir(), true)
}

// StartIn is Start, or StartSafe, for a server that stores in this folder.
func StartIn(t testing.TB, folder string, safe bool) *Server {
	t.Helper()
	s := &Server{t: t, folder: folder, port: freeport.Find(t), safe: safe}
	s.Resume()
	t.Cleanup(s.Kill)
	return s
}

// Resume starts a killed server again, at the same address and with the messages that
// it has stored.
func (s *Server) Resume() {
	s.t.Helper()
	environ := []string{serverFolder + "=" + s.folder, serverPort + "=" + s.port}
	if s.safe {
		environ = append(environ, serverSafe+"=1")
	}
	s.process = subprocess.Start(s.t, environ...)
	s.process.Line() // it is ready
}

// Kill ends the server as a crash does.
func (s *Server) Kill() { s.process.Kill() }

// Cut ends the connections that have this name.
func (s *Server) Cut(name string) {
	s.t.Helper()
	s.process.Ask(name)
}

// Address returns the server's HOST:PORT.
func (s *Server) Address() string { return "127.0.0.1:" + s.port }

// URL returns the URL of a stream with these parameters.
func (s *Server) URL(stream, parameters string) string {
	return fmt.Sprintf("jetstream://%s/%s?%s", s.Address(), stream, parameters)
}
