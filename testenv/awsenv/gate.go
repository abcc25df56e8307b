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

// Gate is a TLS proxy in front of S3 and SQS that enforces the policies of one
// caller. It passes the requests that the policies allow, answers the others as AWS
// does, and records which parts of the policies were used. Safe for concurrent use;
// the fields must not be changed while requests are under way.
type Gate struct {
	AccessKey string            // of the caller; others are refused
	Region    string            // of the queues
	Identity  Policy            // what the caller may do
	Queues    map[string]Policy // resource policies of queues, by ARN
	Keys      map[string]Key    // of queues and buckets, by ARN

	mu     sync.Mutex
	used   map[string]bool
	counts map[string]int
	denied []Access
}

// Open starts the gate in front of a server and returns it as a server. It can be
// called for several servers. An unknown request fails the test.
func (g *Gate) Open(t testing.TB, s Server) Server {
	t.Helper()
	return s.BeforeTLS(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if key := scopeOf(r)[0]; key != g.AccessKey {
			deny(w, r, "InvalidAccessKeyId", fmt.Sprintf("the access key %q is unknown", key))
			return
		}
		c, err := g.parse(r)
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

// pass reports whether a call may pass, and if not, which access is missing.
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

// Used returns the statements and actions of the identity's policy that allowed an
// access, sorted, in the form "Objects s3:GetObject".
func (g *Gate) Used() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Sorted(maps.Keys(g.used))
}

// Counts returns the number of calls that passed, by operation.
func (g *Gate) Counts() map[string]int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.counts)
}

// Denied returns the accesses that were refused.
func (g *Gate) Denied() []Access {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.denied)
}

// Grants returns the statements and actions of a policy, in the form of [Gate.Used].
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

// deny answers as S3 or SQS refuses a request.
func deny(w http.ResponseWriter, r *http.Request, code, message string) {
	status := http.StatusForbidden
	if code == "NotImplemented" {
		status = http.StatusNotImplemented
	}
	if strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.") {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.Header().Set("X-Amzn-Query-Error", code+";Sender")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "com.amazon.coral.service#" + code + "Exception", "Message": message}) // the client may be gone
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", code, strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(message))
	}
}
