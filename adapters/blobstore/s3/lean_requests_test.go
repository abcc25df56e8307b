package s3

import (
	"context"
	"crypto/tls"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/testenv/awsenv"
)

// Lean sends its requests where the SDK sends them, with the same headers; and sends none where the SDK signs otherwise.
func TestLeanAddresses(t *testing.T) {
	t.Setenv("AWS_SESSION_TOKEN", "a token")
	var got requests
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("session") {
			_, _ = io.WriteString(w, `<CreateSessionResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey>`+
				`<SessionToken>c</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></CreateSessionResult>`)
			return
		}
		got.add(r)
	}))
	defer server.Close()
	for address, is := range map[string]bool{
		"s3://photos?region=eu-central-1":                                                                    true,
		"s3://photos?region=cn-north-1":                                                                      true,
		"s3://photos?region=eu-central-1&use_path_style=true":                                                true,
		"s3://photos?region=eu-central-1&dualstack=true":                                                     true,
		"s3://photos?region=us-east-1&fips=true":                                                             true,
		"s3://photos?region=us-east-1&accelerate=true":                                                       true,
		"s3://photos.of.2026?region=us-east-1":                                                               true, // its name is in the path
		"s3://reader-hxyz-s3alias?region=us-east-1":                                                          true, // an access point
		"s3://photos?region=us-east-1&endpoint=https%3A%2F%2Fstore.example%3A9000":                           true,
		"s3://photos?region=us-east-1&endpoint=https%3A%2F%2Fstore.example%2Fa%2520b%2F&use_path_style=true": true,
		"s3://photos?region=us-east-1&response_checksum_validation=when_required":                            true,
		"s3://photos--usw2-az1--x-s3?region=us-west-2":                                                       false, // a directory bucket
		"s3://photos?region=eu-central-1&anonymous=true":                                                     false,
	} {
		for _, payer := range []bool{false, true} {
			lean, sdk := both(t, address, Options{RequesterPays: payer})
			for _, b := range []*bucket{lean, sdk} {
				b.connections.DialTLSContext = nil
				b.connections.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
				b.connections.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
				}
			}
			for _, key := range []string{"first", "dir/a b+c%2F~(é).md5"} {
				var sent []string
				for _, b := range []*bucket{sdk, lean} {
					if _, err := b.Get(t.Context(), key, testLimit); err != nil {
						t.Errorf("%s: %v", address, err)
					}
					for _, r := range got.take() {
						sent = append(sent, content(r))
						if want := is && b == lean && key != "first"; isLean(r) != want {
							t.Errorf("%s: lean sent it: %t, want %t", address, !want, want)
						}
					}
				}
				if len(sent) != 2 {
					t.Errorf("%s: %d requests", address, len(sent))
				} else if diff := cmp.Diff(sent[0], sent[1]); diff != "" {
					t.Errorf("%s: the requests differ (-SDK +lean):\n%s", address, diff)
				}
			}
		}
	}
}

// Servers that check signatures accept those of lean, whatever the key is.
func TestLeanKeys(t *testing.T) {
	for name, server := range map[string]awsenv.Server{"versitygw": awsenv.StartVersitygw(t), "moto": awsenv.StartMoto(t)} {
		t.Run(name, func(t *testing.T) {
			lean, sdk := both(t, server.BucketURL("photos"), Options{})
			if _, err := sdk.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &sdk.name}); err != nil {
				t.Fatal(err)
			}
			keys := slices.Clone(oddKeys)
			random := rand.New(rand.NewPCG(1, 2))
			for range 200 {
				key := make([]rune, 1+random.IntN(20))
				for i := range key {
					if key[i] = rune(random.IntN(0x80)); random.IntN(4) == 0 {
						key[i] = rune(random.IntN(0xd800))
					}
				}
				keys = append(keys, string(key))
			}
			for i, key := range keys {
				if lean.Check(key) != nil {
					continue
				}
				if i%2 == 0 { // some keys are not those of a file
					_ = lean.Put(t.Context(), key, &driver.Blob{Data: []byte("content"), Metadata: map[string]string{"source-key": key}}, driver.Condition{Any: true})
				}
				was := lean.lean.last.Load()
				got, want := outcome(lean.Get(t.Context(), key, testLimit)), outcome(sdk.Get(t.Context(), key, testLimit))
				if got != want {
					t.Errorf("%q: got %s, and with the SDK alone %s", key, got, want)
				}
				understood := strings.Contains(want, "NoSuchKey") || strings.HasPrefix(want, `"content"`)
				if i > 0 && understood && was != lean.lean.last.Load() {
					t.Errorf("%q: lean did not understand the answer %s", key, want)
				}
			}
		})
	}
}

var oddKeys = []string{
	"first", "a", "a b", "a+b", "a%2Fb", "%", "%%zz", "dir/a", "dir//a", "/a", "//", "a/", "a/./b", "a/../b", "~", "!*'()", "a?b=c&d", "a#b", `a\b`, `"a"`, "<a>&amp;",
	"é/ü", "日本", "😀", "e\u0301", "\x01\x1f", "a\nb", "\u00a0", "\ufffd", "\ufffe", "{key}", "{Key+}", ":", "a:b@c", "photos/a", strings.Repeat("k", 1000),
}

// FuzzLeanKey compares the requests of lean with those of the SDK.
func FuzzLeanKey(f *testing.F) {
	for _, key := range append(oddKeys, "\xff", "a\x00b") {
		f.Add(key)
	}
	var got requests
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got.add(r) }))
	f.Cleanup(server.Close)
	lean, sdk := both(f, addressOf(server), Options{})
	if _, err := lean.Get(f.Context(), "first", testLimit); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, key string) {
		got.take()
		want, wantErr := sdk.Get(t.Context(), key, testLimit)
		blob, err := lean.Get(t.Context(), key, testLimit)
		if outcome(want, wantErr) != outcome(blob, err) {
			t.Errorf("%q: got %v, %v, want %v, %v", key, blob, err, want, wantErr)
		}
		var sent []string
		for _, r := range got.take() {
			sent = append(sent, content(r))
		}
		if wantErr == nil && (len(sent) != 2 || sent[0] != sent[1]) {
			t.Errorf("%q: the requests differ: %q", key, sent)
		}
	})
}
