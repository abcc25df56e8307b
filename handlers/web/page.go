package web

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageSource string

// newPage returns the handler of the page for people.
func newPage(version string) (http.Handler, error) {
	t, err := template.New("page").Parse(pageSource)
	if err != nil {
		return nil, fmt.Errorf("parse the page: %w", err)
	}
	var html bytes.Buffer
	if err := t.Execute(&html, struct{ Version string }{version}); err != nil {
		return nil, fmt.Errorf("render the page: %w", err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		// The page has a form and nothing else: no script, no style, no frame.
		w.Header().Set("Content-Security-Policy", "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		w.Header().Set("Referrer-Policy", "no-referrer")
		_, _ = w.Write(html.Bytes()) // a client that went away is not news
	}), nil
}
