package hostile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
)

// identity holds the fields of an event that only save work: an honest sender's tell which version of the object
// it is about. Their names are in lower case.
var identity = map[string]bool{
	"etag": true, "versionid": true, "version-id": true, "sequencer": true, "size": true, "contentlength": true, "generation": true, "deltasize": true,
	"id": true, "eventid": true, "reason": true, "configurationid": true, "request-id": true,
}

// Lies returns the event with lies about the version, the ETag, the sequencer and the size of its objects, and
// the names of the lies. If key is not empty, the objects get this key, spelled as it is or encoded as in a form:
// one of both is a lie. The rest stays as it is, so that the event still points to its objects. The body must be
// JSON; in one of S3's forms, or of those like it, each key is found. Equal seeds of rng give equal lies.
func Lies(rng *rand.Rand, body []byte, key string) (lying []byte, names string, err error) {
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return nil, "", fmt.Errorf("lies about an event: %w", err)
	}
	l := &liar{Rand: rng}
	if key != "" {
		l.spelled = []string{key, url.QueryEscape(key), strings.ReplaceAll(url.QueryEscape(key), "%2F", "/")}[rng.IntN(3)]
	}
	tree = l.walk(tree)
	return []byte(encode(tree)), strings.Join(l.did, ", "), nil
}

type liar struct {
	*rand.Rand
	spelled string // the key; empty: as it is
	did     []string
}

func (l *liar) walk(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = l.walk(v[i])
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value := v[name]
			text, isText := value.(string)
			switch {
			case identity[strings.ToLower(name)] && l.IntN(4) > 0:
				if lie := l.lie(fmt.Sprint(value)); lie == nil {
					delete(v, name)
				} else {
					v[name] = lie
				}
				l.did = append(l.did, fmt.Sprintf("%s is %.30q instead of %.30v", name, encode(v[name]), value))
			case isText && (name == "Message" || name == "body"): // wrapped
				var inner any
				if json.Unmarshal([]byte(text), &inner) == nil {
					v[name] = encode(l.walk(inner))
				}
			case isText && (name == "key" || name == "resourceName") && l.spelled != "":
				v[name] = l.spelled
				l.did = append(l.did, fmt.Sprintf("key is %q", l.spelled))
			default:
				v[name] = l.walk(value)
			}
		}
	}
	return v
}

// lie returns another value for one, or nil if it is to be left out.
func (l *liar) lie(value string) any {
	random := fmt.Sprintf("%016X", l.Uint64())
	all := []any{
		nil, raw("null"), "", "null", "1", raw("1"), raw("-1"), raw("0"), raw("1.5"), raw("1e400"), raw("true"), []any{}, map[string]any{"a": 1},
		value[:len(value)/2], strings.ToUpper(value), "&quot;" + value + "&quot;", `"` + value + `"`, `W/"` + value + `"`, value + "-1", " " + value, // cut and disguised
		"17F0" + random[4:], "0000" + random[4:], random, strings.ToLower(random), raw(fmt.Sprint(l.Uint64())), fmt.Sprint(l.Uint64()), // another store's
		"d41d8cd98f00b204e9800998ecf8427e", strings.Repeat("a", 1+l.IntN(3000)), strings.Repeat("9", 1+l.IntN(3000)), raw("9" + strings.Repeat("9", l.IntN(3000))),
		"\x00", "é💎", raw(`"\ud800"`), "../..", "%", "+", "<script>", "0x10", "NaN",
	}
	return all[l.IntN(len(all))]
}
