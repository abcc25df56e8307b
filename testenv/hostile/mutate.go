package hostile

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// raw is JSON text, also invalid one, that encode writes as it is.
type raw string

// encode is json.Marshal for trees with raw values.
func encode(v any) string {
	switch v := v.(type) {
	case raw:
		return string(v)
	case map[string]any:
		var b strings.Builder
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(encode(name) + ":" + encode(v[name]))
		}
		return "{" + b.String() + "}"
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = encode(v[i])
		}
		return "[" + strings.Join(parts, ",") + "]"
	default:
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // cannot happen: strings, numbers, booleans and null
		}
		return string(text)
	}
}

// tree changes one value somewhere in the tree.
func (m *mutation) tree(v any) any {
	switch t := v.(type) {
	case map[string]any:
		if len(t) == 0 || m.IntN(12) == 0 {
			break
		}
		name := pick(m, slices.Sorted(maps.Keys(t)))
		// Most changes are to be where the decoders look.
		for _, inner := range []string{"Records", "detail", "s3", "object", "bucket", "data", "requestParameters", "resources"} {
			if _, ok := t[inner]; ok && m.IntN(3) > 0 {
				name = inner
				break
			}
		}
		switch m.IntN(20) {
		case 0:
			delete(t, name)
			m.did("without %s", name)
		case 1:
			t[strings.ToUpper(name)] = clone(t[name])
			m.did("%s twice, in capitals", name)
		case 2:
			t[name] = raw(encode(t[name]) + "," + encode(name) + ":" + encode(m.value(t[name])))
			m.did("%s twice", name)
		default:
			m.did(".%s", name)
			t[name] = m.tree(t[name])
		}
		return t
	case []any:
		if len(t) == 0 || m.IntN(8) == 0 {
			break
		}
		i := m.IntN(len(t))
		if m.IntN(4) == 0 {
			n := 1 + m.IntN(30)
			m.did("item %d %d times", i, n)
			for range n {
				t = append(t, clone(t[i]))
			}
		}
		t[i] = m.tree(t[i])
		return t
	}
	changed := m.value(v)
	m.did("is %.40q", encode(changed))
	return changed
}

// value returns another value for one.
func (m *mutation) value(v any) any {
	switch m.IntN(10) {
	case 0: // a number as a string, and the reverse
		if text, ok := v.(string); ok {
			return raw(fmt.Sprint(len(text)))
		}
		return encode(v)
	case 1:
		return pick(m, []any{nil, true, false, "", []any{}, map[string]any{}, []any{nil}, map[string]any{"": nil}})
	case 2:
		return raw(pick(m, []string{"-1", "-0", "1.5", "1e400", "-9223372036854775809", "9223372036854775807", "18446744073709551616",
			strings.Repeat("9", 1+m.IntN(5000)), "1e-999999999", "0x10", "NaN", "01", "+1"}))
	case 3:
		depth := pick(m, []int{10, 1000, 9990, 10001, 100_000})
		open, shut := pick(m, []string{"[", `{"a":`}), "]"
		if open != "[" {
			shut = "}"
		}
		return raw(strings.Repeat(open, depth) + "1" + strings.Repeat(shut, depth))
	case 4:
		return raw(`"` + pick(m, []string{`\ud800`, `\udc00\ud800`, `\u0000`, `\u`, `\x`, "\x00", "\n", "\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80"}) + `"`)
	case 5:
		if text, ok := v.(string); ok {
			return text + m.text()
		}
	}
	return m.text()
}

