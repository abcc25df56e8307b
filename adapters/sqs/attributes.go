package sqs

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
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
	// attributeRest holds the metadata that does not fit into attributes of its
	// own, as a JSON object of strings.
	attributeRest = "bucketsum.metadata"
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
	out := &types.Message{
		Attributes:        system,
		MessageAttributes: make(map[string]types.MessageAttributeValue),
	}
	if m.UUID != "" {
		out.MessageAttributes[watermillsqs.UUIDAttribute] = text(strings.ToValidUTF8(m.UUID, "\uFFFD"))
	}
	if body := string(m.Payload); body != "" && isText(body) {
		out.Body = &body
	} else {
		// The newline, which base64 does not have, is for SQS: it refuses an empty body.
		out.Body = aws.String(base64.StdEncoding.EncodeToString(m.Payload) + "\n")
		out.MessageAttributes[attributeBase64] = text("true")
	}
	return out, fold(metadata, out.MessageAttributes)
}

// fold adds the metadata to the attributes.
func fold(metadata map[string]string, attributes map[string]types.MessageAttributeValue) error {
	var plain []string
	rest := make(map[string]string)
	for k, v := range metadata {
		v = strings.ToValidUTF8(v, "\uFFFD")
		if v == "" || !isText(v) || !isAttributeName(k) {
			rest[strings.ToValidUTF8(k, "\uFFFD")] = v
			continue
		}
		plain = append(plain, k)
	}
	slices.SortFunc(plain, func(a, b string) int {
		if fa, fb := slices.Contains(first, a), slices.Contains(first, b); fa != fb {
			if fa {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	free := maxAttributes - len(attributes)
	if len(rest) > 0 || len(plain) > free {
		free--
	}
	for i, k := range plain {
		v := strings.ToValidUTF8(metadata[k], "\uFFFD")
		if i < free {
			attributes[k] = text(v)
		} else {
			rest[k] = v
		}
	}
	if len(rest) == 0 {
		return nil
	}
	encoded, err := json.Marshal(rest)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	// JSON may hold these two as they are, SQS may not.
	encodedText := strings.NewReplacer("\uFFFE", `\ufffe`, "\uFFFF", `\uffff`).Replace(string(encoded))
	attributes[attributeRest] = text(encodedText)
	return nil
}

// received returns the message that SQS delivered: its attributes are all text, and
// those that fold has put together are apart again.
func received(m *types.Message) *message.Message {
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
	out := message.NewMessage(cmp.Or(id, aws.ToString(m.MessageId)), []byte(aws.ToString(m.Body)))
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
	return len(s) <= 256 && attributeName.MatchString(s) && s != attributeRest &&
		!strings.HasPrefix(lower, "aws.") && !strings.HasPrefix(lower, "amazon.")
}
