package web

import (
	"net/http"

	"github.com/bucketsum/bucketsum/handlers/web/live"
)

// problemTypes precedes the name of a problem in its type. The page explains each problem.
const problemTypes = "https://github.com/bucketsum/bucketsum/blob/main/docs/http.md#"

// problem is a kind of error below /v1, as RFC 9457 has it. Clients tell problems apart by their type, so a name is
// never changed.
type problem struct {
	name   string
	status int
	title  string
}

var (
	problemNotFound       = problem{"not-found", http.StatusNotFound, "There is no such route"}
	problemMethod         = problem{"method-not-allowed", http.StatusMethodNotAllowed, "The route does not take this method"}
	problemHost           = problem{"unknown-host", http.StatusMisdirectedRequest, "This server does not answer under that name"}
	problemQuery          = problem{"invalid-query", http.StatusBadRequest, "The query is not valid"}
	problemTooManyStreams = problem{"too-many-streams", http.StatusServiceUnavailable, "Too many clients receive events"}
)

// problemAnswer is the body of a problem.
type problemAnswer struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance"`
}

// answer answers a request with the problem. detail says what is wrong with this request and what to do.
func (p problem) answer(w http.ResponseWriter, r *http.Request, detail string) {
	body, err := live.JSON(problemAnswer{problemTypes + p.name, p.title, p.status, detail, r.URL.EscapedPath()})
	if err != nil { // cannot happen: every field can be encoded
		body = []byte("{}")
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(p.status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}
