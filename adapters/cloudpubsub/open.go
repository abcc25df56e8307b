package cloudpubsub

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/batcher"
	"gocloud.dev/pubsub/mempubsub"
)

// memLease is how long a message of the in-memory queue is leased by default.
// The queue ends with the process, so that nobody waits for the end of a lease.
const memLease = 24 * time.Hour

// openSubscription opens one with a driver that the program has imported.
func openSubscription(ctx context.Context, raw string) (*pubsub.Subscription, error) {
	u, err := parse(raw, pubsub.DefaultURLMux().SubscriptionSchemes())
	if err != nil {
		return nil, err
	}
	if isMem(u) {
		return openMemSubscription(ctx, u)
	}
	return pubsub.DefaultURLMux().OpenSubscriptionURL(ctx, u)
}

// openTopic opens one with a driver that the program has imported.
func openTopic(ctx context.Context, raw string) (*pubsub.Topic, error) {
	u, err := parse(raw, pubsub.DefaultURLMux().TopicSchemes())
	if err != nil {
		return nil, err
	}
	if isMem(u) {
		u, _, err = memQueue(u)
		if err != nil {
			return nil, err
		}
	}
	return pubsub.DefaultURLMux().OpenTopicURL(ctx, u)
}

// openMemSubscription makes the topic, as a subscription cannot be there before
// it, and bounds what the subscription fetches ahead.
func openMemSubscription(ctx context.Context, u *url.URL) (*pubsub.Subscription, error) {
	u, lease, err := memQueue(u)
	if err != nil {
		return nil, err
	}
	topic, err := pubsub.DefaultURLMux().OpenTopicURL(ctx, u)
	if err != nil {
		return nil, err
	}
	return mempubsub.NewSubscriptionWithOptions(topic, lease, &mempubsub.SubscriptionOptions{
		ReceiveBatcherOptions: batcher.Options{MaxHandlers: 1, MaxBatchSize: 1},
	}), nil
}

// memQueue returns the URL of the in-memory topic and the lease that u asks for,
// so that one URL serves publishers and subscribers.
func memQueue(u *url.URL) (topic *url.URL, lease time.Duration, err error) {
	query, lease := u.Query(), memLease
	if s := query.Get("ackdeadline"); s != "" {
		if lease, err = time.ParseDuration(s); err != nil || lease <= 0 {
			return nil, 0, fmt.Errorf("ackdeadline %q is not a positive duration such as 90m", s)
		}
	}
	query.Del("ackdeadline")
	t := *u
	t.RawQuery = query.Encode() // gocloud refuses what it does not know
	return &t, lease, nil
}

func isMem(u *url.URL) bool { return scheme(u) == mempubsub.Scheme }

// scheme is the driver's; gocloud also takes pubsub+mem:// and the like.
func scheme(u *url.URL) string {
	s := strings.ToLower(u.Scheme)
	return s[strings.LastIndex(s, "+")+1:]
}

// parse returns the URL if it has one of the schemes.
func parse(raw string, schemes []string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		// What net/url says quotes parts of a password.
		return nil, errors.New("not a URL; are special characters in user and password percent-encoded?")
	}
	if s := scheme(u); !slices.Contains(schemes, s) {
		return nil, fmt.Errorf("unknown scheme %q; valid are %s://", s, strings.Join(schemes, "://, "))
	}
	return u, nil
}

// redacted returns the URL without its query and user, for logs and errors.
func redacted(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(unparsable URL)"
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment, u.User = "", false, "", "", nil
	return u.String()
}

// redactedError is an error of a driver without the secrets of its URL in the
// text.
type redactedError struct {
	text string
	err  error
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.err }

// redact takes the URL, the pairs of its query and its password out of the
// error's text.
func redact(err error, raw string) error {
	u, parseErr := url.Parse(raw)
	if parseErr != nil {
		return err // no driver has seen it
	}
	text, clean := err.Error(), redacted(raw)
	for _, whole := range []string{raw, u.String(), u.Redacted()} {
		text = strings.ReplaceAll(text, whole, clean)
	}
	secrets := strings.Split(u.RawQuery, "&")
	for key, values := range u.Query() {
		for _, value := range values {
			secrets = append(secrets, key+"="+value)
		}
	}
	if password, has := u.User.Password(); has {
		secrets = append(secrets, u.User.String(), password)
	}
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "xxxxx")
		}
	}
	if text == err.Error() {
		return err
	}
	return &redactedError{text, err}
}
