package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/handlers/web"
	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
	"github.com/bucketsum/bucketsum/pipeline/unreached"
)

// Address returns the address of the HTTP side, with the port that the system chose if
// Config.Listen has port 0, or "off".
func (s *side) Address() string {
	if s.listener == nil {
		return "off"
	}
	return s.listener.Addr().String()
}

// URL returns the URL of the HTTP side, or nothing if it is off.
func (s *side) URL() string {
	switch {
	case s.listener == nil:
		return ""
	case s.certificate != nil:
		return "https://" + s.Address() + "/"
	default:
		return "http://" + s.Address() + "/"
	}
}

// pageURL is URL with an address that other machines can open, if the HTTP side listens on all of this one.
func (s *side) pageURL() string {
	to, _ := s.listener.Addr().(*net.TCPAddr)
	if to == nil || !to.IP.IsUnspecified() {
		return s.URL()
	}
	address := "127.0.0.1"
	all, _ := net.InterfaceAddrs() // without one, only this machine reaches the page
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			address = n.IP.String()
			break
		}
	}
	scheme, _, _ := strings.Cut(s.URL(), "://")
	return fmt.Sprintf("%s://%s:%d/", scheme, address, to.Port)
}

func (s *side) listen(context.Context) error {
	if s.config.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", s.config.Listen)
	if err != nil {
		return listenFault("--listen", s.config.Listen, "or 'off'", err)
	}
	s.listener = l
	s.closes = append(s.closes, func() error {
		_ = l.Close() // the HTTP server may have closed it already
		return nil
	})
	return nil
}

// listenFault says why nothing can listen at the address of a flag; without: the other choice.
func listenFault(flag, address, without string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s: another program listens at %s: choose another port, %s", flag, address, without)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%s: this user may not listen at %s: choose a port above 1023, %s", flag, address, without)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s: this machine does not have the address of %s: choose another, %s", flag, address, without)
	}
	return fmt.Errorf("%s: %w; choose another address, %s", flag, unreached.Explain(err), without)
}

// openSecrets reads the token and the certificate of the HTTP side.
func (s *side) openSecrets(context.Context) (err error) {
	c := s.config
	if c.TokenFile != "" {
		if s.token, err = web.OpenToken(c.TokenFile, s.webLog()); err != nil {
			return flagError("--token-file", err)
		}
	}
	if c.TLSCert != "" {
		s.certificate, err = web.OpenCertificate(c.TLSCert, c.TLSKey, s.webLog())
	}
	return flagError("--tls-cert", err)
}

// webLog returns the log of the HTTP side.
func (s *side) webLog() *slog.Logger { return cmp.Or(s.config.webLog, s.config.Log) }

// warnOfToken warns of a token that crosses a network as it is.
func (s *side) warnOfToken(context.Context) error {
	if s.token != nil && s.listener != nil && s.certificate == nil && !s.isLoopback() {
		s.webLog().Warn("without TLS, others on the network can read the token of --token-file: set --tls-cert and --tls-key, or let only a proxy with TLS reach --listen", "listen", s.Address())
	}
	return nil
}

// isLoopback reports whether only this machine reaches the HTTP side.
func (s *side) isLoopback() bool {
	to, _ := s.listener.Addr().(*net.TCPAddr)
	return to != nil && to.IP.IsLoopback()
}

// actions returns what the HTTP side can change.
func (a *App) actions() web.Actions {
	c := web.Actions{Open: a.isLoopback(), Token: a.token, NoDeadLetters: a.noLetters, Objects: a.config.objects}
	switch {
	case a.letters != nil:
		c.DeadLetters = a.letters
	case a.noLetters == "":
		c.NoDeadLetters = "The worker has not opened its queues yet: try again soon"
	}
	return c
}

// show lets the HTTP side answer with these readiness checks from now on, until hide.
func (a *App) show(ctx context.Context, drained <-chan struct{}, checks map[string]func(context.Context) error) (hide func(), err error) {
	ready := web.NewReadiness(ctx, checks)
	a.ready.Store(ready)
	waiting, end := a.waiting(ctx)
	hide = func() {
		ready.Close()
		end()
	}
	page, err := a.newPage(ready, waiting, drained)
	if err != nil {
		hide()
		return func() {}, err
	}
	a.answer(page)
	return hide, nil
}

// newPage returns a handler of the HTTP side, which has the records of the buckets that
// are open. The pipeline has ended when drained is closed.
func (a *App) newPage(ready *web.Readiness, waiting func() *live.Waiting, drained <-chan struct{}) (http.Handler, error) {
	if a.listener == nil {
		return http.NotFoundHandler(), nil
	}
	records := make(map[string]web.Records)
	for name, s := range a.config.Stores {
		records[name] = s.Bucket().Records
	}
	return web.Handler(web.Config{
		MaxUpload: a.config.MaxUpload,
		Status: func() live.Status {
			status := a.config.Activity.Status()
			status.Waiting = waiting()
			return status
		},
		Watch:   a.config.Activity.Watch,
		Flow:    a.config.flow(),
		Records: records,
		Hosts:   a.config.Hosts,
		Ready:   ready,
		Metrics: a.measured.Metrics(),
		Health: func() error {
			select {
			case <-drained:
				return errors.New("the pipeline has ended")
			default:
				return nil
			}
		},
		Log:     a.webLog(),
		Version: a.config.Version,
		Actions: a.actions(),
	})
}

// folderObjects writes files into the folder of local.
type folderObjects struct {
	store   *blobstore.Store
	selects func(key string) bool // which files get checksums
}

// Create implements web.Objects.
func (o folderObjects) Create(key string) (web.Upload, error) {
	for name := range strings.SplitSeq(key, "/") {
		// File systems that ignore the case, or dots and spaces at the end, have more names for these folders.
		plain := strings.TrimRight(strings.ToLower(name), ". ")
		if plain == filebucket.Hidden || filebucket.VersionControl(plain) != "" {
			return nil, pipeline.Permanent(fmt.Errorf("no file can be written to %q: bucketsum leaves %q alone", key, name))
		}
	}
	if !o.selects(key) {
		return nil, pipeline.Permanent(fmt.Errorf("no file is written to %q: --include and --exclude leave it without a checksum", key))
	}
	u, err := o.store.Create(key)
	if err != nil {
		return nil, err
	}
	return folderUpload{u}, nil
}

type folderUpload struct{ driver.Upload }

func (u folderUpload) Place(r web.Replace) (string, error) {
	state, err := u.Upload.Place(driver.Replace(r))
	return state.ETag, err
}
