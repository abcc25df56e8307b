package web

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/readable"
)

var (
	//go:embed page.html
	pageSource string
	//go:embed page.css
	pageStyle string
	//go:embed page.js
	pageScript string
)

// page is the page for people. It is whole without its script, which asks for
// the page again and puts what is new in the place of what is old: what came from
// outside is escaped here and nowhere else.
type page struct {
	config   Config
	template *template.Template
	policy   string // Content-Security-Policy
}

func newPage(config Config) (*page, error) {
	t, err := template.New("page").Funcs(template.FuncMap{
		"visible": visible, "bytes": readable.Bytes, "grouped": grouped, "seconds": seconds, "inOrder": inOrder,
		"deref":   func(n *int64) int64 { return *n },
		"rfc3339": func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") },
		"clock":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
	}).Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	p := &page{
		config: config, template: t,
		// Nothing but the page's own style and script, its own server, and the
		// icon that the page carries.
		policy: "default-src 'none'; script-src " + hashSource(pageScript) + "; style-src " + hashSource(pageStyle) +
			"; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
	}
	if _, err := p.render(Status{}); err != nil {
		return nil, err
	}
	return p, nil
}

// hashSource returns what allows an inline script or style of this content.
func hashSource(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

func (p *page) render(status Status) ([]byte, error) {
	var html bytes.Buffer
	err := p.template.Execute(&html, struct {
		Status
		HasStatus bool
		Version   string
		Buckets   []string // whose records can be looked up
		Style     template.CSS
		Script    template.JS
	}{
		Status: status, HasStatus: p.config.Status != nil, Version: p.config.Version,
		Buckets: slices.Sorted(maps.Keys(p.config.Records)),
		Style:   template.CSS(pageStyle), Script: template.JS(pageScript),
	})
	if err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return html.Bytes(), nil
}

func (p *page) serve(w http.ResponseWriter, r *http.Request) {
	var status Status
	if p.config.Status != nil {
		status = p.config.Status()
	}
	html, err := p.render(status)
	if err != nil {
		p.config.Log.ErrorContext(r.Context(), "page not rendered", "err", err)
		answerError(w, http.StatusInternalServerError, "The page cannot be rendered")
		return
	}
	w.Header().Set("Content-Security-Policy", p.policy)
	w.Header().Set("Referrer-Policy", "no-referrer")
	serve(w, r, "text/html; charset=utf-8", html)
}
