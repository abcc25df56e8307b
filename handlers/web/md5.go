package web

import (
	"net/http"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

const algorithm = "md5"

// md5 answers with the checksum of the file in an upload.
func (s *service) md5(w http.ResponseWriter, r *http.Request) {
	b := newBody(w, r, s.config)
	d, f := s.upload(w, r, b, func() (*digest.Digest, error) {
		file, err := fileOf(r, b)
		if err != nil {
			return nil, err
		}
		return readAll(r, b, file, []string{algorithm})
	})
	if f != nil {
		refuse(w, r, b, f, func() { answerError(w, f.kind.status, f.message) })
		return
	}
	answer(w, http.StatusOK, map[string]string{"md5_checksum": d.Sums()[algorithm]})
}
