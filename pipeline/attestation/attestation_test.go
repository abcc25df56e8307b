package attestation_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/bucketsum/bucketsum/pipeline/attestation"
)

// openssl runs a command of OpenSSL in a folder. Without OpenSSL the test is skipped, except in CI, where it fails.
func openssl(t *testing.T, dir string, args ...string) {
	t.Helper()
	path, err := exec.LookPath("openssl")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is needed: ", err)
		}
		t.Skip("no openssl to make keys with: ", err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("openssl %v: %v\n%s", args, err, out)
	}
}

// keys makes a pair of keys, and returns both in PEM.
func keys(t *testing.T, generate ...string) (private, public []byte) {
	t.Helper()
	dir := t.TempDir()
	openssl(t, dir, append(generate, "-out", "key")...)
	openssl(t, dir, "pkey", "-in", "key", "-pubout", "-out", "pub")
	return file(t, dir, "key"), file(t, dir, "pub")
}

func file(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var kinds = []struct {
	name     string
	generate []string
}{
	{"Ed25519", []string{"genpkey", "-algorithm", "ed25519"}},
	{"P-256", []string{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"}},
	{"P-384", []string{"genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"}},
	{"P-256 in SEC 1, behind its parameters", []string{"ecparam", "-name", "prime256v1", "-genkey"}},
}

var statement = attestation.Statement{
	Subject: []attestation.File{{Name: "manifest-md5.txt", Digest: map[string]string{"sha256": strings.Repeat("ab", 32)}}},
	Predicate: attestation.Predicate{
		Bucket: "photos", Prefix: "2026/", Format: "bagit", Algorithms: []string{"md5"}, Objects: 3, Bytes: 7, LeftOut: 1,
		CreatedOn: time.Date(2026, 11, 30, 14, 0, 0, 0, time.UTC), Generator: attestation.Generator{ID: "https://github.com/bucketsum/bucketsum", Version: "v1"},
	},
}

func sign(t *testing.T, private []byte) []byte {
	t.Helper()
	key, err := attestation.ParsePrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	line, err := attestation.Sign(statement, key)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func verify(line, public []byte) (attestation.Statement, error) {
	key, err := attestation.ParsePublicKey(public)
	if err != nil {
		return attestation.Statement{}, err
	}
	return attestation.Verify(line, key)
}

// TestOthersAccept: libraries that are not ours accept the signature and the statement.
func TestOthersAccept(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			private, public := keys(t, kind.generate...)
			line := sign(t, private)

			key, err := signerverifier.LoadKey(public)
			if err != nil {
				t.Fatal(err)
			}
			var verifier dsse.Verifier
			if kind.name == "Ed25519" {
				verifier, err = signerverifier.NewED25519SignerVerifierFromSSLibKey(key)
			} else {
				verifier, err = signerverifier.NewECDSASignerVerifierFromSSLibKey(key)
			}
			if err != nil {
				t.Fatal(err)
			}
			envelopes, err := dsse.NewEnvelopeVerifier(verifier)
			if err != nil {
				t.Fatal(err)
			}
			var envelope dsse.Envelope
			if err := json.Unmarshal(line, &envelope); err != nil {
				t.Fatal(err)
			}
			if _, err := envelopes.Verify(t.Context(), &envelope); err != nil {
				t.Errorf("securesystemslib: %v", err)
			}
			payload, err := envelope.DecodeB64Payload()
			if err != nil {
				t.Fatal(err)
			}
			var read intoto.Statement
			if err := protojson.Unmarshal(payload, &read); err != nil {
				t.Fatal(err)
			}
			if err := read.Validate(); err != nil {
				t.Errorf("in-toto: %v", err)
			}
			if s := read.GetSubject(); len(s) != 1 || s[0].GetName() != "manifest-md5.txt" || s[0].GetDigest()["sha256"] == "" {
				t.Errorf("the subject is %v", s)
			}

			envelope.Payload = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(payload), "photos", "phates", 1)))
			if _, err := envelopes.Verify(t.Context(), &envelope); err == nil {
				t.Error("securesystemslib accepts a changed statement, so that this test shows nothing")
			}
		})
	}
}

// TestAcceptsOthers: a signature that another library made is verified.
func TestAcceptsOthers(t *testing.T) {
	private, public := keys(t, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
	key, err := signerverifier.LoadKey(private)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signerverifier.NewECDSASignerVerifierFromSSLibKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signers, err := dsse.NewEnvelopeSigner(signer)
	if err != nil {
		t.Fatal(err)
	}
	want := statement
	want.Type, want.PredicateType = attestation.StatementType, attestation.PredicateType
	payload, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := signers.SignPayload(t.Context(), "application/vnd.in-toto+json", payload)
	if err != nil {
		t.Fatal(err)
	}
	line, err := json.Marshal(envelope)
	if err != nil {
		t.Fatal(err)
	}
	got, err := verify(line, public)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v, diff:\n%s", err, diff)
	}
}

