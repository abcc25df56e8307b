package web

import "net/http"

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
	problemName           = problem{"invalid-name", http.StatusBadRequest, "The path does not name an object"}
	problemNoBucket       = problem{"no-bucket", http.StatusNotFound, "The bucket is not configured"}
	problemNoRecord       = problem{"no-record", http.StatusNotFound, "The object has no record"}
	problemStore          = problem{"store-failed", http.StatusBadGateway, "The record cannot be read"}
	problemInternal       = problem{"internal", http.StatusInternalServerError, "The server failed"}
	problemRate           = problem{"too-many-requests", http.StatusTooManyRequests, "The client sends too many requests"}
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

// body returns the body of the problem as the answer to a request. detail says what is wrong with this request and
// what to do.
func (p problem) body(r *http.Request, detail string) problemAnswer {
	return problemAnswer{problemTypes + p.name, p.title, p.status, detail, r.URL.EscapedPath()}
}

// answer answers a request with the problem.
func (p problem) answer(w http.ResponseWriter, r *http.Request, detail string) {
	answerWith(w, p.status, "application/problem+json", p.body(r, detail))
}
