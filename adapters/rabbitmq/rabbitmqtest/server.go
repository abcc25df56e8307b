// Package rabbitmqtest runs a real RabbitMQ on loopback for tests.
package rabbitmqtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bucketsum/bucketsum/testenv/freeport"
)

// Debian's own command runs as another user, who cannot use the test's folder.
const rabbitCommand, epmdCommand = "/usr/lib/rabbitmq/bin/rabbitmq-server", "epmd"

// Server is a real RabbitMQ that keeps its files in a folder of the test.
type Server struct {
	t            *testing.T
	folder, data string
	port         string // of AMQP
	distribution string
	epmd         string

	process *exec.Cmd
	log     bytes.Buffer
}

// Start starts a server. Without RabbitMQ it skips the test, except in CI.
func Start(t *testing.T) *Server {
	t.Helper()
	return StartIn(t, t.TempDir())
}

// StartIn is Start for a server that stores its queues in this folder.
func StartIn(t *testing.T, data string) *Server {
	t.Helper()
	if _, err := os.Stat(rabbitCommand); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("RabbitMQ is not installed: %v", err)
		}
		t.Skip("RabbitMQ is not installed (Debian's package rabbitmq-server)")
	}
	s := &Server{t: t, folder: t.TempDir(), data: data, port: freeport.Find(t), distribution: freeport.Find(t), epmd: freeport.Find(t)}
	if err := os.WriteFile(filepath.Join(s.folder, "plugins"), []byte("[].\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Erlang's name server, which would otherwise survive the test.
	epmd := exec.Command(epmdCommand, "-address", "127.0.0.1", "-port", s.epmd)
	if err := epmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.end(syscall.SIGKILL)
		epmd.Process.Kill()
		epmd.Wait()
	})
	s.start()
	return s
}

func (s *Server) start() {
	s.t.Helper()
	s.process = exec.Command(rabbitCommand)
	s.process.Dir = s.folder // for crash dumps
	s.process.Env = append(os.Environ(),
		"HOME="+s.folder, // the cookie
		"RABBITMQ_NODENAME=bucketsum"+s.port+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+s.port, "RABBITMQ_DIST_PORT="+s.distribution,
		"RABBITMQ_MNESIA_BASE="+s.data, "RABBITMQ_LOG_BASE="+s.folder, "RABBITMQ_PID_FILE="+filepath.Join(s.folder, "pid"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(s.folder, "plugins"),
		"RABBITMQ_CONFIG_FILE="+filepath.Join(s.folder, "none"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"ERL_EPMD_PORT="+s.epmd, "ERL_EPMD_ADDRESS=127.0.0.1",
	)
	s.process.Stdout, s.process.Stderr = &s.log, &s.log
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it is several processes
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; {
		conn, err := amqp.Dial(fmt.Sprintf("amqp://127.0.0.1:%s/", s.port))
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			s.end(syscall.SIGKILL)
			s.t.Fatalf("RabbitMQ does not start: %v\n%s", err, s.log.String())
		}
		time.Sleep(50 * time.Millisecond) // the server needs the processor
	}
}

// Port returns the port for AMQP.
func (s *Server) Port() string { return s.port }

// end ends the server with a signal; SIGKILL acts as a crash.
func (s *Server) end(with syscall.Signal) {
	syscall.Kill(-s.process.Process.Pid, with)
	s.process.Wait() // that it was ended
}

// Restart stops the server in order and starts it again. 3.10.8 writes what it knows of new
// queues to its files with a delay. A quorum queue of a server that is killed before may have
// no leader for ever. So a test that kills a server calls Restart once it has its queues.
func (s *Server) Restart() {
	s.Stop()
	s.Resume()
}

// Stop stops the server in order.
func (s *Server) Stop() { s.end(syscall.SIGTERM) }

// Resume starts a stopped server again.
func (s *Server) Resume() { s.start() }

// Kill ends the server as a crash does.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Crash kills the server and starts it again.
func (s *Server) Crash() {
	s.Kill()
	s.Resume()
}

// URL returns the URL of the server with these parameters.
func (s *Server) URL(parameters string) string {
	return fmt.Sprintf("amqp://127.0.0.1:%s/?%s", s.port, parameters)
}

// Bind binds a queue to an exchange.
func (s *Server) Bind(queue, exchange, key string) {
	s.t.Helper()
	s.admin(func(ch *amqp.Channel) error { return ch.QueueBind(queue, key, exchange, false, nil) })
}

// Classic creates a durable queue that is not a quorum queue.
func (s *Server) Classic(name string) {
	s.t.Helper()
	s.admin(func(ch *amqp.Channel) error {
		_, err := ch.QueueDeclare(name, true, false, false, false, nil)
		return err
	})
}

// Declare declares a queue. The server's refusal is an error of the client.
func (s *Server) Declare(name string, durable, autoDelete bool, arguments amqp.Table) (refused error) {
	s.t.Helper()
	s.admin(func(ch *amqp.Channel) error {
		_, refused = ch.QueueDeclare(name, durable, autoDelete, false, false, arguments)
		return nil
	})
	return refused
}

// SendTransient sends a message that is not marked as persistent.
func (s *Server) SendTransient(queue, body string) {
	s.t.Helper()
	s.admin(func(ch *amqp.Channel) error {
		return ch.Publish("", queue, true, false, amqp.Publishing{DeliveryMode: amqp.Transient, Body: []byte(body)})
	})
}

// Empty reports whether no message of a queue waits for a consumer.
func (s *Server) Empty(queue string) (empty bool) {
	s.t.Helper()
	s.admin(func(ch *amqp.Channel) error {
		_, found, err := ch.Get(queue, false) // the end of the channel gives it back
		empty = !found
		return err
	})
	return empty
}

// AwaitConsumers waits until a queue has at most n consumers. A quorum queue of 3.10 also
// counts cancelled consumers that have unsettled messages.
func (s *Server) AwaitConsumers(queue string, n int) {
	s.t.Helper()
	s.admin(func(ch *amqp.Channel) error {
		for deadline := time.Now().Add(2 * time.Minute); ; {
			q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
			switch {
			case err != nil || q.Consumers <= n:
				return err
			case time.Now().After(deadline):
				return fmt.Errorf("queue %s has %d consumers, want %d at most", queue, q.Consumers, n)
			}
			time.Sleep(20 * time.Millisecond) // the server needs the processor
		}
	})
}

// Version returns the version of the server.
func (s *Server) Version() string {
	s.t.Helper()
	conn, err := amqp.Dial(fmt.Sprintf("amqp://127.0.0.1:%s/", s.port))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	return fmt.Sprint(conn.Properties["version"])
}

func (s *Server) admin(do func(*amqp.Channel) error) {
	s.t.Helper()
	conn, err := amqp.Dial(fmt.Sprintf("amqp://127.0.0.1:%s/", s.port))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := do(ch); err != nil {
		s.t.Fatal(err)
	}
}
