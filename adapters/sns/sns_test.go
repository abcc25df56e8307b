package sns_test

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/adapters/sns"
	"github.com/bucketsum/bucketsum/adapters/sns/snstest"
	"github.com/bucketsum/bucketsum/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// seen is what reached the decoder behind the check.
type seen struct {
	fields     map[string]string
	attributes map[string]string
}

// decoder returns a checking decoder for the server's topic, and where to find what passes.
func decoder(t *testing.T, s *snstest.Server, topics ...string) (pipeline.Decoder, *[]seen) {
	t.Helper()
	c := sns.Config{Topics: append(topics, snstest.Topic), Client: s.Client, Roots: s.Roots}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	passed := new([]seen)
	return c.Decoder(func(body []byte, attributes map[string]string) ([]pipeline.Event, error) {
		var fields map[string]string
		if err := json.Unmarshal(body, &fields); err != nil {
			return nil, err
		}
		mu.Lock()
		defer mu.Unlock()
		*passed = append(*passed, seen{fields, attributes})
		return []pipeline.Event{{ID: fields["MessageId"]}}, nil
	}), passed
}

// TestSigned: messages that the topic signed pass, in both versions, also with characters
// that JSON escapes. The certificate is fetched once.
func TestSigned(t *testing.T) {
	s := snstest.NewServer(t)
	signer := s.Signer(t, nil)
	decode, passed := decoder(t, s)
	confirmation := snstest.Notification("You have chosen to subscribe.")
	delete(confirmation, "Subject")
	confirmation["Type"], confirmation["Token"], confirmation["SubscribeURL"] = "SubscriptionConfirmation", "23", "https://sns.us-east-1.amazonaws.com/?Token=23"
	plain := snstest.Notification(`{"Records":[]}`)
	delete(plain, "Subject")
	for _, version := range []string{"1", "2"} {
		for _, fields := range []map[string]string{
			snstest.Notification("a\n\"b\"\t<\u2028 💎"), plain, confirmation,
		} {
			signed := signer.Sign(t, version, fields)
			if _, err := decode(snstest.Body(t, signed), map[string]string{"eventType": "OBJECT_FINALIZE"}); err != nil {
				t.Errorf("version %s of %q: %v", version, fields["Type"], err)
				continue
			}
			got := (*passed)[len(*passed)-1]
			want := maps.Clone(fields)
			delete(want, "UnsubscribeURL") // is not signed
			if !maps.Equal(got.fields, want) {
				t.Errorf("version %s: the decoder got %q, want %q", version, got.fields, want)
			}
			if got.attributes != nil {
				t.Errorf("version %s: unsigned attributes passed: %q", version, got.attributes)
			}
		}
	}
	if got, want := s.Requests(), []string{signer.URL, "http://crt.example/issuer.cer"}; !slices.Equal(got, want) {
		t.Errorf("fetched %q, want %q", got, want)
	}
}

