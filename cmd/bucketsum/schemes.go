package main

import (
	"fmt"
	"net/url"
	"strings"

	_ "gocloud.dev/blob/fileblob" // file://
	_ "gocloud.dev/blob/memblob"  // mem:// as a bucket
	_ "gocloud.dev/pubsub/mempubsub"
)

// scheme is a kind of URL that this program can open, with an example to show
// to whoever gave another. This file alone links their drivers, but for those that
// an adapter knows by itself.
type scheme struct{ name, example string }

var (
	bucketSchemes = []scheme{
		{"s3", "s3://photos?region=eu-central-1"},
		{"file", "file:///srv/inbox"},
		{"mem", "mem:// (ends with the process)"},
	}
	queueSchemes = []scheme{
		{"awssqs", "awssqs://sqs.eu-central-1.amazonaws.com/123456789012/objects"},
		{"sqs", "sqs://sqs.eu-central-1.amazonaws.com/123456789012/objects.fifo (in order)"},
		{"mem", "mem://events (ends with the process)"},
	}
)

// checkURL reports why a URL cannot be opened, as far as its scheme tells.
func checkURL(flag, raw string, valid []scheme) error {
	examples := make([]string, len(valid))
	for i, s := range valid {
		examples[i] = s.example
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return fmt.Errorf("%s: %q is not a URL; valid are for example %s", flag, raw, strings.Join(examples, ", "))
	}
	for _, s := range valid {
		if s.name == u.Scheme {
			return nil
		}
	}
	return fmt.Errorf("%s: unknown scheme %q; valid are for example %s", flag, u.Scheme, strings.Join(examples, ", "))
}

// samePlace reports whether two URLs name one queue or bucket, whatever their
// parameters.
func samePlace(a, b string) bool {
	first, err := url.Parse(a)
	second, err2 := url.Parse(b)
	return err == nil && err2 == nil && first.Host == second.Host && first.Path == second.Path
}
