package jetstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// address is what a URL says.
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
		return address{}, fmt.Errorf("consumer=%s is not a name: no spaces, dots, slashes or wildcards", a.consumer)
	}
	var createErr, tlsErr error
	a.create, createErr = queue.Flag(query, "create")
	a.tls, tlsErr = queue.Flag(query, "tls")
	return a, errors.Join(createErr, tlsErr)
}

// isName reports whether JetStream takes the name of a stream or consumer.
func isName(s string) bool {
	return s != "" && !strings.ContainsAny(s, " \t\r\n\f.*>/\\")
}

// connect connects to the server, once: a wrong URL shows. The name is for the
// server's operators. A connection that is
// lost later is made again for ever, as leases are extended and acks sent
// through it.
func (d Driver) connect(a address, name string, lost func()) (*nats.Conn, error) {
	server := &url.URL{Scheme: "nats", Host: a.url.Host, User: a.url.User}
	if a.tls {
		server.Scheme = "tls"
	}
	options := []nats.Option{
		nats.Name("bucketsum " + name), nats.MaxReconnects(-1), nats.NoCallbacksAfterClientClose(),
		// What is written while there is no connection fails instead of waiting
		// for one: whoever calls tries again, and knows.
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
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", a.url.Host, err)
	}
	return nc, nil
}

// credentials are those of the environment, by the names of the nats command.
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

// bounded gives a call to the server that many seconds, unless ctx has a
// deadline: the client's own calls wait for ever without.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, callTimeout)
}
