package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// Certificate is the certificate of a server and its key, in two files. A handshake reads them again if they have changed.
// Safe for concurrent use.
type Certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu    sync.Mutex
	now   *tls.Certificate
	state [2]fileState // of the files when they were read last
}

// fileState changes when a file is written or replaced. Clocks of file systems are coarse, and some tools give new files
// an old time: a file that is replaced within a few milliseconds is another file still.
type fileState struct{ info os.FileInfo } // nil: there is no file

func (s fileState) same(other fileState) bool {
	a, b := s.info, other.info
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size()
}

// OpenCertificate reads a certificate, with the chain after it, and its key, both in PEM.
func OpenCertificate(certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, log: log, state: stateOf(certFile, keyFile)}
	var err error
	if c.now, err = c.read(); err != nil {
		return nil, err
	}
	warnOfMode(keyFile, "the private key", log)
	return c, nil
}

func (c *Certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate and its key: %w", err)
	}
	if end := pair.Leaf.NotAfter; time.Now().After(end) {
		c.log.Warn("the certificate has expired: clients will refuse it", "file", c.certFile, "end", end)
	}
	return &pair, nil
}

// current returns the pair in the files, or the last good one if they hold none.
func (c *Certificate) current(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	state := stateOf(c.certFile, c.keyFile)
	if state[0].same(c.state[0]) && state[1].same(c.state[1]) {
		return c.now, nil
	}
	c.state = state // a broken pair is read again when it changes
	next, err := c.read()
	if err != nil {
		c.log.Warn("the new certificate cannot be used, and the old one stays", "err", err)
		return c.now, nil
	}
	c.now = next
	c.log.Info("the certificate was read again", "file", c.certFile, "end", next.Leaf.NotAfter)
	return c.now, nil
}

// config returns the TLS settings of a server.
func (c *Certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.current}
}

// limits bound what one connection of HTTP/2 may cost: it is one of 512.
func limits() *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:          32,
		MaxReadFrameSize:              16 << 10,
		MaxReceiveBufferPerConnection: 512 << 10,
		MaxReceiveBufferPerStream:     256 << 10,
		SendPingTimeout:               30 * time.Second,
		PingTimeout:                   15 * time.Second,
		WriteByteTimeout:              writeTimeout,
	}
}

func stateOf(files ...string) (states [2]fileState) {
	for i, name := range files {
		if info, err := os.Stat(name); err == nil { // a missing file cannot be read either
			states[i] = fileState{info}
		}
	}
	return states
}

// warnOfMode warns of a secret that others can read or change. The group may read it: Kubernetes mounts secrets for one.
func warnOfMode(path, what string, log *slog.Logger) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o026 != 0 {
		log.Warn("other users can read or change the file of "+what+": chmod 600", "file", path, "mode", info.Mode().Perm().String())
	}
}

// serverLog gets what net/http logs. Failed handshakes are of scanners and of probes that only connect.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if strings.HasPrefix(string(line), "http: TLS handshake error") {
		level = slog.LevelDebug
	}
	l.log.Log(context.Background(), level, strings.TrimSpace(string(line)))
	return len(line), nil
}