func TestVerify(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			private, public := keys(t, kind.generate...)
			_, other := keys(t, kind.generate...)
			line := sign(t, private)
			want := statement
			want.Type, want.PredicateType = attestation.StatementType, attestation.PredicateType
			got, err := verify(line, public)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("error %v, diff:\n%s", err, diff)
			}
			if _, err := verify(line, other); !errors.Is(err, attestation.ErrSignature) {
				t.Errorf("with another key: %v", err)
			}
			var envelope map[string]any
			if err := json.Unmarshal(line, &envelope); err != nil {
				t.Fatal(err)
			}
			payload, err := base64.StdEncoding.DecodeString(envelope["payload"].(string))
			if err != nil {
				t.Fatal(err)
			}
			envelope["payload"] = base64.StdEncoding.EncodeToString([]byte(strings.Replace(string(payload), `"objects":3`, `"objects":4`, 1)))
			changed, err := json.Marshal(envelope)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verify(changed, public); !errors.Is(err, attestation.ErrSignature) {
				t.Errorf("a changed statement: %v", err)
			}
			urlSafe := strings.NewReplacer("+", "-", "/", "_").Replace(string(line[strings.Index(string(line), `"payload":`):]))
			if _, err := verify([]byte(string(line[:strings.Index(string(line), `"payload":`)])+urlSafe), public); err != nil {
				t.Errorf("in the other alphabet of base64: %v", err)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	_, public := keys(t, "genpkey", "-algorithm", "ed25519")
	for _, test := range []struct{ line, err string }{
		{"", "not a DSSE envelope"},
		{"[]", "not a DSSE envelope"},
		{`{"payloadType":"text/plain"}`, "not an envelope of an in-toto statement"},
		{`{"payloadType":"application/vnd.in-toto+json","payload":"*"}`, "not base64"},
		{`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[]}`, "no signature"},
		{`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":""},{"sig":"*"},{"sig":"AAAA"}]}`, "no signature"},
		{strings.Repeat(" ", attestation.MaxEnvelope) + "{}", "larger than"},
	} {
		if _, err := verify([]byte(test.line), public); err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%.80q: %v, want %q", test.line, err, test.err)
		}
	}
}

// TestSignedNonsense: even with a right signature, a statement about something else is none about a manifest.
func TestSignedNonsense(t *testing.T) {
	private, public := keys(t, "genpkey", "-algorithm", "ed25519")
	key, err := signerverifier.LoadKey(private)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := signerverifier.NewED25519SignerVerifierFromSSLibKey(key)
	if err != nil {
		t.Fatal(err)
	}
	signers, err := dsse.NewEnvelopeSigner(signer)
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://github.com/bucketsum/bucketsum/manifest/v1"`
	for payload, want := range map[string]string{
		`x`:  "is not JSON",
		`{}`: "has the type",
		`{"_type":"https://in-toto.io/Statement/v1","predicateType":"https://slsa.dev/provenance/v1"}`: "not about a manifest",
		head + `}`: "names no file",
		head + `,"subject":[{"name":"a","digest":{"md5":"00"}}]}`:   "no sha256",
		head + `,"subject":[{"name":"","digest":{"sha256":"00"}}]}`: "no name",
	} {
		envelope, err := signers.SignPayload(t.Context(), "application/vnd.in-toto+json", []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		line, err := json.Marshal(envelope)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify(line, public); err == nil || errors.Is(err, attestation.ErrSignature) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", payload, err, want)
		}
	}
}

// TestKeysThatAreRefused: each with a sentence that says what to do, and without a part of the key.
func TestKeysThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	openssl(t, dir, "genpkey", "-algorithm", "ed25519", "-out", "plain")
	openssl(t, dir, "pkey", "-in", "plain", "-pubout", "-out", "pub")
	openssl(t, dir, "pkey", "-in", "plain", "-aes256", "-passout", "pass:secret", "-out", "pkcs8-encrypted")
	openssl(t, dir, "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024", "-out", "rsa")
	openssl(t, dir, "pkey", "-in", "rsa", "-pubout", "-out", "rsa-pub")
	openssl(t, dir, "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521", "-out", "p521")
	openssl(t, dir, "ecparam", "-name", "prime256v1", "-genkey", "-out", "sec1")
	openssl(t, dir, "ec", "-in", "sec1", "-aes256", "-passout", "pass:secret", "-out", "sec1-encrypted")
	plain := string(file(t, dir, "plain"))
	for _, test := range []struct {
		name string
		text string
		err  string // when it is to sign
	}{
		{"PKCS #8, encrypted", string(file(t, dir, "pkcs8-encrypted")), "the key is encrypted; write it without"},
		{"SEC 1, encrypted", string(file(t, dir, "sec1-encrypted")), "the key is encrypted; write it without"},
		{"RSA", string(file(t, dir, "rsa")), "neither an Ed25519 key nor an ECDSA key of P-256 or P-384"},
		{"P-521", string(file(t, dir, "p521")), "neither an Ed25519 key nor an ECDSA key of P-256 or P-384"},
		{"public", string(file(t, dir, "pub")), "it is a public key; signing needs the private one"},
		{"OpenSSH", strings.ReplaceAll(plain, "PRIVATE", "OPENSSH PRIVATE"), "form of OpenSSH"},
		{"certificate", strings.ReplaceAll(plain, "PRIVATE KEY", "CERTIFICATE"), "is neither an Ed25519 nor an ECDSA key"},
		{"damaged", plain[:40] + "AAAA" + plain[44:], "damaged"},
		{"no PEM", "secret", "no key in PEM"},
		{"empty", "", "no key in PEM"},
	} {
		_, err := attestation.ParsePrivateKey([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, want %q", test.name, err, test.err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), plain[60:80])) {
			t.Errorf("%s: the error quotes the key: %v", test.name, err)
		}
	}
	for name, want := range map[string]string{"plain": "is not a public key; openssl pkey", "rsa-pub": "neither an Ed25519"} {
		if _, err := attestation.ParsePublicKey(file(t, dir, name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s as public key: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	f.Add([]byte(`{"payloadType":"application/vnd.in-toto+json","payload":"e30=","signatures":[{"sig":"AAAA"}]}`), []byte("-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, line, public []byte) {
		if s, err := verify(line, public); err == nil {
			t.Errorf("%q is accepted as %+v", line, s)
		}
	})
}
