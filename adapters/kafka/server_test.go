package kafka_test

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

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/freeport"
)

// These environment variables make this test a broker that stores in a folder.
// It is a process of its own, so that it can be killed, and its goroutines are
// not counted as ours.
const (
	serverFolder     = "TEST_KAFKA_SERVER_FOLDER"
	serverPort       = "TEST_KAFKA_SERVER_PORT"
	serverPartitions = "TEST_KAFKA_SERVER_PARTITIONS"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(serverFolder); folder != "" {
		port, _ := strconv.Atoi(os.Getenv(serverPort))
		partitions, _ := strconv.Atoi(os.Getenv(serverPartitions))
		if err := serveKafka(folder, port, partitions); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// serveKafka runs a broker until its standard input ends.
func serveKafka(folder string, port, partitions int) error {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DefaultNumPartitions(partitions),
		kfake.DataDir(folder), kfake.GroupMinSessionTimeout(100*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer cluster.Close()
	fmt.Println(cluster.ListenAddrs()[0])
	io.Copy(io.Discard, os.Stdin) // until the test ends
	return nil
}

// kafkaServer is franz-go's broker, which speaks Kafka's protocol.
type kafkaServer struct {
	t          *testing.T
	folder     string
	partitions int // of a topic
	port       string
	address    string

	process *exec.Cmd
	in      io.WriteCloser
}

func newServer(t *testing.T, partitions int) *kafkaServer {
	t.Helper()
	s := &kafkaServer{t: t, folder: t.TempDir(), partitions: partitions, port: freeport.Find(t)}
	s.start()
	t.Cleanup(func() { s.kill() })
	return s
}

func (s *kafkaServer) start() {
	s.t.Helper()
	s.process = exec.Command(os.Args[0])
	s.process.Env = append(os.Environ(), serverFolder+"="+s.folder, serverPort+"="+s.port,
		serverPartitions+"="+strconv.Itoa(s.partitions))
	s.process.Stderr = os.Stderr
	var err error
	if s.in, err = s.process.StdinPipe(); err != nil {
		s.t.Fatal(err)
	}
	out, err := s.process.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatalf("the broker says nothing: %v", err)
	}
	s.address = strings.TrimSpace(line)
}

// kill ends it as a crash does.
func (s *kafkaServer) kill() {
	s.process.Process.Kill()
	s.process.Wait() // that it was killed
}

func (s *kafkaServer) restart() {
	s.kill()
	s.start()
}

func (s *kafkaServer) url(topic, parameters string) string {
	return fmt.Sprintf("kafka://%s/%s?%s", s.address, topic, parameters)
}
