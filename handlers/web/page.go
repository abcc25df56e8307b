package web

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/bucketsum/bucketsum/handlers/web/live"
	"github.com/bucketsum/bucketsum/handlers/web/page"
)

// pageFor is how long a page is answered again, so that many viewers cost as much as one.
const pageFor = 500 * time.Millisecond

// pages keeps the last page without a query.
type pages struct {
	mu   sync.Mutex
	at   time.Time // when it was rendered
	body []byte
}

// page answers with the page for people.
func (s *service) page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", page.Policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	query := r.URL.Query()
	serve(w, r, "text/html; charset=utf-8", s.rendered(page.Query{Outcome: query.Get("outcome"), Text: query.Get("q")}))
}

func (s *service) rendered(q page.Query) []byte {
	if q != (page.Query{}) {
		return s.render(q)
	}
	s.pages.mu.Lock()
	defer s.pages.mu.Unlock()
	if s.pages.body == nil || time.Since(s.pages.at) >= pageFor {
		s.pages.body, s.pages.at = s.render(q), time.Now()
	}
	return s.pages.body
}

func (s *service) render(q page.Query) []byte {
	c := page.Config{
		Version: s.config.Version, Live: s.config.Status != nil, Events: s.config.Watch != nil,
		Buckets: slices.Sorted(maps.Keys(s.config.Records)), Flow: s.config.Flow, Query: q,
	}
	if s.config.Ready != nil {
		c.Faults = s.config.Ready.Last()
	}
	a := s.config.Actions
	switch {
	case a.Token != nil:
		c.Actions = page.TokenActions
	case a.Open:
		c.Actions = page.OpenActions
	}
	c.DeadLetters = a.DeadLetters != nil
	for bucket := range a.Objects { // it is one: the folder
		c.Put = bucket
	}
	var status live.Status
	if s.config.Status != nil {
		status = s.config.Status()
	}
	return page.Render(c, status)
}
