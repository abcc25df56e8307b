package jetstream

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// address is the content of a URL.
type address struct {
	url               *url.URL
	stream            string
	consumer, subject string
	create, tls       bool
}

func parseAddress(raw string) (address, error) {
	u, query, err := queue.ParseURL(raw, "consumer", "subject", "create", "tls")
	if err != nil {
		return address{}, err
	}
	a := address{url: u, stream: strings.TrimPrefix(u.Path, "/"), consumer: query.Get("consumer"), subject: query.Get("subject")}
	if u.Scheme != Scheme || u.Host == "" || !isName(a.stream) {
		return address{}, fmt.Errorf("it must have the form %s://HOST:4222/STREAM?consumer=NAME", Scheme)
	}
	if a.consumer != "" && !isName(a.consumer) {
		return address{}, fmt.Errorf("consumer %q is not a name: no spaces, dots, slashes or wildcards", a.consumer)
	}
	var createErr, tlsErr error
	a.create, createErr = queue.Flag(query, "create")
	a.tls, tlsErr = queue.Flag(query, "tls")
	return a, errors.Join(createErr, tlsErr)
}

// isName reports whether JetStream accepts the name of a stream or consumer.
func isName(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\r\n\f.*>/\\")
}

// connect connects to the server. The first attempt must succeed, so that a wrong URL
// shows. Later the client reconnects without limit, because leases are extended and
// messages acked through this connection. lost runs whenever the connection is lost.
// The server's operators see the name.
func (d Driver) connect(a address, name string, lost func()) (*nats.Conn, error) {
	server := &url.URL{Scheme: "nats", Host: a.url.Host, User: a.url.User}
	if a.tls {
		server.Scheme = "tls"
	}
	options := []nats.Option{
		nats.Name("bucketsum " + name), nats.MaxReconnects(-1), nats.NoCallbacksAfterClientClose(),
		// A write without a connection fails instead of waiting for one: its caller
		// repeats it and knows that it failed.
		nats.ReconnectBufSize(-1),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { lost() }),
	}
	if a.url.User == nil {
		options = append(options, credentials()...)
	}
	if ca := os.Getenv("NATS_CA"); ca != "" {
		options = append(options, nats.RootCAs(ca))
	}
	if cert, key := os.Getenv("NATS_CERT"), os.Getenv("NATS_KEY"); cert != "" && key != "" {
		options = append(options, nats.ClientCert(cert, key))
	}
	nc, err := nats.Connect(server.String(), append(options, d.Options...)...)
	if errors.Is(err, nats.ErrNoServers) { // which hides why
		return nil, fmt.Errorf("nothing answers at %s: start the server, or correct its address: %w", a.url.Host, err)
	}
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", a.url.Host, err)
	}
	return nc, nil
}

// credentials returns those of the environment. The names are those of the nats
// command.
func credentials() []nats.Option {
	if file := os.Getenv("NATS_CREDS"); file != "" {
		return []nats.Option{nats.UserCredentials(file)}
	}
	if token := os.Getenv("NATS_TOKEN"); token != "" {
		return []nats.Option{nats.Token(token)}
	}
	if user := os.Getenv("NATS_USER"); user != "" {
		return []nats.Option{nats.UserInfo(user, os.Getenv("NATS_PASSWORD"))}
	}
	return nil
}
