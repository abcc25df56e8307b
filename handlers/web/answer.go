package web

import (
	"encoding/hex"
	"hash/fnv"
	"net/http"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/handlers/web/live"
)

// status answers with the Status.
func (s *service) status(w http.ResponseWriter, r *http.Request) {
	answerDocument(w, r, s.config.Status())
}

// answerDocument answers with v as JSON, or with status 304 if the client has it already.
func answerDocument(w http.ResponseWriter, r *http.Request, v any) {
	body, err := live.JSON(v)
	if err != nil { // cannot happen: every field can be encoded
		answerError(w, http.StatusInternalServerError, "The answer cannot be written")
		return
	}
	serve(w, r, "application/json", append(body, '\n'))
}

// answer answers with v as JSON, without an ETag.
func answer(w http.ResponseWriter, status int, v any) { answerWith(w, status, "application/json", v) }

func answerWith(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := live.JSON(v)
	if err != nil { // cannot happen: every field can be encoded
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // a client that is gone needs no answer
}

// serve answers with a body and its ETag, or with status 304 if the client has it already. Caches must not keep it,
// because it names objects.
func serve(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	sum := fnv.New128a()
	_, _ = sum.Write(body) // never fails
	tag := `"` + hex.EncodeToString(sum.Sum(nil)) + `"`
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("ETag", tag)
	for known := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == tag || known == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // a client that is gone needs no answer
}
