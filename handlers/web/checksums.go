package web

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/handlers/web/digestfield"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// The problems of checksums.
var (
	problemAlgorithm = problem{"unknown-algorithm", http.StatusBadRequest, "There is no such algorithm"}
	problemField     = problem{"invalid-digest", http.StatusBadRequest, "A header states no valid checksum"}
	problemEncoding  = problem{"content-encoding", http.StatusUnsupportedMediaType, "The body is encoded"}
	problemMismatch  = problem{"digest-mismatch", http.StatusUnprocessableEntity, "The content is not what the request states"}
)

// wanted is what a request wants of its content.
type wanted struct {
	names  []string // algorithms of the answer
	stated digestfield.Statements
}

// wantedOf returns what a request wants, or why it is refused.
func wantedOf(w http.ResponseWriter, r *http.Request) (wanted, *fault) {
	names, f := algorithmsOf(r)
	if f != nil {
		return wanted{}, f
	}
	stated, err := digestfield.Read(r.Header.Values)
	if err != nil {
		return wanted{}, &fault{problemField, err.Error()}
	}
	if coding := r.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		return wanted{}, &fault{problemEncoding, "Send the content as it is: a checksum of a compressed body is not that of its content"}
	}
	return wanted{names, stated}, nil
}

// answerOf returns the answer about a content.
func (x wanted) answerOf(content *digest.Digest, checked []digestfield.Checked) checksumsAnswer {
	a := checksumsAnswer{Size: content.Size(), Digests: map[string]string{}, Checked: checked}
	sums := content.Sums()
	for _, name := range x.names {
		a.Digests[name] = sums[name]
	}
	return a
}

// checksumsAnswer is the answer of POST /v1/checksums. Fields may be added and are never renamed.
type checksumsAnswer struct {
	Size    int64                 `json:"size"`    // bytes that were digested
	Digests map[string]string     `json:"digests"` // by algorithm
	Checked []digestfield.Checked `json:"checked"` // the checksums that the request states
}

// mismatchAnswer is the problem of content that is not what the request states.
type mismatchAnswer struct {
	problemAnswer
	checksumsAnswer
}

// checksums answers with checksums of the body, or of the file in a form.
func (s *service) checksums(w http.ResponseWriter, r *http.Request) {
	want, f := wantedOf(w, r)
	if f != nil {
		f.kind.answer(w, r, f.message)
		return
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := mediaType == "multipart/form-data"
	b := newBody(w, r, s.config)
	var ofBody *digest.Digest // of a form, which is more than its file
	var ofFile digestfield.Statements
	content, f := s.upload(w, r, b, func() (*digest.Digest, error) {
		if !form {
			return readAll(r, b, b, slices.Concat(want.names, want.stated.Algorithms()))
		}
		if needed := want.stated.Algorithms(); len(needed) > 0 {
			var err error
			if ofBody, err = digest.New(needed...); err != nil {
				return nil, errInternal
			}
			b.tee(ofBody)
		}
		file, err := fileOf(r, b)
		if err != nil {
			return nil, err
		}
		if ofFile, err = digestfield.Read(file.Header.Values); err != nil {
			return nil, &fault{problemField, err.Error()}
		}
		return readAll(r, b, file, slices.Concat(want.names, ofFile.Algorithms()))
	})
	if f != nil {
		refuse(w, r, b, f, func() { f.kind.answer(w, r, f.message) })
		return
	}
	if ofBody == nil {
		ofBody = content
	}
	checked := append(want.stated.Check("request", ofBody.Sums()), ofFile.Check("file", content.Sums())...)
	if a := want.answerOf(content, checked); !a.differs(w, r, "") {
		answer(w, http.StatusOK, a)
	}
}

// differs reports whether the content is not what the request states. Then it has answered.
func (a checksumsAnswer) differs(w http.ResponseWriter, r *http.Request, more string) bool {
	i := slices.IndexFunc(a.Checked, func(c digestfield.Checked) bool { return c.Outcome == digest.Mismatch })
	if i < 0 {
		return false
	}
	c := a.Checked[i]
	detail := fmt.Sprintf("%s states the %s %s, and the content has %s%s", c.Field, c.Algorithm, c.Stated, c.Computed, more)
	answerWith(w, problemMismatch.status, "application/problem+json", mismatchAnswer{problemMismatch.body(r, detail), a})
	return true
}

// algorithmsOf returns the algorithms that a query names.
func algorithmsOf(r *http.Request) ([]string, *fault) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &fault{problemQuery, "The query is malformed"}
	}
	var names []string
	for _, list := range query["algorithms"] {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.TrimSpace(name)
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return []string{algorithm}, nil
	}
	if most := len(digest.Computable()); len(names) > most {
		return nil, &fault{problemQuery, fmt.Sprintf("Ask for at most %d algorithms at a time", most)}
	}
	if _, err := digest.New(names...); err != nil {
		return nil, &fault{problemAlgorithm, err.Error()}
	}
	return names, nil
}
