package sqs

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	watermillsqs "github.com/ThreeDotsLabs/watermill-aws/sqs"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Metadata of messages on FIFO queues; not sent as attributes.
const (
	// MetadataGroup is the message's group. Received messages have it, and a
	// dead letter or result keeps it.
	MetadataGroup = "MessageGroupId"
	// MetadataDeduplication is by what the queue recognises a message that is
	// sent twice. Received messages do not have it: a dead letter that dies
	// again must not pass for the one before.
	MetadataDeduplication = "MessageDeduplicationId"
)

// SuffixBinary is what the name of a binary attribute gets in the metadata of a
// received message, whose value is the attribute's in base64 (with padding).
const SuffixBinary = ".base64"

const (
	// attributeRest holds the metadata that does not fit into attributes of its
	// own, as a JSON object of strings.
	attributeRest = "bucketsum.metadata"
	// attributeUUID is the message's UUID as it comes through gocloud.
	// watermill-aws has another name for it, which is the one that is sent.
	attributeUUID = "watermill_message_uuid"
	// attributeBase64 marks a body that is base64, as gocloud does.
	attributeBase64 = "base64encoded"

	maxAttributes = 10
)

// first are the attributes that people look for; they are not folded before others.
var first = []string{pipeline.MetadataReason, pipeline.MetadataAttempt}

// marshaler translates between Watermill's messages and SQS's.
type marshaler struct{}

// Marshal returns the message with its metadata as attributes. SQS takes ten of
// them, with names of few characters and values that are not empty; the rest
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
		// The newline, which is no part of base64, is for SQS: it takes no empty body.
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

// normalized returns the attributes of a received message as all our readers
// know them: all text, and what fold has put together is apart again.
func normalized(attributes map[string]types.MessageAttributeValue) map[string]types.MessageAttributeValue {
	out := make(map[string]types.MessageAttributeValue, len(attributes))
	for k, v := range attributes {
		if !strings.HasPrefix(aws.ToString(v.DataType), watermillsqs.AWSBinaryDataType) {
			out[k] = text(aws.ToString(v.StringValue)) // whatever the sender calls its type
			continue
		}
		k += SuffixBinary
		if _, taken := attributes[k]; !taken {
			out[k] = text(base64.StdEncoding.EncodeToString(v.BinaryValue))
		}
	}
	if rest, folded := unfold(aws.ToString(out[attributeRest].StringValue)); folded {
		delete(out, attributeRest)
		for k, v := range rest {
			out[k] = text(v)
		}
	}
	if id, named := out[watermillsqs.UUIDAttribute]; named {
		delete(out, watermillsqs.UUIDAttribute)
		out[attributeUUID] = id
	}
	return out
}

// escaped returns the attributes so that gocloud, which takes every sender for
// one of its own and unescapes names and values, makes them what they are.
func escaped(attributes map[string]types.MessageAttributeValue) map[string]types.MessageAttributeValue {
	out := make(map[string]types.MessageAttributeValue, len(attributes))
	for k, v := range attributes {
		// gocloud takes __0x5f__ for an underscore, and what follows no more for an escape.
		out[strings.ReplaceAll(k, "__0x", "__0x5f___0x")] = text(url.PathEscape(aws.ToString(v.StringValue)))
	}
	return out
}

// unfold returns the metadata that fold has put together.
func unfold(s string) (map[string]string, bool) {
	var rest map[string]string
	if s == "" || json.Unmarshal([]byte(s), &rest) != nil {
		return nil, false
	}
	return rest, true
}

// Unmarshal returns the message that SQS delivered, after normalized.
func (marshaler) Unmarshal(m *types.Message) (*message.Message, error) {
	out, err := watermillsqs.DefaultMarshalerUnmarshaler{}.Unmarshal(m)
	if err != nil {
		return nil, err
	}
	if id := out.Metadata.Get(attributeUUID); id != "" {
		out.UUID = id
		delete(out.Metadata, attributeUUID)
	}
	if out.Metadata.Get(attributeBase64) != "" {
		if body, err := base64.StdEncoding.DecodeString(string(out.Payload)); err == nil {
			out.Payload = body
		}
		delete(out.Metadata, attributeBase64)
	}
	if group := m.Attributes[MetadataGroup]; group != "" {
		out.Metadata.Set(MetadataGroup, group)
	}
	return out, nil
}

func text(v string) types.MessageAttributeValue {
	return types.MessageAttributeValue{DataType: aws.String(watermillsqs.AWSStringDataType), StringValue: &v}
}

// isText reports whether SQS can carry the string: the characters of XML 1.0.
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