// text returns a string that is trouble as a key, a bucket's name, a time, a number or an
// identifier.
func (m *mutation) text() string {
	key := pick(m, m.g.keys)
	switch m.IntN(6) {
	case 0:
		return pick(m, m.g.buckets)
	case 1:
		return key
	case 2:
		n := pick(m, []int{200, 1024, 1025, 2000, 4097, 70_000})
		return strings.Repeat(pick(m, []string{"a", "a/", "../", "é", "%2e", "💎", "\x00", "\"", "\n"}), n)[:n]
	}
	return pick(m, []string{
		"../canary/secret", "../../canary/secret", "a/../../canary/secret", "..", ".", "/", "//", "", " ", "/etc/passwd", "..\\..\\canary\\secret",
		"%2e%2e%2fcanary%2fsecret", "..%2fcanary%2fsecret", "%2e%2e/canary/secret", "/canary/secret", "canary/secret", "./" + key, key + "/", key + "/..", key + "/../" + key, "link/secret", "link",
		"a\x00b", "%00", key + "%00.md5", key + "\x00", "a\r\nX-Amz-Copy-Source: /canary/secret", "%0d%0aHost: x", "a\nb", "\x1b[31m", "\u202e", "\u2028", "\ufeff", "\uFFFD",
		"%", "%zz", "%ff", "%c0%af", "+", "a+b%20c", "100%", "a?versionId=1", "a#b", "a&acl", "?list-type=2", "*", "~", "$HOME", "$(id)", "`id`", "-rf", "--help", "CON", "a:b", "|", "<script>",
		key + ".md5", key + ".md5.md5", ".md5", ".bucketsum", ".bucketsum/records/x", ".bucketsum/checkpoints/x", ".bucketsum/tmp", "a/.bucketsum/x", key + ".sha256",
		"s3://canary/secret", "file:///etc/passwd", "http://127.0.0.1:1/x", "http://169.254.169.254/latest/meta-data/", "arn:aws:s3:::canary/secret", "canary", "canary/", "photos/../canary", "photos%2f..%2fcanary", "PHOTOS", "photos.", "photos ",
		"null", "1", "-1", "0", "OBJECT_FINALIZE", "OBJECT_DELETE", "Object Deleted", "ObjectRemoved:Delete", "s3:TestEvent", "Microsoft.Storage.BlobDeleted", "Notification", "nats-global", "ceph:s3",
		"2026-13-45T99:99:99Z", "0000-00-00", "9999-12-31T23:59:60Z", "-292277022399-01-01T00:00:00Z", "1e9", "Infinity",
		`"d41d8cd98f00b204e9800998ecf8427e"`, "W/\"x\"", `""`, "*", "d41d8cd98f00b204e9800998ecf8427e-99999999999", "ffffffffffffffffffffffff", "0", "zz", "💎",
		"00-00000000000000000000000000000000-0000000000000000-00", "00-" + strings.Repeat("f", 32) + "-" + strings.Repeat("f", 16) + "-ff", "9999999/9999999", "-1/-1", "%d%s%n",
	})
}

// bytes changes the text.
func (m *mutation) bytes(b []byte) []byte {
	b = bytes.Clone(b)
	if len(b) == 0 {
		return b
	}
	i := m.IntN(len(b))
	switch m.IntN(10) {
	case 0, 1:
		m.did("bits flipped")
		for range 1 + m.IntN(4) {
			b[m.IntN(len(b))] ^= 1 << m.IntN(8)
		}
	case 2:
		m.did("cut at %d", i)
		b = b[:i]
	case 3:
		m.did("bytes at %d", i)
		b = slices.Insert(b, i, []byte(pick(m, []string{"\x00", "\xff", "\xc0\xaf", "\xef\xbb\xbf", "\r\n", "\"", "{", "]", ",", "\\", "\\u0000", "//x\n"}))...)
	case 4:
		j := i + m.IntN(len(b)-i)
		m.did("%d bytes twice", j-i)
		b = slices.Insert(b, i, b[i:j]...)
	case 5:
		j := i + m.IntN(len(b)-i)
		m.did("%d bytes left out", j-i)
		b = slices.Delete(b, i, j)
	case 6:
		if m.IntN(3) > 0 { // rarely, because nothing else is left of the message
			break
		}
		m.did("gzip")
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, _ = w.Write(b) // to memory
		_ = w.Close()
		b = zipped.Bytes()
	case 7:
		m.did("more text after it")
		b = append(b, pick(m, []string{" ", "\n{}", "x", "\x00"})...)
	case 8:
		m.did("spaces")
		b = append(bytes.Repeat([]byte(pick(m, []string{" ", "\n", "\x00", "\ufeff"})), 1+m.IntN(100)), b...)
	}
	return b
}

// costly returns a body that is made to cost time or memory. Some are larger than what is
// decoded.
func (m *mutation) costly() []byte {
	n := pick(m, []int{1000, 10_001, 100_000, 300_000, 1_000_000})
	item := pick(m, []string{"{}", "1", "null", "[]", `""`, `{"eventName":"x"}`, `{"eventName":"ObjectCreated:Put","s3":{}}`})
	n = min(n, 3<<20/(len(item)+1))
	list := strings.Repeat(item+",", n) + item
	m.done = []string{fmt.Sprintf("%d times %s", n+1, item)}
	switch m.IntN(5) {
	case 0:
		return []byte("[" + list + "]")
	case 1:
		return []byte(`{"Type":"Notification","Message":` + encode(`{"Records":[`+list+`]}`) + `}`)
	case 2:
		return []byte(strings.Repeat(item, n))
	case 3:
		return []byte("{" + strings.TrimSuffix(strings.Repeat(`"a":`+item+`,`, n), ",") + "}")
	}
	return []byte(`{"Records":[` + list + `]}`)
}
