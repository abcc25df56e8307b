package driver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/backoff"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/keylock"
)

// Prefixes of the keys of what bucketsum keeps for itself, in any bucket.
const (
	Checkpoints = ".bucketsum/checkpoints/"
	Passes      = ".bucketsum/passes/" // plans and reports of passes
)

// Reserved returns the one of these prefixes that a key has; empty if it has none.
func Reserved(key string) string {
	for _, prefix := range []string{Checkpoints, Passes} {
		if strings.HasPrefix(key, prefix) {
			return prefix
		}
	}
	return ""
}

// ErrUnknownLength is the error of an answer without the length of an object.
var ErrUnknownLength = errors.New("the store does not say how long the object is")

// Denied marks an error as the store's refusal of access, see IsDenied. It is an [fs.ErrPermission], as in a folder,
// and stays transient.
func Denied(err error) error { return &deniedError{err} }

// IsDenied reports whether an error is marked by Denied.
func IsDenied(err error) bool {
	_, ok := errors.AsType[*deniedError](err)
	return ok
}

type deniedError struct{ error }

func (e *deniedError) Unwrap() error        { return e.error }
func (e *deniedError) Is(target error) bool { return target == fs.ErrPermission }

// FolderMark returns ErrFiltered for the empty object that consoles and tools create for a
// folder: its key ends with a slash. Any other empty object is summed, and so is an object
// with such a key that has content.
func FolderMark(key string, size int64) error {
	if size == 0 && strings.HasSuffix(key, "/") {
		return fmt.Errorf("it stands for a folder: %w", pipeline.ErrFiltered)
	}
	return nil
}

// TrimETag returns an ETag as events carry it, without quotes.
func TrimETag(tag string) string { return strings.Trim(tag, `"`) }

// IsPrintable reports whether a string is of printable ASCII only, as headers are.
func IsPrintable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// EscapeMetadata makes values printable ASCII, as gocloud does.
func EscapeMetadata(metadata map[string]string) map[string]string {
	escaped := make(map[string]string, len(metadata))
	for k, v := range metadata {
		escaped[k] = url.PathEscape(v)
	}
	return escaped
}

// UnescapeMetadata is the inverse of EscapeMetadata. Other values stay as they are.
func UnescapeMetadata(metadata map[string]string) map[string]string {
	plain := make(map[string]string, len(metadata))
	for k, v := range metadata {
		plain[k] = v
		if u, err := url.PathUnescape(v); err == nil {
			plain[k] = u
		}
	}
	return plain
}

// MetadataClaims returns what uploaders say in the metadata of an object. rclone puts the
// MD5 there, in base64, where the ETag is not one.
func MetadataClaims(metadata map[string]string) []pipeline.Claim {
	for key, value := range metadata {
		if strings.EqualFold(key, "md5chksum") {
			return []pipeline.Claim{{Name: "md5chksum", Claim: digest.Claim{Algorithm: "md5", Value: value}}}
		}
	}
	return nil
}

// Unchanged returns ErrChanged if a small object is no longer as the condition says. Where a store has no
// conditions, its driver calls Unchanged just before it writes, under the lock of the key.
func Unchanged(ctx context.Context, b Bucket, key string, c Condition) error {
	if c.Any {
		return nil
	}
	old := c.Old
	if old == nil {
		old = new(Blob)
	}
	now, err := b.Get(ctx, key, int64(len(old.Data))+1)
	switch {
	case errors.Is(err, pipeline.ErrNotFound) && c.Old == nil:
		return nil
	case err != nil && !errors.Is(err, pipeline.ErrNotFound):
		return err
	case err != nil, c.Old == nil, now.Tag != old.Tag, !bytes.Equal(now.Data, old.Data), !maps.Equal(now.Metadata, old.Metadata):
		return fmt.Errorf("%w: another process wrote %q", pipeline.ErrChanged, key)
	}
	return nil
}

// Locks implements Bucket.Lock for goroutines of this process. A driver whose store has
// conditions embeds it.
type Locks = keylock.Locks[string]

// Backoff is how long to wait for a store that failed.
var Backoff = backoff.Backoff{First: 100 * time.Millisecond, Longest: 5 * time.Second, Jitter: backoff.Below}

// Transport returns the connections of one bucket.
func Transport() *http.Transport {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true}
	TuneTransport(t)
	return t
}

// SameSite is a CheckRedirect for the clients of stores. It follows a redirect that keeps the
// method, to hosts of the same domain, at the same port, and never from https to http. A store
// that sends its client elsewhere could else have it read what only this machine can reach,
// and get the headers that say who asks.
func SameSite(r *http.Request, via []*http.Request) error {
	keepsMethod := r.Response.StatusCode == http.StatusTemporaryRedirect || r.Response.StatusCode == http.StatusPermanentRedirect
	if !keepsMethod || len(via) >= 10 || r.URL.Scheme != via[0].URL.Scheme || siteOf(r.URL) != siteOf(via[0].URL) {
		return http.ErrUseLastResponse
	}
	return nil
}

// siteOf returns the port and the last two labels of the host, or three if the last one is
// that of a country: amazonaws.com, amazonaws.com.cn. An address and a short name are a site
// of their own.
func siteOf(u *url.URL) string {
	labels := strings.Split(u.Hostname(), ".")
	n := 2
	if len(labels[len(labels)-1]) == 2 {
		n = 3
	}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil && len(labels) > n {
		labels = labels[len(labels)-n:]
	}
	return strings.Join(labels, ".") + ":" + u.Port()
}

// TuneTransport sets up a pool of connections that does not limit how many objects are in
// work at once, and never waits without limit.
func TuneTransport(t *http.Transport) {
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.TLSHandshakeTimeout = 10 * time.Second
	t.ResponseHeaderTimeout = time.Minute
	t.MaxIdleConns = 0 // the limit of each host is enough
	t.MaxIdleConnsPerHost = 1024
	t.IdleConnTimeout = 30 * time.Second
	t.DisableCompression = true // the checksum is of what is stored
}
