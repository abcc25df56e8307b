package attestation

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// payloadType is that of in-toto statements in envelopes.
const payloadType = "application/vnd.in-toto+json"

// MaxEnvelope is the size of the largest envelope that is read, in bytes.
const MaxEnvelope = 1 << 20

// envelope is that of DSSE.
type envelope struct {
	PayloadType string      `json:"payloadType"`
	Payload     string      `json:"payload"` // base64
	Signatures  []signature `json:"signatures"`
}

type signature struct {
	// KeyID is a hint, and programs differ on how it is made. They all try an empty one; some need the member.
	KeyID string `json:"keyid"`
	Sig   string `json:"sig"` // base64
}

// Sign returns a statement in an envelope as one line of JSON. It sets the types of the statement.
func Sign(s Statement, key crypto.Signer) ([]byte, error) {
	s.Type, s.PredicateType = StatementType, PredicateType
	payload, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode the statement: %w", err)
	}
	sig, err := sign(key, encoding(payloadType, payload))
	if err != nil {
		return nil, fmt.Errorf("sign the statement: %w", err)
	}
	line, err := json.Marshal(envelope{payloadType, base64.StdEncoding.EncodeToString(payload), []signature{{Sig: base64.StdEncoding.EncodeToString(sig)}}})
	if err != nil {
		return nil, fmt.Errorf("encode the envelope: %w", err)
	}
	return append(line, '\n'), nil
}

// ErrSignature means that no signature of an envelope is of the key.
var ErrSignature = errors.New("no signature of this key fits the statement: it was signed with another key, or changed since")

// Verify returns the statement of an envelope that the key has signed. Only with a nil error may the statement be believed.
// The caller compares its files. Errors: ErrSignature, and others that say what is wrong with the envelope.
func Verify(line []byte, key crypto.PublicKey) (Statement, error) {
	if len(line) > MaxEnvelope {
		return Statement{}, fmt.Errorf("the envelope is larger than %d bytes", MaxEnvelope)
	}
	var e envelope
	if err := json.Unmarshal(line, &e); err != nil {
		return Statement{}, errors.New("it is not a DSSE envelope in JSON")
	}
	if e.PayloadType != payloadType {
		return Statement{}, fmt.Errorf("it is not an envelope of an in-toto statement: its payloadType is %.100q", e.PayloadType)
	}
	payload, err := decode(e.Payload)
	if err != nil {
		return Statement{}, errors.New("the payload of the envelope is not base64")
	}
	message := encoding(e.PayloadType, payload)
	for _, s := range e.Signatures {
		if sig, err := decode(s.Sig); err == nil && verify(key, message, sig) {
			return parse(payload)
		}
	}
	return Statement{}, ErrSignature
}

// encoding is the pre-authentication encoding of DSSE: what is signed.
func encoding(kind string, payload []byte) []byte {
	return append(fmt.Appendf(nil, "DSSEv1 %d %s %d ", len(kind), kind, len(payload)), payload...)
}

// decode reads both alphabets of base64, as DSSE demands.
func decode(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(s))
}
