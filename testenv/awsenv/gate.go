package awsenv

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Gate is the way to S3 and SQS of somebody whom policies bind, by TLS only. It
// lets through what they allow, answers anything else as AWS does, and remembers
// what was used of them. Safe for concurrent use; its fields must not be changed
// while requests are under way.
type Gate struct {
	AccessKey string            // of whom it is for; others are turned away
	Region    string            // of the queues
	Identity  Policy            // what he may do
	Queues    map[string]Policy // what queues let be done to them, by ARN
	Keys      map[string]Key    // of queues and buckets, by ARN

	mu     sync.Mutex
	used   map[string]bool
	counts map[string]int
	denied []Access
}

// Open opens the gate in front of a server, which may be one of several, and
// returns it as a server. A request that it does not understand fails the test.
func (g *Gate) Open(t testing.TB, s Server) Server {
	t.Helper()
	return s.BeforeTLS(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if key := scopeOf(r)[0]; key != g.AccessKey {
			deny(w, r, "InvalidAccessKeyId", fmt.Sprintf("the access key %q is somebody else's", key))
			return
		}
		c, err := g.understand(r)
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
			deny(w, r, "NotImplemented", err.Error())
			return
		}
		if a, ok := g.pass(c); !ok {
			deny(w, r, "AccessDenied", "not authorized to perform: "+a.String())
			return
		}
		next.ServeHTTP(w, r)
	})
}

// pass reports whether a call may pass, or what of it may not.
func (g *Gate) pass(c call) (Access, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range c.accesses {
		if !Allowed(a, g.Identity, g.Queues[a.Resource]) {
			g.denied = append(g.denied, a)
			return a, false
		}
	}
	if g.counts == nil {
		g.counts, g.used = make(map[string]int), make(map[string]bool)
	}
	g.counts[c.name]++
	for _, a := range c.accesses {
		for _, s := range g.Identity.Matching("Allow", a) {
			g.used[s.Sid+" "+a.Action] = true
		}
	}
	return Access{}, true
}

// Used returns the statements and actions of the identity's policy that allowed
// something, as "Objects s3:GetObject", sorted.
func (g *Gate) Used() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.used))
}

// Counts returns how many calls of each operation passed.
func (g *Gate) Counts() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.counts)
}

// Denied returns what was not allowed.
func (g *Gate) Denied() []Access {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.denied)
}

// Grants returns what a policy allows, as Used returns it.
func (p Policy) Grants() []string {
	var all []string
	for _, s := range p.Statement {
		for _, action := range s.Action {
			all = append(all, s.Sid+" "+action)
		}
	}
	slices.Sort(all)
	return all
}

// deny answers as S3 or SQS does to whom something is not allowed.
func deny(w http.ResponseWriter, r *http.Request, code, message string) {
	status := http.StatusForbidden
	if code == "NotImplemented" {
		status = http.StatusNotImplemented
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.") {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Header().Set("X-Amzn-Query-Error", code+";Sender")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazon.coral.service#" + code + "Exception", "Message": message}) // he may be gone
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(message))
	}
}