// TestTampered: no change of a signed message passes, and nothing that the topic has not
// signed. All are dead letters with a reason.
func TestTampered(t *testing.T) {
	s := snstest.NewServer(t)
	signer, other := s.Signer(t, nil), s.Signer(t, nil)
	const wrong = "the signature is not of this message"
	for name, tc := range map[string]struct {
		change func(map[string]string)
		want   string
	}{
		"message":         {func(m map[string]string) { m["Message"] += " " }, wrong},
		"id":              {func(m map[string]string) { m["MessageId"] = "1" }, wrong},
		"subject":         {func(m map[string]string) { m["Subject"] = "" }, wrong},
		"no subject":      {func(m map[string]string) { delete(m, "Subject") }, wrong},
		"time":            {func(m map[string]string) { m["Timestamp"] = "2026-05-02T00:54:06.656Z" }, wrong},
		"version":         {func(m map[string]string) { m["SignatureVersion"] = "1" }, wrong},
		"certificate":     {func(m map[string]string) { m["SigningCertURL"] = other.URL }, wrong},
		"field moved":     {func(m map[string]string) { m["Message"], m["Subject"] = "", m["Message"]+m["Subject"] }, "Message is missing"},
		"type":            {func(m map[string]string) { m["Type"] = "UnsubscribeConfirmation" }, "SubscribeURL is missing"},
		"unknown type":    {func(m map[string]string) { m["Type"] = "Other" }, "no envelope of SNS"},
		"topic":           {func(m map[string]string) { m["TopicArn"] += "2" }, "its topic is not one of --sns-topic"},
		"configured":      {func(m map[string]string) { m["TopicArn"] = "arn:aws:sns:us-east-1:123456789012:second" }, wrong},
		"unknown version": {func(m map[string]string) { m["SignatureVersion"] = "3" }, "SignatureVersion is neither 1 nor 2"},
		"no signature":    {func(m map[string]string) { delete(m, "Signature") }, "its Signature is not base64"},
		"not base64":      {func(m map[string]string) { m["Signature"] = "*" }, "its Signature is not base64"},
	} {
		t.Run(name, func(t *testing.T) {
			decode, passed := decoder(t, s, "arn:aws:sns:us-east-1:123456789012:second")
			m := signer.Sign(t, "2", snstest.Notification("{}"))
			tc.change(m)
			refused(t, decode, snstest.Body(t, m), tc.want)
			if len(*passed) != 0 {
				t.Errorf("it reached the decoder: %q", *passed)
			}
		})
	}
}

// TestNotAnEnvelope: raw deliveries and other senders' events are refused, and so is a
// signed envelope with further fields under which the decoder would find another event.
func TestNotAnEnvelope(t *testing.T) {
	s := snstest.NewServer(t)
	decode, passed := decoder(t, s)
	for _, body := range []string{
		``, `[]`, `"x"`, `{}`, `{"Records":[{"eventName":"ObjectCreated:Put"}]}`, `{"Type":"Notification`, "\xff", `{"Type":{"a":1}}`,
	} {
		refused(t, decode, []byte(body), "no envelope of SNS; is raw message delivery on?")
	}
	refused(t, decode, []byte(strings.Repeat(" ", 1<<20)+"{}"), "more than the limit")
	if got := s.Requests(); len(got) != 0 {
		t.Errorf("fetched %q for unsigned messages", got)
	}

	signed := s.Signer(t, nil).Sign(t, "2", snstest.Notification("{}"))
	body := strings.TrimSuffix(string(snstest.Body(t, signed)), "}") +
		`,"message":"other","detail-type":"Object Created","source":"aws.s3","detail":{}}`
	if _, err := decode([]byte(body), nil); err != nil {
		t.Fatal(err)
	}
	if got := (*passed)[0].fields; len(got) != 6 || got["Message"] != "{}" {
		t.Errorf("the decoder got fields that SNS has not signed: %q", got)
	}
}

// TestCertificateURL: only certificates on SNS's host of the topic's region are fetched.
func TestCertificateURL(t *testing.T) {
	s := snstest.NewServer(t)
	signer := s.Signer(t, nil)
	decode, passed := decoder(t, s, "arn:aws-cn:sns:cn-north-1:123456789012:objects")
	path := strings.TrimPrefix(signer.URL, "https://sns.us-east-1.amazonaws.com")
	for _, url := range []string{
		"", "x", "://",
		"http://sns.us-east-1.amazonaws.com" + path,
		"https://sns.us-west-2.amazonaws.com" + path,
		"https://sns.us-east-1.amazonaws.com.cn" + path,
		"https://sns.us-east-1.amazonaws.com.evil.example" + path,
		"https://sns.us-east-1.amazonaws.com:8443" + path,
		"https://sns.us-east-1.amazonaws.com@evil.example" + path,
		"https://user@sns.us-east-1.amazonaws.com" + path,
		"https://evil.example/sns.us-east-1.amazonaws.com" + path,
		"https://evil.s3.amazonaws.com" + path,
		"https://xsns.us-east-1.amazonaws.com" + path,
		"https://sns.us-east-1.amazonaws.com./" + path,
		"https://SNS.us-east-1.amazonaws.com" + path,
		"https://127.0.0.1" + path,
		"https://sns.us-east-1.amazonaws.com/?Action=GetTopicAttributes",
		"https://sns.us-east-1.amazonaws.com/x/.." + path,
		"https://sns.us-east-1.amazonaws.com" + path + "?x=y",
		"https://sns.us-east-1.amazonaws.com" + path + "#x",
		"https://sns.us-east-1.amazonaws.com/SimpleNotificationService-%2e.pem",
	} {
		m := signer.Sign(t, "2", snstest.Notification("{}"))
		m["SigningCertURL"] = url
		refused(t, decode, snstest.Body(t, m), "SigningCertURL is not a certificate on https://sns.us-east-1.amazonaws.com")
	}
	if got := s.Requests(); len(got) != 0 || len(*passed) != 0 {
		t.Errorf("fetched %q, passed %q", got, *passed)
	}
	china := snstest.Notification("{}")
	china["TopicArn"] = "arn:aws-cn:sns:cn-north-1:123456789012:objects"
	refused(t, decode, snstest.Body(t, signer.Sign(t, "2", china)), "on https://sns.cn-north-1.amazonaws.com.cn")
}

