package web_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
)

func TestRoutes(t *testing.T) {
	s := start(t, web.Config{})
	for _, tc := range []struct {
		method, path string
		status       int
		allow        string
		fields       map[string]string
	}{
		{"GET", "/health", 200, "", map[string]string{"status": "ok"}},
		{"GET", "/md5", 405, "POST", map[string]string{"error": "Method not allowed"}},
		{"PUT", "/md5", 405, "POST", map[string]string{"error": "Method not allowed"}},
		{"POST", "/health", 405, "GET, HEAD", map[string]string{"error": "Method not allowed"}},
		{"POST", "/", 405, "GET, HEAD", map[string]string{"error": "Method not allowed"}},
		{"GET", "/nowhere", 404, "", map[string]string{"error": "Not found"}},
		{"POST", "/md5/", 404, "", map[string]string{"error": "Not found"}},
	} {
		t.Run(tc.method+" "+tc.path, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), tc.method, s.url(tc.path), nil)
			if err != nil {
				t.Fatal(err)
			}
			response, err := s.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			fields := decode(t, response)
			if response.StatusCode != tc.status || response.Header.Get("Allow") != tc.allow {
				t.Errorf("got %d, Allow %q; want %d, %q", response.StatusCode, response.Header.Get("Allow"), tc.status, tc.allow)
			}
			if diff := cmp.Diff(tc.fields, fields); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHealthFailing(t *testing.T) {
	s := start(t, web.Config{Health: func() error { return errors.New(`queue "a": gone`) }})
	response, err := s.client.Get(s.url("/health"))
	if err != nil {
		t.Fatal(err)
	}
	fields := decode(t, response)
	if response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status is %d", response.StatusCode)
	}
	if diff := cmp.Diff(map[string]string{"status": "failing", "error": `queue "a": gone`}, fields); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestHealthHead(t *testing.T) {
	s := start(t, web.Config{})
	response, err := s.client.Head(s.url("/health"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("status is %d", response.StatusCode)
	}
}

func TestPage(t *testing.T) {
	s := start(t, web.Config{Version: "v1.2.3 <dirty>"})
	response, err := s.client.Get(s.url("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	html, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("got %d, %q", response.StatusCode, response.Header.Get("Content-Type"))
	}
	for _, want := range []string{"POST /md5", "GET /health", "v1.2.3 &lt;dirty&gt;"} {
		if !strings.Contains(string(html), want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if policy := response.Header.Get("Content-Security-Policy"); !strings.HasPrefix(policy, "default-src 'none'") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
	if response.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("page may be sniffed")
	}
}

func TestConfigValidate(t *testing.T) {
	for name, tc := range map[string]struct {
		config web.Config
		faults []string
	}{
		"zero":      {web.Config{}, nil},
		"unlimited": {web.Config{MaxUpload: web.Unlimited}, nil},
		"set":       {web.Config{MaxUpload: 1, IdleTimeout: time.Second}, nil},
		"every": {
			web.Config{MaxUpload: -2, IdleTimeout: -1, Records: map[string]web.Records{"a": nil}},
			[]string{"MaxUpload", "IdleTimeout", `bucket "a"`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := tc.config.Validate()
			if (err != nil) != (tc.faults != nil) {
				t.Fatalf("Validate: %v", err)
			}
			for _, fault := range tc.faults {
				if !strings.Contains(err.Error(), fault) {
					t.Errorf("%q does not name %s", err, fault)
				}
			}
			if _, handlerErr := web.Handler(tc.config); (handlerErr != nil) != (err != nil) {
				t.Errorf("Handler: %v", handlerErr)
			}
		})
	}
}
