package queue

import (
	"cmp"
	"encoding/json"
	"maps"
	"strings"

	"github.com/ThreeDotsLabs/watermill/message"
)

// metadataRest names the metadata that holds the ones that a queue cannot carry as
// they are, as a JSON object of strings.
const metadataRest = "bucketsum.metadata"

// Fold returns metadata and UUID in a form that a queue can carry: the pairs that
// carry accepts stay as they are, and the rest goes together under one name.
func Fold(id string, metadata map[string]string, carry func(name, value string) bool) map[string]string {
	all := maps.Clone(metadata)
	if all == nil {
		all = make(map[string]string)
	}
	if id != "" {
		all[MetadataUUID] = id
	}
	out, rest := make(map[string]string), make(map[string]string)
	for k, v := range all {
		// A reason may quote a file name that is not UTF-8.
		k, v = strings.ToValidUTF8(k, "\uFFFD"), strings.ToValidUTF8(v, "\uFFFD")
		if k != metadataRest && carry(k, v) {
			out[k] = v
		} else {
			rest[k] = v
		}
	}
	if len(rest) > 0 {
		encoded, _ := json.Marshal(rest) // strings cannot fail
		out[metadataRest] = string(encoded)
	}
	return out
}

// Received returns the message with this body and with metadata in the form of Fold. The
// id is for messages whose sender gave none.
func Received(id string, body []byte, carried map[string]string) *message.Message {
	sent, metadata := Unfold(carried)
	m := message.NewMessage(cmp.Or(sent, id), body)
	m.Metadata = metadata
	return m
}

// Unfold is the inverse of Fold. It also takes metadata that were not folded.
func Unfold(carried map[string]string) (id string, metadata map[string]string) {
	metadata = make(map[string]string, len(carried))
	maps.Copy(metadata, carried)
	var rest map[string]string
	if json.Unmarshal([]byte(carried[metadataRest]), &rest) == nil {
		delete(metadata, metadataRest)
		maps.Copy(metadata, rest)
	}
	id = metadata[MetadataUUID]
	delete(metadata, MetadataUUID)
	return id, metadata
}
