package s3

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

const (
	// probes is the prefix of the keys on which a bucket is probed. Like checkpoints, probes never
	// become work, and a worker may write them.
	probes = driver.Checkpoints + "probe-"
	// probeAgain is how long the result of a probe counts: an operator may turn on
	// versions, or update the store.
	probeAgain = time.Hour
	// noTag is the ETag of no probe.
	noTag = "00000000000000000000000000000000"
)

// conditions says which conditions of writes a bucket honours: it accepts a write whose
// condition holds, and refuses one whose condition does not hold.
type conditions struct {
	create  bool    // PUT with If-None-Match: *
	replace tagForm // PUT with If-Match
	remove  tagForm // DELETE with If-Match
	// announces: the bucket sends an event also for a write that it refuses.
	announces bool
	unknown   bool // the probe was denied; S3's conditions are assumed
}

// ofS3 are the conditions that S3 documents.
var ofS3 = conditions{create: true, replace: quoted, remove: quoted}

// tagForm is how a bucket wants an ETag in a condition. Empty: in no form.
type tagForm string

const (
	quoted tagForm = "quoted"
	bare   tagForm = "bare" // Ceph RGW 16 refuses the right ETag in quotes
)

// of returns an ETag in this form; empty if there is none.
func (f tagForm) of(tag string) string {
	switch f {
	case quoted:
		return `"` + driver.TrimETag(tag) + `"`
	case bare:
		return driver.TrimETag(tag)
	}
	return ""
}

func (f tagForm) String() string {
	switch f {
	case quoted:
		return "yes"
	case bare:
		return "yes, bare ETag"
	}
	return "no"
}

func (c conditions) String() string {
	create := "no"
	if c.create {
		create = "yes"
	}
	s := fmt.Sprintf("If-None-Match %s; If-Match %s; conditional deletes %s", create, c.replace, c.remove)
	if c.unknown {
		s = "not known, because this program may not write below " + driver.Checkpoints + "; assumed: " + s
	}
	return s
}

// knowledge is what a probe found out.
type knowledge struct {
	conditions
	at time.Time
}

// whichConditions returns the conditions that the bucket honours. It probes a bucket that is
// not on AWS, at most once at a time.
func (b *bucket) whichConditions(ctx context.Context) (conditions, error) {
	if b.onAWS {
		return cmp.Or(b.known.Load(), &knowledge{conditions: ofS3}).conditions, nil
	}
	if k := b.known.Load(); k != nil && time.Since(k.at) < probeAgain {
		return k.conditions, nil
	}
	unlock, err := b.Lock(ctx, probes)
	if err != nil {
		return conditions{}, err
	}
	defer unlock()
	old := b.known.Load()
	if old != nil && time.Since(old.at) < probeAgain {
		return old.conditions, nil // another goroutine has probed meanwhile
	}
	can, err := b.probe(ctx)
	if driver.IsDenied(err) {
		can, err = ofS3, nil
		can.unknown = true
	}
	if err != nil {
		return conditions{}, fmt.Errorf("find out which conditional writes the store honours: %w", err)
	}
	b.learn(ctx, can)
	return can, nil
}

// learn remembers which conditions the bucket honours, and warns if they are fewer than
// before.
func (b *bucket) learn(ctx context.Context, can conditions) {
	old := b.known.Swap(&knowledge{can, time.Now()})
	if old != nil && old.conditions == can || can.create && can.replace != "" && can.remove != "" && !can.unknown {
		return
	}
	b.log.WarnContext(ctx, "the store does not honour all conditional writes: two workers that write or remove the record of one object at the same instant may undo each other's work until one of them looks again",
		"bucket", b.name, "conditional_writes", can.String())
}

// isAWS reports whether an endpoint is one of AWS, as no endpoint is.
func isAWS(endpoint string) bool {
	u, err := redact.Parse(endpoint)
	return err == nil && (endpoint == "" || strings.HasSuffix(u.Hostname(), ".amazonaws.com") || strings.HasSuffix(u.Hostname(), ".amazonaws.com.cn"))
}

// saysConditions implements driver.Traits.Conditions.
func (b *bucket) saysConditions(ctx context.Context) (string, error) {
	can, err := b.whichConditions(ctx)
	if err != nil {
		return "", err
	}
	return can.String(), nil
}

// probe finds out which conditions the bucket honours, with an object of its own: each kind of
// request is sent with a condition that must not hold, and with one that must.
func (b *bucket) probe(ctx context.Context) (conditions, error) {
	p := &prober{bucket: b, key: probes + rand.Text()}
	defer p.cleanUp(context.WithoutCancel(ctx))
	return p.run(ctx)
}

