// Package sns checks the signatures of messages that Amazon SNS sends, for queues to which
// others than SNS may send. See
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html.
//
// SQS does not tell a consumer who sent a message. With [Config.Decoder] a message counts
// only if one of the configured topics signed it. The signature covers the text of the
// message, its id, subject, time and topic, and nothing else: no message attributes and no
// further fields. The decoder behind the check therefore gets an envelope that is made anew
// from the signed fields.
package sns

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1" // of SignatureVersion 1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/pipeline"
)

// Config names the topics whose messages count. The zero value checks nothing.
type Config struct {
	// Topics are the ARNs of the topics. None: messages are not checked.
	Topics []string
	// Client fetches certificates. It follows no redirects, whatever it is set to. nil: a
	// client that uses the proxy of the environment.
	Client *http.Client
	// Roots are the authorities that may have issued a certificate. nil: those of the system.
	Roots *x509.CertPool
	// Now is the clock by which certificates are valid. nil: time.Now.
	Now func() time.Time
}

// topicARN finds the partition and the region of a topic. The partitions are those whose
// hosts are known; SNS signs in others, too.
var topicARN = regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}(?:\.fifo)?$`)

// Validate returns all mistakes.
func (c Config) Validate() error {
	var faults []error
	for _, arn := range c.Topics {
		if !topicARN.MatchString(arn) {
			faults = append(faults, fmt.Errorf("--sns-topic: %q is not the ARN of a topic; valid is for example arn:aws:sns:eu-central-1:123456789012:objects", arn))
		}
	}
	return errors.Join(faults...)
}

// Decoder returns a decoder that passes on to next only what one of the topics signed, and
// refuses everything else with a [pipeline.Permanent] error. An error while a certificate is
// fetched is transient. Without Topics it returns next itself. The Config must be valid.
func (c Config) Decoder(next pipeline.Decoder) pipeline.Decoder {
	if len(c.Topics) == 0 {
		return next
	}
	certificates := newCertificates(c)
	return func(body []byte, _ map[string]string) ([]pipeline.Event, error) {
		m, err := parse(body)
		if err == nil && !slices.Contains(c.Topics, m["TopicArn"]) {
			err = errors.New("its topic is not one of --sns-topic")
		}
		if err != nil {
			return nil, pipeline.Permanent(fmt.Errorf("SNS signature: %w", err))
		}
		if err := certificates.verify(m); err != nil {
			return nil, fmt.Errorf("SNS signature: %w", err)
		}
		return next(m.signed(), nil)
	}
}

// verify returns why the message is not signed by its topic, or nil.
func (c *certificates) verify(m message) error {
	// The check of the signature comes last, so what is cheap to refuse costs no request.
	signature, err := base64.StdEncoding.DecodeString(m["Signature"])
	if err != nil || len(signature) == 0 {
		return pipeline.Permanent(errors.New("its Signature is not base64"))
	}
	text := []byte(m.stringToSign())
	var hash crypto.Hash
	var sum []byte
	switch m["SignatureVersion"] {
	case "1":
		h := sha1.Sum(text)
		hash, sum = crypto.SHA1, h[:]
	case "2":
		h := sha256.Sum256(text)
		hash, sum = crypto.SHA256, h[:]
	default:
		return pipeline.Permanent(errors.New("its SignatureVersion is neither 1 nor 2"))
	}
	key, err := c.keyOf(m["SigningCertURL"], m["TopicArn"])
	if err != nil {
		return err
	}
	if rsa.VerifyPKCS1v15(key, hash, sum, signature) != nil {
		return pipeline.Permanent(errors.New("the signature is not of this message"))
	}
	return nil
}

// partition is where a topic is: its region and the domain of AWS's hosts there.
type partition struct{ region, domain string }

// partitionOf returns where a valid ARN of a topic is.
func partitionOf(arn string) partition {
	m := topicARN.FindStringSubmatch(arn)
	p := partition{region: m[2], domain: "amazonaws.com"}
	if m[1] == "aws-cn" {
		p.domain += ".cn"
	}
	return p
}

// host is the only host whose certificates count for the topic.
func (p partition) host() string { return "sns." + p.region + "." + p.domain }

// names are the host names of signing certificates; a certificate has one of them. Old regions share a certificate,
// newer ones have their own, and so have China and GovCloud.
func (p partition) names() []string {
	region := p.region
	if strings.HasPrefix(region, "us-gov-") {
		region = "us-gov-west-1"
	}
	return []string{"sns." + p.domain, p.host(), "sns-signing." + p.region + "." + p.domain, "sns-" + region + "." + p.domain}
}
