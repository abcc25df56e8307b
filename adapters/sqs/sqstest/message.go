package sqstest

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// message is one message of a queue. Server.mu guards it.
type message struct {
	id         string
	body       string
	attributes map[string]attribute
	system     map[string]string // AWSTraceHeader, MessageGroupId, …
	group      string
	sentAt     time.Time

	visibleAt     time.Time
	receives      int
	firstReceived time.Time
	lastReceived  time.Time
}

func (m *message) visible(now time.Time) bool  { return !now.Before(m.visibleAt) }
func (m *message) inFlight(now time.Time) bool { return m.receives > 0 && !m.visible(now) }

// attribute is a message attribute.
type attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"` // base64 on the wire
}

// checkContent checks a message as SQS does.
func (q *queue) checkContent(e entry) error {
	if e.MessageBody == "" {
		return refuse("MissingParameter", "The request must contain the parameter MessageBody.")
	}
	if !isText(e.MessageBody) {
		return refuse("InvalidMessageContents", "Invalid binary character was found in the message body.")
	}
	if len(e.MessageAttributes) > 10 {
		return invalid("Number of message attributes [%d] exceeds the allowed maximum [10].", len(e.MessageAttributes))
	}
	size := len(e.MessageBody)
	for name, a := range e.MessageAttributes {
		if err := checkAttribute(name, a); err != nil {
			return err
		}
		size += len(name) + len(a.DataType) + len(a.BinaryValue)
		if a.StringValue != nil {
			size += len(*a.StringValue)
		}
	}
	if max := q.number("MaximumMessageSize"); size > max {
		return invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", max)
	}
	return nil
}

func checkAttribute(name string, a attribute) error {
	bad := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_' || r == '.')
	}
	lower := strings.ToLower(name)
	if name == "" || len(name) > 256 || strings.ContainsFunc(name, bad) || strings.Contains(name, "..") || name[0] == '.' ||
		strings.HasSuffix(name, ".") || strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
		return invalid("The message attribute name '%s' is invalid.", name)
	}
	kind, _, _ := strings.Cut(a.DataType, ".")
	switch kind {
	case "String", "Number":
		if a.StringValue == nil || *a.StringValue == "" {
			return invalid("The message attribute '%s' must contain a non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
		}
		if !isText(*a.StringValue) {
			return invalid("Invalid binary character was found in the message attribute '%s'.", name)
		}
	case "Binary":
		if len(a.BinaryValue) == 0 {
			return invalid("The message attribute '%s' must contain a non-empty message attribute value for message attribute type '%s'.", name, a.DataType)
		}
	default:
		return invalid("The type of message attribute '%s' is invalid. You must use only the following supported type prefixes: Binary, Number, String.", name)
	}
	return nil
}

// isText reports whether SQS can carry the string: it takes the characters of XML
// 1.0.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

func hexMD5(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// attributesMD5 is the digest that SQS documents for message attributes; "" if
// there are none.
func attributesMD5(attributes map[string]attribute) string {
	if len(attributes) == 0 {
		return ""
	}
	h := md5.New()
	sized := func(b []byte) {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		sized([]byte(name))
		sized([]byte(a.DataType))
		if strings.HasPrefix(a.DataType, "Binary") {
			h.Write([]byte{2})
			sized(a.BinaryValue)
		} else {
			h.Write([]byte{1})
			sized([]byte(*a.StringValue))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// handle is the receipt of the latest receive of the message.
func (q *queue) handle(m *message) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%d %s %d", q.generation, m.id, m.receives))
}

// byHandle returns the message of a receipt handle, nil if it is deleted, and whether
// the handle is of its latest receive. A handle that this queue never returned is an
// error.
func (q *queue) byHandle(handle string) (m *message, latest bool, err error) {
	unknown := refuse("ReceiptHandleIsInvalid", "The input receipt handle %q is not a valid receipt handle.", handle)
	raw, err := base64.StdEncoding.DecodeString(handle)
	if err != nil {
		return nil, false, unknown
	}
	var (
		generation, receive int
		id                  string
	)
	if _, err := fmt.Sscanf(string(raw), "%d %s %d", &generation, &id, &receive); err != nil || generation != q.generation {
		return nil, false, unknown
	}
	for _, m := range q.messages {
		if m.id == id {
			return m, m.receives == receive, nil
		}
	}
	return nil, false, nil
}

// received is a message as a consumer gets it.
type received struct {
	MessageId              string
	ReceiptHandle          string
	Body                   string
	MD5OfBody              string
	Attributes             map[string]string    `json:",omitempty"`
	MessageAttributes      map[string]attribute `json:",omitempty"`
	MD5OfMessageAttributes string               `json:",omitempty"`
}

func (q *queue) received(m *message, in request) received {
	r := received{
		MessageId: m.id, ReceiptHandle: q.handle(m), Body: m.body, MD5OfBody: hexMD5(m.body),
		Attributes: make(map[string]string), MessageAttributes: make(map[string]attribute),
	}
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	system := map[string]string{
		"SenderId":                         account,
		"SentTimestamp":                    millis(m.sentAt),
		"ApproximateReceiveCount":          strconv.Itoa(m.receives),
		"ApproximateFirstReceiveTimestamp": millis(m.firstReceived),
	}
	maps.Copy(system, m.system)
	for _, name := range slices.Concat(in.AttributeNames, in.MessageSystemAttributeNames) {
		if name == "All" {
			r.Attributes = system
			break
		}
		if v, ok := system[name]; ok {
			r.Attributes[name] = v
		}
	}
	for name, a := range m.attributes {
		wanted := func(pattern string) bool {
			prefix, all := strings.CutSuffix(pattern, ".*")
			return pattern == "All" || pattern == name || all && strings.HasPrefix(name, prefix)
		}
		if slices.ContainsFunc(in.MessageAttributeNames, wanted) {
			r.MessageAttributes[name] = a
		}
	}
	r.MD5OfMessageAttributes = attributesMD5(r.MessageAttributes)
	return r
}
