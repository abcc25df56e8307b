package web

import (
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// The problems of checksums.
var (
	problemAlgorithm = problem{"unknown-algorithm", http.StatusBadRequest, "There is no such algorithm"}
	problemField     = problem{"invalid-digest", http.StatusBadRequest, "A header states no valid checksum"}
	problemEncoding  = problem{"content-encoding", http.StatusUnsupportedMediaType, "The body is encoded"}
	problemMismatch  = problem{"digest-mismatch", http.StatusUnprocessableEntity, "The content is not what the request states"}
)

// checksumsAnswer is the answer of POST /v1/checksums. Fields may be added and are never renamed.
type checksumsAnswer struct {
	Size    int64             `json:"size"`    // bytes that were digested
	Digests map[string]string `json:"digests"` // by algorithm
	Checked []checked         `json:"checked"` // the checksums that the request states
}

// mismatchAnswer is the problem of content that is not what the request states.
type mismatchAnswer struct {
	problemAnswer
	checksumsAnswer
}

// checksums answers with checksums of the body, or of the file in a form.
func (s *service) checksums(w http.ResponseWriter, r *http.Request) {
	names, f := algorithmsOf(r)
	var stated statements
	if f == nil {
		stated, f = statementsOf(r.Header.Values)
	}
	if coding := r.Header.Get("Content-Encoding"); f == nil && coding != "" && !strings.EqualFold(coding, "identity") {
		w.Header().Set("Accept-Encoding", "identity")
		f = &fault{problemEncoding, "Send the content as it is: a checksum of a compressed body is not that of its content"}
	}
	if f != nil {
		f.kind.answer(w, r, f.message)
		return
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := mediaType == "multipart/form-data"
	b := newBody(w, r, s.config)
	var ofBody *digest.Digest // of a form, which is more than its file
	var ofFile statements
	content, f := s.upload(w, r, b, func() (*digest.Digest, error) {
		if !form {
			return readAll(r, b, b, slices.Concat(names, stated.algorithms()))
		}
		if needed := stated.algorithms(); len(needed) > 0 {
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
		var wrong *fault
		if ofFile, wrong = statementsOf(file.Header.Values); wrong != nil {
			return nil, wrong
		}
		return readAll(r, b, file, slices.Concat(names, ofFile.algorithms()))
	})
	if f != nil {
		refuse(w, r, b, f, func() { f.kind.answer(w, r, f.message) })
		return
	}
	sums := content.Sums()
	answer := checksumsAnswer{Size: content.Size(), Digests: map[string]string{}, Checked: []checked{}}
	for _, name := range names {
		answer.Digests[name] = sums[name]
	}
	if ofBody != nil {
		answer.Checked = append(stated.check("request", ofBody.Sums()), ofFile.check("file", sums)...)
	} else {
		answer.Checked = append(stated.check("request", sums), ofFile.check("file", sums)...)
	}
	if i := slices.IndexFunc(answer.Checked, func(c checked) bool { return c.Outcome == digest.Mismatch }); i >= 0 {
		c := answer.Checked[i]
		detail := fmt.Sprintf("%s states the %s %s, and the content has %s", c.Field, c.Algorithm, c.Stated, c.Computed)
		answerOnce(w, problemMismatch.status, "application/problem+json", mismatchAnswer{problemMismatch.body(r, detail), answer})
		return
	}
	answerOnce(w, http.StatusOK, "application/json", answer)
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
