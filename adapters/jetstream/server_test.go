package jetstream_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"
)

// These environment variables make this test a nats-server, which stores in a
// folder. It is a process of its own, so that it can be
// killed, and its goroutines are not counted as ours.
const (
	serverFolder = "TEST_NATS_SERVER_FOLDER"
	serverPort   = "TEST_NATS_SERVER_PORT"
	serverSafe   = "TEST_NATS_SERVER_IS_SAFE"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(serverFolder); folder != "" {
		port, _ := strconv.Atoi(os.Getenv(serverPort))
		if err := serveNATS(folder, port, os.Getenv(serverSafe) != ""); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// serveNATS runs a server until its standard input ends. On that come the names
// of connections which it is to cut; it says when it is done.
func serveNATS(folder string, port int, safe bool) error {
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

// natsServer is a real nats-server on loopback that stores in files.
type natsServer struct {
	t      *testing.T
	folder string
	port   string
	safe   bool // what it has acked is on disk, also when it is killed

	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func (s *natsServer) start() {
	s.t.Helper()
	s.process = exec.Command(os.Args[0])
	s.process.Env = append(os.Environ(), serverFolder+"="+s.folder, serverPort+"="+s.port)
	if s.safe {
		s.process.Env = append(s.process.Env, serverSafe+"=1")
	}
	s.process.Stderr = os.Stderr
	var err error
	if s.in, err = s.process.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.out = bufio.NewReader(out)
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.line() // it is ready
}

func (s *natsServer) line() string {
	s.t.Helper()
	line, err := s.out.ReadString('\n')
	if err != nil {
		s.t.Fatalf("the server says nothing: %v", err)
	}
	return strings.TrimSpace(line)
}

// kill ends it as a crash does.
func (s *natsServer) kill() {
	s.process.Process.Kill()
	s.process.Wait() // that it was killed
}

// cut ends the connections of that name.
func (s *natsServer) cut(name string) {
	s.t.Helper()
	fmt.Fprintln(s.in, name)
	s.line()
}