// prober probes one bucket.
type prober struct {
	bucket   *bucket
	key      string
	tag      string // of the object
	there    bool   // the object may be there
	versions []string
}

func (p *prober) run(ctx context.Context) (can conditions, err error) {
	if can.create, err = p.put(ctx, ifNone); err != nil {
		return can, err
	}
	if can.create {
		accepted, err := p.put(ctx, ifNone)
		if err != nil {
			return can, err
		}
		can.create = !accepted
	} else if _, err := p.put(ctx, condition{}); err != nil {
		return can, err
	}
	head, err := p.bucket.client.HeadObject(ctx, p.bucket.headInput(p.key, customerKey{}))
	if err != nil {
		return can, p.bucket.translate(err, permission("s3:GetObject", p.key))
	}
	p.tag = aws.ToString(head.ETag)
	can.announces = isCeph(head)
	if can.replace, err = p.form(ctx, func(ctx context.Context, tag string) (bool, error) {
		return p.put(ctx, condition{ifMatch: tag})
	}); err != nil {
		return can, err
	}
	can.remove, err = p.form(ctx, p.remove)
	return can, err
}

// isCeph reports whether Ceph RGW has answered. It sends an ObjectCreated event also for a PUT
// that it refuses.
func isCeph(head *s3.HeadObjectOutput) bool {
	response, ok := awsmiddleware.GetRawResponse(head.ResultMetadata).(*smithyhttp.Response)
	return ok && response.Header.Get("X-Rgw-Object-Type") != ""
}

// form returns in which form a condition with an ETag is honoured.
func (p *prober) form(ctx context.Context, try func(ctx context.Context, tag string) (bool, error)) (tagForm, error) {
	for _, form := range []tagForm{quoted, bare} {
		if accepted, err := try(ctx, form.of(noTag)); err != nil || accepted {
			return "", err
		}
		if accepted, err := try(ctx, form.of(p.tag)); err != nil || accepted {
			return form, err
		}
	}
	return "", nil
}

// conflicts is how often a probe is repeated because the store says that another write of the
// key is under way.
const conflicts = 5

// put reports whether the store accepts a write.
func (p *prober) put(ctx context.Context, c condition) (accepted bool, err error) {
	for range conflicts {
		var out *s3.PutObjectOutput
		out, err = p.bucket.write(ctx, p.key, &driver.Blob{Data: []byte(rand.Text()), ContentType: "text/plain"}, c)
		p.there = p.there || err == nil || faultOf(err).status == 0 // an answer that is lost says nothing
		if err == nil {
			p.tag = aws.ToString(out.ETag)
			p.wrote(out.VersionId)
			return true, nil
		}
		if !faultOf(err).conflict() {
			break
		}
	}
	if c != (condition{}) && p.refused(err) {
		return false, nil
	}
	return false, p.bucket.explainWrite(err, p.key, c)
}

// remove reports whether the store accepts a DELETE with If-Match.
func (p *prober) remove(ctx context.Context, tag string) (accepted bool, err error) {
	b := p.bucket
	out, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &p.key, RequestPayer: b.payer(), IfMatch: &tag})
	if err == nil {
		p.there = false
		p.wrote(out.VersionId)
		return true, nil
	}
	if p.refused(err) {
		return false, nil
	}
	return false, b.translate(err, permission("s3:DeleteObject", p.key))
}

// wrote remembers a version, so that none is left.
func (p *prober) wrote(id *string) {
	if v := driver.VersionOf(aws.ToString(id)); v != "" {
		p.versions = append(p.versions, v)
	}
}

// refused reports whether an error is the store's refusal of a condition, in whatever way.
func (p *prober) refused(err error) bool {
	f := faultOf(err)
	return f.refused() || f.notFound() || f.unsupported() || f.status == http.StatusBadRequest && !p.bucket.stale(f)
}

// cleanUp removes the object and, where the store keeps versions and this program may delete
// them, all its versions.
func (p *prober) cleanUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	b := p.bucket
	if p.there {
		out, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &p.key, RequestPayer: b.payer()})
		if err == nil {
			p.wrote(out.VersionId)
		} else if err = b.translate(err, "s3:DeleteObject"); !errors.Is(err, pipeline.ErrNotFound) {
			b.log.WarnContext(ctx, "an object with which the store was probed is left", "bucket", b.name, "key", p.key, "err", err)
		}
	}
	for _, id := range p.versions {
		_, err := b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: &p.key, RequestPayer: b.payer(), VersionId: &id})
		if err != nil {
			b.log.DebugContext(ctx, "versions of an object with which the store was probed are left", "bucket", b.name, "key", p.key, "err", err)
			return
		}
	}
}
