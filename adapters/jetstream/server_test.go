package jetstream_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"
)

// serverFolder is the environment variable that makes this test a nats-server,
// which stores in that folder. It is a process of its own, so that it can be
// killed, and its goroutines are not counted as ours.
const serverFolder, serverPort = "TEST_NATS_SERVER_FOLDER", "TEST_NATS_SERVER_PORT"

func TestMain(m *testing.M) {
	if folder := os.Getenv(serverFolder); folder != "" {
		port, _ := strconv.Atoi(os.Getenv(serverPort))
		if err := serveNATS(folder, port); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// serveNATS runs a server until its standard input ends. On that come the names
// of connections which it is to cut; it says when it is done.
func serveNATS(folder string, port int) error {
	srv, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: port, JetStream: true, StoreDir: folder, NoLog: true, NoSigs: true,
		SyncAlways: true, // acked is on disk, also when it is killed
	})
	if err != nil {
		return err
	}
	srv.Start()
	defer srv.Shutdown()
	if !srv.ReadyForConnections(30 * time.Second) {
		return fmt.Errorf("the server does not start")
	}
	fmt.Println(srv.Addr().(*net.TCPAddr).Port)
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
	port   int // 0 until it started for the first time

	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

func (s *natsServer) start() {
	s.t.Helper()
	s.process = exec.Command(os.Args[0])
	port := s.port
	if port == 0 {
		port = server.RANDOM_PORT
	}
	s.process.Env = append(os.Environ(), serverFolder+"="+s.folder, serverPort+"="+strconv.Itoa(port))
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
	if s.port, err = strconv.Atoi(s.line()); err != nil {
		s.t.Fatal(err)
	}
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
