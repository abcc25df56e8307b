// Package hostile makes messages that no honest store sends: documented events, changed at
// random so that they lie, break their form or cost memory.
//
// A seed and a number make the same message at every time, so that one message can be
// replayed alone.
package hostile

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Message is the content of a message.
type Message struct {
	Body       []byte
	Attributes map[string]string
	Name       string // the form and the changes, for people
}

// Generator makes messages. Safe for concurrent use.
type Generator struct {
	seed    uint64
	forms   []form
	buckets []string
	keys    []string
}

// form is a documented event: JSON, parsed.
type form struct {
	name       string
	body       any
	attributes map[string]string
}

// New reads the events in a folder, such as adapters/events/testdata: NAME.json and, for
// some, NAME.attributes.json. The messages name the buckets and keys, among others.
func New(seed uint64, folder string, buckets, keys []string) (*Generator, error) {
	g := &Generator{seed: seed, buckets: buckets, keys: keys}
	paths, err := filepath.Glob(filepath.Join(folder, "*.json"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		if strings.HasSuffix(name, ".attributes") {
			continue
		}
		f := form{name: name}
		if err := read(path, &f.body); err != nil {
			return nil, err
		}
		if err := read(filepath.Join(folder, name+".attributes.json"), &f.attributes); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		g.forms = append(g.forms, f)
	}
	if len(g.forms) == 0 {
		return nil, fmt.Errorf("there are no events in %s", folder)
	}
	return g, nil
}

func read(path string, v any) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// Message returns the message of a number.
func (g *Generator) Message(number uint64) Message {
	m := &mutation{Rand: rand.New(rand.NewPCG(g.seed, number)), g: g}
	f := g.forms[m.IntN(len(g.forms))]
	m.did("%s", f.name)
	body := m.aimed(clone(f.body))
	attributes := maps.Clone(f.attributes)
	for range m.IntN(3) {
		body = m.tree(body)
	}
	for name := range attributes {
		attributes[name] = m.aimed(attributes[name]).(string)
	}
	text := []byte(encode(body))
	text = m.wrapped(text)
	for range max(m.IntN(6)-3, 0) {
		text = m.bytes(text)
	}
	if m.IntN(40) == 0 {
		text = m.costly()
	}
	if attributes != nil || m.IntN(10) == 0 {
		attributes = m.attributes(attributes)
	}
	return Message{Body: text, Attributes: attributes, Name: strings.Join(m.done, ", ")}
}

// mutation is the making of one message.
type mutation struct {
	*rand.Rand
	g    *Generator
	done []string
}

func (m *mutation) did(format string, args ...any) {
	m.done = append(m.done, fmt.Sprintf(format, args...))
}

func pick[T any](m *mutation, of []T) T { return of[m.IntN(len(of))] }

// aimed replaces the names of buckets and objects of the documented events by those of the
// generator, so that the event asks for work, and some keys by trouble.
func (m *mutation) aimed(v any) any {
	bucket, key := pick(m, m.g.buckets), pick(m, m.g.keys)
	if m.IntN(3) == 0 {
		key = m.text()
		m.did("key %.40q", key)
	}
	var walk func(v any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for _, name := range slices.Sorted(maps.Keys(v)) {
				_, text := v[name].(string)
				switch {
				case text && (name == "bucketName" || name == "bucketId"):
					v[name] = bucket
				case text && (name == "key" || name == "objectId"):
					v[name] = key
				case text && name == "subject":
					v[name] = "/blobServices/default/containers/" + bucket + "/blobs/" + key
				case name == "bucket" && !text:
					v[name] = map[string]any{"name": bucket}
				case text && name == "Message":
					var inner any
					if json.Unmarshal([]byte(v[name].(string)), &inner) == nil {
						v[name] = encode(walk(inner))
					}
				default:
					v[name] = walk(v[name])
				}
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		}
		return v
	}
	return walk(v)
}

// wrapped puts the message into envelopes, now and then into more than any sender does.
func (m *mutation) wrapped(body []byte) []byte {
	n := 0
	if m.IntN(6) == 0 {
		n = 1 + m.IntN(6)
	}
	for range n {
		text := strings.ToValidUTF8(string(body), "\uFFFD")
		switch kind := m.IntN(4); kind {
		case 0:
			body = []byte(encode(map[string]any{"Type": "Notification", "MessageId": "1", "Message": text}))
			m.did("in SNS")
		case 1:
			body = []byte(encode(map[string]any{"message": map[string]any{
				"attributes": map[string]any{"eventType": "OBJECT_FINALIZE"}, "data": base64.StdEncoding.EncodeToString(body)}}))
			m.did("in Pub/Sub")
		case 2:
			body = []byte(`{"detail-type":"Object Created","source":"aws.s3","detail":` + string(body) + `}`)
			m.did("in EventBridge")
		default:
			body = []byte("[" + string(body) + "]")
			m.did("in a list")
		}
	}
	return body
}

// attributes changes attributes, or adds those of other forms and of the pipeline itself.
func (m *mutation) attributes(from map[string]string) map[string]string {
	attributes := maps.Clone(from)
	if attributes == nil {
		attributes = make(map[string]string)
	}
	for range m.IntN(4) {
		name := pick(m, []string{"eventType", "bucketId", "objectId", "objectGeneration", "payloadFormat", "eventTime", "overwrittenByGeneration",
			"traceparent", "tracestate", "attempt", "slice", "slice_progress", "reason_poisoned", "ce-type", "ce-specversion", "content-type", "Content-Encoding", ""})
		attributes[name] = m.text()
		m.did("attribute %s", name)
	}
	return attributes
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		c := make(map[string]any, len(v))
		for name, value := range v {
			c[name] = clone(value)
		}
		return c
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = clone(v[i])
		}
		return c
	}
	return v
}
