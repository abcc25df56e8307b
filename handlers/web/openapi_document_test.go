package web_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/bucketsum/bucketsum/handlers/web"
)

const openAPIURL = "https://example.com/openapi.json"

// openAPI is the document that the server answers with. It notes which of its answers were seen.
type openAPI struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
	seen     map[string]bool // "GET /v1/status 200"
}

func readOpenAPI(t *testing.T) *openAPI {
	t.Helper()
	w := httptest.NewRecorder()
	newHandler(t, web.Config{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
	doc, err := jsonschema.UnmarshalJSON(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	closeObjects(doc)
	o := &openAPI{doc.(map[string]any), jsonschema.NewCompiler(), make(map[string]bool)}
	o.compiler.AssertFormat()
	if err := o.compiler.AddResource(openAPIURL, doc); err != nil {
		t.Fatal(err)
	}
	return o
}

// closeObjects lets the schemas of objects refuse fields that they do not describe. Clients must accept them.
func closeObjects(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			closeObjects(e)
		}
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["additionalProperties"] == nil {
			v["additionalProperties"] = false
		}
		for _, e := range v {
			closeObjects(e)
		}
	}
}

// object returns the object at a place of the document, and the place after references. It is nil if there is none.
func (o *openAPI) object(place ...string) (map[string]any, []string) {
	at, _ := any(o.doc), 0
	for _, name := range place {
		m, _ := at.(map[string]any)
		at = m[name]
	}
	m, _ := at.(map[string]any)
	if to, ok := m["$ref"].(string); ok {
		return o.object(strings.Split(strings.TrimPrefix(to, "#/"), "/")...)
	}
	return m, place
}

// valid compares a body with the schema at a place of the document.
func (o *openAPI) valid(body []byte, place ...string) error {
	pointer := ""
	for _, name := range place {
		pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	schema, err := o.compiler.Compile(openAPIURL + "#" + (&url.URL{Path: pointer}).EscapedPath())
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// check compares an answer with the document.
func (o *openAPI) check(method, path string, w *http.Response, body []byte) error {
	name := fmt.Sprint(method, " ", path, " ", w.StatusCode)
	o.seen[name] = true
	answer, place := o.object("paths", path, strings.ToLower(method), "responses", fmt.Sprint(w.StatusCode))
	if answer == nil {
		return fmt.Errorf("%s is not in the document", name)
	}
	headers, _ := answer["headers"].(map[string]any)
	for header := range headers {
		if w.Header.Get(header) == "" {
			return fmt.Errorf("%s has no header %s", name, header)
		}
	}
	for _, header := range []string{"ETag", "Retry-After", "Repr-Digest", "Www-Authenticate", "Allow"} {
		if documented := slices.ContainsFunc(slices.Collect(maps.Keys(headers)), func(h string) bool { return strings.EqualFold(h, header) }); !documented && w.Header.Get(header) != "" {
			return fmt.Errorf("%s has a header %s", name, header)
		}
	}
	contents, _ := answer["content"].(map[string]any)
	got := w.Header.Get("Content-Type")
	if len(contents) == 0 {
		if got != "" || len(body) > 0 {
			return fmt.Errorf("%s has a body of type %q", name, got)
		}
		return nil
	}
	media, _, _ := mime.ParseMediaType(got)
	if contents[got] == nil && contents[media] == nil {
		return fmt.Errorf("%s is of type %q", name, got)
	}
	if !strings.HasSuffix(media, "json") {
		return nil
	}
	if err := o.valid(body, append(slices.Clone(place), "content", media, "schema")...); err != nil {
		return fmt.Errorf("%s: %w: %.300s", name, err, body)
	}
	if media == "application/problem+json" {
		return explained(body)
	}
	return nil
}

// explained compares the type of a problem with the page that it leads to.
func explained(body []byte) error {
	var p struct{ Type string }
	if err := json.Unmarshal(body, &p); err != nil {
		return err
	}
	file, name, _ := strings.Cut(p.Type, "#")
	page, err := os.ReadFile("../../docs" + file[strings.LastIndex(file, "/"):])
	if err == nil && !strings.Contains(string(page), `<a id="`+name+`"></a>`+"`"+name+"`") {
		err = fmt.Errorf("docs/http.md does not explain the problem %s", name)
	}
	return err
}

// documented returns every answer in the document, as "GET /v1/status 200".
func (o *openAPI) documented() (answers []string, routes map[string][]string) {
	routes = make(map[string][]string)
	paths, _ := o.object("paths")
	for path := range paths {
		methods, _ := o.object("paths", path)
		for method := range methods {
			responses, _ := o.object("paths", path, method, "responses")
			for status := range responses {
				answers = append(answers, strings.ToUpper(method)+" "+path+" "+status)
			}
			routes[path] = append(routes[path], strings.ToUpper(method))
			if method == "get" && !strings.HasPrefix(path, "/v1/dead-letters") {
				routes[path] = append(routes[path], http.MethodHead)
			}
		}
		slices.Sort(routes[path])
	}
	slices.Sort(answers)
	return answers, routes
}

// TestOpenAPIIsValid compares the document with the schema of such documents.
func TestOpenAPIIsValid(t *testing.T) {
	f, err := os.Open("testdata/openapi-3.1/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	of, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("https://example.com/schema.json", of); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("https://example.com/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	doc := readOpenAPI(t).doc
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	delete(doc["info"].(map[string]any), "title")
	if schema.Validate(doc) == nil {
		t.Error("a document without a title is valid")
	}
}
