package attestation

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// ParsePrivateKey reads an Ed25519 or ECDSA key (P-256, P-384) in PEM: PKCS #8, or SEC 1 as "openssl ecparam -genkey" writes
// it. Its errors do not quote the text.
func ParsePrivateKey(text []byte) (crypto.Signer, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch {
	case strings.HasPrefix(block.Type, "ENCRYPTED"), strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return nil, errors.New("the key is encrypted; write it without encryption where only this program reads it, for example with openssl pkey -in KEY -out PLAIN")
	case block.Type == "OPENSSH PRIVATE KEY":
		return nil, errors.New("the key has the form of OpenSSH; make one in PEM, for example with openssl genpkey -algorithm ed25519")
	case strings.HasSuffix(block.Type, "PUBLIC KEY"):
		return nil, errors.New("it is a public key; signing needs the private one")
	case block.Type == "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case block.Type == "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("a %.40q is neither an Ed25519 nor an ECDSA key", block.Type)
	}
	if err != nil {
		return nil, errors.New("the PEM block is damaged, or a key of another kind than Ed25519 and ECDSA")
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errOtherKey
	}
	_, err = hashOf(signer.Public())
	return signer, err
}

// ParsePublicKey reads an Ed25519 or ECDSA key (P-256, P-384) in PEM, as "openssl pkey -pubout" writes it.
func ParsePublicKey(text []byte) (crypto.PublicKey, error) {
	block, err := keyBlock(text)
	if err != nil {
		return nil, err
	}
	if block.Type != "PUBLIC KEY" {
		return nil, fmt.Errorf("a %.40q is not a public key; openssl pkey -in KEY -pubout prints that of a private key", block.Type)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, errors.New("the PEM block is damaged, or a key of another kind than Ed25519 and ECDSA")
	}
	_, err = hashOf(key)
	return key, err
}

// keyBlock returns the first block that is not the parameters before an EC key.
func keyBlock(text []byte) (*pem.Block, error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			return nil, errors.New("it has no key in PEM, which begins with -----BEGIN")
		}
		if block.Type != "EC PARAMETERS" {
			return block, nil
		}
		text = rest
	}
}

var errOtherKey = errors.New("it is neither an Ed25519 key nor an ECDSA key of P-256 or P-384")

// hashOf returns the hash that a key signs; 0: the message itself. Verifiers expect the hash with the strength of the curve.
func hashOf(key crypto.PublicKey) (crypto.Hash, error) {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return 0, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return crypto.SHA256, nil
		case elliptic.P384():
			return crypto.SHA384, nil
		}
	}
	return 0, errOtherKey
}

func sign(key crypto.Signer, message []byte) ([]byte, error) {
	hash, err := hashOf(key.Public())
	if err != nil {
		return nil, err
	}
	return key.Sign(rand.Reader, hashed(hash, message), hash)
}

func verify(key crypto.PublicKey, message, signature []byte) bool {
	hash, err := hashOf(key)
	if err != nil {
		return false
	}
	switch k := key.(type) {
	case ed25519.PublicKey:
		return ed25519.Verify(k, message, signature)
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, hashed(hash, message), signature)
	}
	return false
}

func hashed(h crypto.Hash, message []byte) []byte {
	if h == 0 {
		return message
	}
	d := h.New()
	d.Write(message) //nolint:errcheck // a hash never fails
	return d.Sum(nil)
}
