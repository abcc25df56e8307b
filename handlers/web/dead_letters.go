package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/bounds"
	"github.com/bucketsum/bucketsum/pipeline/redrive"
)

const (
	maxMatches = 100
	// maxOrder bounds the body of a request, in bytes. The page names up to 100 objects with long keys.
	maxOrder = 1 << 20
	// orderTimeout is how long the body may take.
	orderTimeout = 10 * time.Second
	// lettersTimeout ends a run early, so that a client gets an answer. The next one continues.
	lettersTimeout = 40 * time.Second
	// lettersAnswer is how long the answer may take: a run that ends early finishes what is in work.
	lettersAnswer = 3 * time.Minute
)

// ErrBusy means that another client uses the dead letters now.
var ErrBusy = errors.New("another run over the dead letters is in progress")

// DeadLetters are the messages that could not be handled.
type DeadLetters interface {
	// Run does the action with the dead letters that match. It returns ErrBusy if another run is in progress.
	// The report is also complete beside another error, unless the run did not begin: then it has no End.
	Run(ctx context.Context, action redrive.Action, match redrive.Match) (redrive.Report, error)
}

// The problems of dead letters.
var (
	problemOrder   = problem{"invalid-order", http.StatusBadRequest, "The order is not valid"}
	problemBusy    = problem{"busy", http.StatusConflict, "The dead letters are in use"}
	problemLetters = problem{"dead-letters-failed", http.StatusBadGateway, "The dead letters cannot be reached"}
)

// order is the body of a request to redrive or discard.
type order struct {
	Match []string `json:"match"`
	All   bool     `json:"all"` // needed if Match is empty
}

func (s *service) deadLetters(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		problemQuery.answer(w, r, "It is malformed")
		return
	}
	match, wrong := matchOf(query["match"])
	if wrong != "" {
		problemQuery.answer(w, r, wrong)
		return
	}
	s.runLetters(w, r, redrive.Look, match)
}

// lettersAction answers an order to do something with dead letters.
func (s *service) lettersAction(action redrive.Action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !isJSON(r) {
			problemJSON.answer(w, r, "")
			return
		}
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(orderTimeout))
		body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxOrder))
		body.DisallowUnknownFields()
		var o order
		if err := body.Decode(&o); err != nil {
			problemOrder.answer(w, r, `Send {"match": ["reason=TEXT", "bucket=NAME", "key=GLOB", "object=BUCKET/KEY"]} or {"all": true}`)
			return
		}
		if _, err := body.Token(); err != io.EOF {
			problemOrder.answer(w, r, "Send one JSON object")
			return
		}
		if (len(o.Match) == 0) != o.All {
			problemOrder.answer(w, r, `Say which dead letters: name a match, or say "all": true`)
			return
		}
		match, wrong := matchOf(o.Match)
		if wrong != "" {
			problemOrder.answer(w, r, wrong)
			return
		}
		s.runLetters(w, r, action, match)
	}
}

// matchOf returns the match of texts, or what is wrong with them.
func matchOf(texts []string) (match redrive.Match, wrong string) {
	if len(texts) > maxMatches {
		return match, "It has too many matches"
	}
	match, err := redrive.ParseMatch(texts)
	if err != nil {
		return match, err.Error()
	}
	return match, ""
}

func (s *service) runLetters(w http.ResponseWriter, r *http.Request, action redrive.Action, match redrive.Match) {
	// A writer without deadlines has no connection.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(lettersAnswer))
	ctx, cancel := context.WithTimeout(r.Context(), lettersTimeout)
	defer cancel()
	report, err := s.config.Actions.DeadLetters.Run(ctx, action, match)
	if action != redrive.Look && report.End != "" {
		s.config.Log.InfoContext(r.Context(), "dead letters by HTTP", "action", action.String(), "address", bounds.ClientOf(r).String(),
			"found", report.Total.Found, "sent", report.Total.Sent, "discarded", report.Total.Discarded, "failed", report.Total.Failed)
	}
	switch {
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "5")
		problemBusy.answer(w, r, "Another client looks at them or moves them. Try again soon")
	case err != nil:
		s.config.Log.WarnContext(r.Context(), "dead letters not reached", "action", action.String(), "err", err)
		problemLetters.answer(w, r, err.Error())
	default:
		answer(w, http.StatusOK, report)
	}
}