// TestCertificate: a certificate must be valid now, come from a known authority and be
// SNS's own.
func TestCertificate(t *testing.T) {
	s := snstest.NewServer(t)
	for name, tc := range map[string]struct {
		change func(*x509.Certificate)
		want   string // empty: it passes
	}{
		"of the region":   {func(c *x509.Certificate) { c.DNSNames = []string{"sns-signing.us-east-1.amazonaws.com"} }, ""},
		"other region":    {func(c *x509.Certificate) { c.DNSNames = []string{"sns-signing.eu-west-1.amazonaws.com"} }, "not issued to SNS"},
		"other name":      {func(c *x509.Certificate) { c.DNSNames = []string{"evil.example"} }, "not issued to SNS"},
		"look-alike":      {func(c *x509.Certificate) { c.DNSNames = []string{"sns.amazonaws.com.evil.example"} }, "not issued to SNS"},
		"expired":         {func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "expired"},
		"not yet valid":   {func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, "not yet valid"},
		"issuer nowhere":  {func(c *x509.Certificate) { c.IssuingCertificateURL = nil }, "unknown authority"},
		"issuer of other": {func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://crt.example/other.pem"} }, "404"},
	} {
		t.Run(name, func(t *testing.T) {
			decode, _ := decoder(t, s)
			body := snstest.Body(t, s.Signer(t, tc.change).Sign(t, "2", snstest.Notification("{}")))
			_, err := decode(body, nil)
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	t.Run("unknown authority", func(t *testing.T) {
		c := sns.Config{Topics: []string{snstest.Topic}, Client: s.Client, Roots: x509.NewCertPool()}
		body := snstest.Body(t, s.Signer(t, nil).Sign(t, "2", snstest.Notification("{}")))
		refused(t, c.Decoder(nil), body, "unknown authority")
	})
	t.Run("no PEM", func(t *testing.T) {
		defer s.Answer(nil)
		decode, _ := decoder(t, s)
		body := snstest.Body(t, s.Signer(t, nil).Sign(t, "2", snstest.Notification("{}")))
		s.Answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) })
		refused(t, decode, body, "it is not in PEM")
	})
}

// TestCertificateExpires: a kept certificate is not used beyond its end.
func TestCertificateExpires(t *testing.T) {
	s := snstest.NewServer(t)
	now := time.Now()
	c := sns.Config{Topics: []string{snstest.Topic}, Client: s.Client, Roots: s.Roots, Now: func() time.Time { return now }}
	decode := c.Decoder(func([]byte, map[string]string) ([]pipeline.Event, error) { return nil, nil })
	body := snstest.Body(t, s.Signer(t, nil).Sign(t, "2", snstest.Notification("{}")))
	if _, err := decode(body, nil); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * time.Hour)
	refused(t, decode, body, "expired")
}

