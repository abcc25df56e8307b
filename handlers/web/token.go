package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/bounds"
)

const (
	// minToken is about 95 bits if the characters are random letters and digits.
	minToken = 16
	maxToken = 4 << 10

	// An address may send so many wrong tokens in wrongTokensIn; then its requests are refused
	// unread until that time is over.
	maxWrongTokens = 10
	wrongTokensIn  = time.Minute
	// maxWatched bounds the addresses that are remembered. More of them count as one.
	maxWatched = 1024
)

// Token is the secret that a client sends to change something. It is in a file, which is read at each use, so that a
// new secret holds at once. Safe for concurrent use.
type Token struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	wrong map[netip.Prefix]tries
}

// tries are the wrong tokens of an address.
type tries struct {
	since time.Time
	count int
}

// OpenToken returns the token in a file. It warns of a file that others can read or change.
func OpenToken(path string, log *slog.Logger) (*Token, error) {
	t := &Token{path: path, log: log, wrong: make(map[netip.Prefix]tries)}
	if log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if _, err := t.read(); err != nil {
		return nil, err
	}
	warnOfMode(path, "the token", t.log)
	return t, nil
}

// read returns the token. Its errors never contain it.
func (t *Token) read() (string, error) {
	info, err := os.Stat(t.path) // before it is opened: a pipe would block
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file: it is read again at each use", t.path)
	}
	f, err := os.Open(t.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(content))
	switch {
	case len(content) > maxToken:
		return "", fmt.Errorf("%s has more than %d bytes", t.path, maxToken)
	case len(token) < minToken:
		return "", fmt.Errorf("the token in %s has %d characters, and at least %d are needed: make one with openssl rand -hex 32", t.path, len(token), minToken)
	case strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "", fmt.Errorf("the token in %s must be one line of printable ASCII without spaces", t.path)
	}
	return token, nil
}

// admits reports whether a request has the token. Otherwise it has answered.
func (t *Token) admits(w http.ResponseWriter, r *http.Request) bool {
	from := bounds.ClientOf(r)
	if wait := t.blocked(from); wait > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(wait.Seconds())+1))
		problemTries.answer(w, r, "Wait for as many seconds as Retry-After says")
		return false
	}
	want, err := t.read()
	if err != nil {
		t.log.ErrorContext(r.Context(), "the token cannot be read, so that nothing can be changed by HTTP", "err", err)
		w.Header().Set("Retry-After", "5")
		problemNoToken.answer(w, r, "The log says why")
		return false
	}
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got = strings.TrimSpace(got)
	if !strings.EqualFold(scheme, "Bearer") || got == "" {
		w.Header().Set("WWW-Authenticate", `Bearer realm="bucketsum"`)
		problemToken.answer(w, r, "Send the header Authorization: Bearer TOKEN, with the token of --token-file")
		return false
	}
	a, b := sha256.Sum256([]byte(want)), sha256.Sum256([]byte(got))
	if subtle.ConstantTimeCompare(a[:], b[:]) == 1 {
		return true
	}
	if t.failed(from) {
		t.log.WarnContext(r.Context(), "wrong tokens: the address is refused for a while", "address", from.String(), "tries", maxWrongTokens)
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="bucketsum", error="invalid_token"`)
	problemToken.answer(w, r, "The token is wrong")
	return false
}

// blocked returns how long requests of an address are still refused.
func (t *Token) blocked(from netip.Prefix) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if tries := t.wrong[t.bucket(from)]; tries.count >= maxWrongTokens {
		return time.Until(tries.since.Add(wrongTokensIn))
	}
	return 0
}

// failed counts a wrong token, and reports whether the address is refused from now on.
func (t *Token) failed(from netip.Prefix) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if len(t.wrong) >= maxWatched {
		for address, tries := range t.wrong {
			if now.Sub(tries.since) > wrongTokensIn {
				delete(t.wrong, address)
			}
		}
	}
	from = t.bucket(from)
	all := t.wrong[from]
	if now.Sub(all.since) > wrongTokensIn {
		all = tries{since: now}
	}
	all.count++
	t.wrong[from] = all
	return all.count == maxWrongTokens
}

// bucket returns the address under which tries are counted. The caller holds t.mu.
func (t *Token) bucket(from netip.Prefix) netip.Prefix {
	if _, known := t.wrong[from]; known || len(t.wrong) < maxWatched {
		return from
	}
	return netip.Prefix{}
}
