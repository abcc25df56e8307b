package sqs

import (
	"cmp"
	"encoding/base64"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	watermillsqs "github.com/ThreeDotsLabs/watermill-aws/sqs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/queue"
)

// Metadata of messages on FIFO queues; not sent as attributes.
const (
	// MetadataGroup is the message's group. Received messages have it, and a
	// dead letter or result keeps it.
	MetadataGroup = "MessageGroupId"
	// MetadataDeduplication identifies a message that is sent twice. Received
	// messages do not have it: a dead letter that fails a second time must not pass
	// for the first one.
	MetadataDeduplication = "MessageDeduplicationId"
)

// SuffixBinary ends the name that a binary attribute has in the metadata of a
// received message. The value there is the attribute's in base64, with padding.
const SuffixBinary = ".base64"

const (
	// attributeBase64 marks a body that is base64, as gocloud does.
	attributeBase64 = "base64encoded"

	maxAttributes = 10
)

// first are the attributes that operators look for; others are folded before them.
var first = []string{pipeline.MetadataReason, pipeline.MetadataAttempt}

// marshaler makes SQS's messages of Watermill's.
type marshaler struct{}

// Marshal returns the message with its metadata as attributes. SQS takes ten of
// them, with names of a restricted alphabet and values that are not empty; the rest
// goes together into one.
func (marshaler) Marshal(m *message.Message) (*types.Message, error) {
	metadata := maps.Clone(m.Metadata)
	system := make(map[string]string)
	for _, k := range []string{MetadataGroup, MetadataDeduplication} {
		if v := metadata[k]; v != "" {
			system[k] = v
		}
		delete(metadata, k)
	}
	// A message of others may have this metadata with a value that is no group for SQS.
	if tenant := metadata[pipeline.MetadataTenant]; pipeline.CheckPass(tenant) == nil {
		system[pipeline.MetadataTenant] = tenant
	}
	out := &types.Message{
		Attributes:        system,
		MessageAttributes: make(map[string]types.MessageAttributeValue),
	}
	switch id := strings.ToValidUTF8(m.UUID, "\uFFFD"); {
	case id == "":
	case isText(id):
		out.MessageAttributes[watermillsqs.UUIDAttribute] = text(id)
	default: // from a queue that takes any id
		if metadata == nil {
			metadata = make(map[string]string)
		}
		metadata[watermillsqs.UUIDAttribute] = id
	}
	if body := string(m.Payload); body != "" && isText(body) {
		out.Body = &body
	} else {
		// The newline, which base64 does not have, is for SQS: it refuses an empty body.
		out.Body = aws.String(base64.StdEncoding.EncodeToString(m.Payload) + "\n")
		out.MessageAttributes[attributeBase64] = text("true")
	}
	plain := plainNames(metadata, maxAttributes-len(out.MessageAttributes))
	for k, v := range queue.Fold("", metadata, func(k, _ string) bool { return plain[k] }) {
		out.MessageAttributes[k] = text(noncharacters.Replace(v))
	}
	return out, nil
}

// noncharacters escapes the two that JSON may hold as they are and SQS may not.
var noncharacters = strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`)

// plainNames returns the metadata that become attributes of their own, if there is
// room for so many attributes; the others share one.
func plainNames(metadata map[string]string, room int) map[string]bool {
	var names []string
	for k, v := range metadata {
		if v = strings.ToValidUTF8(v, "\uFFFD"); v != "" && isText(v) && isAttributeName(k) {
			names = append(names, k)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		switch fa, fb := slices.Contains(first, a), slices.Contains(first, b); {
		case fa == fb:
			return strings.Compare(a, b)
		case fa:
			return -1
		default:
			return 1
		}
	})
	if len(names) < len(metadata) || len(names) > room {
		names = names[:min(len(names), room-1)]
	}
	plain := make(map[string]bool, len(names))
	for _, k := range names {
		plain[k] = true
	}
	return plain
}

// received returns the message that SQS delivered with this body: its attributes are all text, and
// those that queue.Fold put together are apart again.
func received(m *types.Message, body []byte) *message.Message {
	attributes := make(map[string]string, len(m.MessageAttributes))
	for k, v := range m.MessageAttributes {
		if !strings.HasPrefix(aws.ToString(v.DataType), watermillsqs.AWSBinaryDataType) {
			attributes[k] = aws.ToString(v.StringValue) // whatever the sender calls its type
			continue
		}
		k += SuffixBinary
		if _, taken := m.MessageAttributes[k]; !taken {
			attributes[k] = base64.StdEncoding.EncodeToString(v.BinaryValue)
		}
	}
	id, metadata := queue.Unfold(attributes)
	if ours, named := metadata[watermillsqs.UUIDAttribute]; named {
		id = ours
		delete(metadata, watermillsqs.UUIDAttribute)
	}
	out := message.NewMessage(cmp.Or(id, aws.ToString(m.MessageId)), body)
	out.Metadata = metadata
	if _, encoded := metadata[attributeBase64]; encoded {
		if body, err := base64.StdEncoding.DecodeString(string(out.Payload)); err == nil {
			out.Payload = body
		}
		delete(metadata, attributeBase64)
	}
	if group := m.Attributes[MetadataGroup]; group != "" {
		metadata[MetadataGroup] = group
	}
	traced(metadata, m.Attributes)
	return out
}

// enveloped adds what gocloud has found in an SNS envelope.
func enveloped(m *message.Message, attributes map[string]string) {
	id, metadata := queue.Unfold(attributes)
	m.UUID = cmp.Or(id, m.UUID)
	maps.Copy(m.Metadata, metadata)
}

func text(v string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String(watermillsqs.AWSStringDataType), StringValue: &v}
}

// isText reports whether SQS can carry the string: it takes the characters of XML
// 1.0.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
	})
}

var attributeName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

func isAttributeName(s string) bool {
	lower := strings.ToLower(s)
	return len(s) <= 256 && attributeName.MatchString(s) &&
		!strings.HasPrefix(lower, "aws.") && !strings.HasPrefix(lower, "amazon.")
}