// TestCertificateServerFails: while the certificate cannot be had the error is transient, so
// that the message stays in its queue, and it passes when the server is well again.
func TestCertificateServerFails(t *testing.T) {
	s := snstest.NewServer(t)
	body := snstest.Body(t, s.Signer(t, nil).Sign(t, "2", snstest.Notification("{}")))
	decode, _ := decoder(t, s)
	elsewhere := 0
	for name, h := range map[string]http.HandlerFunc{
		"503":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"404":     http.NotFound,
		"cut off": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"too short": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "9")
			_, _ = w.Write([]byte("x"))
		},
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 32<<10)); err != nil {
					return
				}
			}
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				elsewhere++
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
	} {
		s.Answer(h)
		if _, err := decode(body, nil); pipeline.Classify(err) != pipeline.ClassTransient {
			t.Errorf("%s: %v is %s, want transient", name, err, pipeline.Classify(err))
		}
	}
	if elsewhere != 0 {
		t.Error("a redirect was followed")
	}
	s.Answer(nil)
	if _, err := decode(body, nil); err != nil {
		t.Error(err)
	}
}

// TestFetchedOnce: messages that arrive together share one fetch.
func TestFetchedOnce(t *testing.T) {
	s := snstest.NewServer(t)
	decode, passed := decoder(t, s)
	body := snstest.Body(t, s.Signer(t, nil).Sign(t, "2", snstest.Notification("{}")))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := decode(body, nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := s.Requests(); len(got) != 2 || len(*passed) != 16 {
		t.Errorf("%d requests, %d messages passed; want 2 and 16", len(got), len(*passed))
	}
}

func TestConfig(t *testing.T) {
	for arn, ok := range map[string]bool{
		snstest.Topic: true, snstest.Topic + ".fifo": true, "arn:aws-us-gov:sns:us-gov-east-1:123456789012:a_b-c": true,
		"": false, "objects": false, "arn:aws:sqs:us-east-1:123456789012:objects": false,
		"arn:aws:sns:evil.example/:123456789012:objects": false, "arn:aws-iso:sns:us-iso-east-1:123456789012:objects": false,
		snstest.Topic + ":11111111-2222": false, // a subscription
	} {
		if err := (sns.Config{Topics: []string{arn}}).Validate(); (err == nil) != ok {
			t.Errorf("%q: %v, want valid: %v", arn, err, ok)
		}
	}
	mine := errors.New("mine")
	decode := sns.Config{}.Decoder(func([]byte, map[string]string) ([]pipeline.Event, error) { return nil, mine })
	if _, err := decode(nil, nil); !errors.Is(err, mine) {
		t.Errorf("without topics: %v", err)
	}
}

func refused(t *testing.T, decode pipeline.Decoder, body []byte, want string) {
	t.Helper()
	_, err := decode(body, nil)
	if pipeline.Classify(err) != pipeline.ClassPermanent || !strings.Contains(err.Error(), want) {
		t.Errorf("%.60q: %v (%s), want a permanent error: %s", body, err, pipeline.Classify(err), want)
	}
}

// TestCertificateHostIsProved: a server that cannot prove that it is SNS's, as after an
// attack on DNS, gives no certificate.
func TestCertificateHostIsProved(t *testing.T) {
	s := snstest.NewServer(t) // has a certificate for us-east-1 only
	decode, passed := decoder(t, s, "arn:aws:sns:eu-west-1:123456789012:objects")
	signer := s.Signer(t, nil)
	signer.URL = strings.Replace(signer.URL, "us-east-1", "eu-west-1", 1)
	fields := snstest.Notification("{}")
	fields["TopicArn"] = "arn:aws:sns:eu-west-1:123456789012:objects"
	_, err := decode(snstest.Body(t, signer.Sign(t, "2", fields)), nil)
	if pipeline.Classify(err) != pipeline.ClassTransient || !strings.Contains(err.Error(), "not sns.eu-west-1.amazonaws.com") || len(*passed) != 0 {
		t.Errorf("got %v (%s)", err, pipeline.Classify(err))
	}
}
