// Package meant finds the URL that a user means who names a queue or a bucket as its cloud shows it: by its ARN, by its
// https:// URL, or by the address of a page of the console.
//
// What it returns is for messages: it has no user, password or signature.
package meant

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// domains are those of AWS by the partition in an ARN.
var domains = map[string]string{"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}

// arn returns the parts of an ARN after "arn:": partition, service, region, account and resource.
func arn(raw string) ([5]string, bool) {
	parts := strings.SplitN(raw, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || domains[parts[1]] == "" {
		return [5]string{}, false
	}
	return [5]string(parts[1:]), true
}

// web returns the parts of an http:// or https:// URL without a user.
func web(raw string) (*url.URL, bool) {
	u, err := redact.Parse(raw)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil || redact.Misplaced(u) {
		return nil, false
	}
	return u, true
}

var (
	hostOfAWS  = regexp.MustCompile(`\.amazonaws\.com(\.cn)?$`)
	queuePath  = regexp.MustCompile(`^/[0-9]{12}/[A-Za-z0-9_-]+(\.fifo)?$`)
	ofPubSub   = regexp.MustCompile(`^(?://pubsub\.googleapis\.com/)?(projects/[^/?#@:]+/subscriptions/[^/?#@:]+)$`)
	s3Host     = regexp.MustCompile(`^(?:(.+)\.)?s3(?:[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9]))?\.amazonaws\.com(?:\.cn)?$`)
	azureHost  = regexp.MustCompile(`^([a-z0-9]+)\.(?:blob|dfs)\.core\.windows\.net$`)
	region     = regexp.MustCompile(`^[a-z0-9-]+$`)
	word       = regexp.MustCompile(`^[A-Za-z0-9_.~:/?&=%+\[\]-]+$`)
	bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$`)
)

// Queue returns the URL of the queue that is meant, or nothing.
func Queue(raw string) string { return oneWord(queue(raw)) }

// oneWord returns a URL that can be copied into a shell as it is, or nothing: regions, hosts and names come from the input.
func oneWord(place string) string { return word.FindString(place) }

func queue(raw string) string {
	if a, ok := arn(raw); ok && a[1] == "sqs" && region.MatchString(a[2]) && queuePath.MatchString("/"+a[3]+"/"+a[4]) {
		return sqs("sqs."+a[2]+"."+domains[a[0]], "/"+a[3]+"/"+a[4])
	}
	if m := ofPubSub.FindStringSubmatch(raw); m != nil {
		return "gcppubsub://" + m[1]
	}
	if _, rest, ok := strings.Cut(raw, "#/queues/"); ok { // the console
		if inner, err := url.PathUnescape(rest); err == nil && inner != raw {
			return queue(inner)
		}
	}
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, ok := web(raw)
	switch {
	case !ok || !queuePath.MatchString(u.Path):
		return ""
	case hostOfAWS.MatchString(u.Host):
		return sqs(u.Host, u.Path)
	}
	return sqs(u.Host, u.Path) + "?region=us-east-1&endpoint=" + u.Scheme + "://" + u.Host // a stand-in for AWS
}

func sqs(host, path string) string {
	if strings.HasSuffix(path, ".fifo") {
		return "sqs://" + host + path
	}
	return "awssqs://" + host + path
}

// Object returns the URL of the bucket that is meant, and the key of an object or a prefix in it, if there is one.
// Without a bucket, both are empty.
func Object(raw string) (bucket, key string) {
	if bucket, key = object(raw); oneWord(bucket) == "" {
		return "", ""
	}
	return bucket, key
}

func object(raw string) (bucket, key string) {
	if a, ok := arn(raw); ok && a[1] == "s3" && a[2] == "" {
		name, key, _ := strings.Cut(a[4], "/")
		return store("s3", name, ""), key
	}
	for wrong, right := range map[string]string{"s3a": "s3", "s3n": "s3", "gcs": "gs", "s3": "s3", "gs": "gs"} {
		for _, sign := range []string{"://", ":/", ":"} {
			rest, ok := strings.CutPrefix(raw, wrong+sign)
			if !ok || strings.HasPrefix(raw, right+"://") {
				continue
			}
			rest, query, _ := strings.Cut(rest, "?")
			name, key, _ := strings.Cut(strings.TrimLeft(rest, "/"), "/")
			if bucket := store(right, name, ""); bucket != "" {
				return bucket + redact.Place(query), key
			}
		}
	}
	u, ok := web(raw)
	if !ok {
		return "", ""
	}
	first, rest, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if m := s3Host.FindStringSubmatch(u.Host); m != nil {
		if m[1] == "" { // the bucket is in the path
			return store("s3", first, m[2]), rest
		}
		return store("s3", m[1], m[2]), strings.TrimPrefix(u.Path, "/")
	}
	if m := azureHost.FindStringSubmatch(u.Host); m != nil && first != "" {
		return store("azblob", first, "") + "?storage_account=" + m[1], rest
	}
	switch {
	case strings.HasSuffix(u.Host, "console.aws.amazon.com"):
		if name, ok := strings.CutPrefix(u.Path, "/s3/buckets/"); ok {
			return store("s3", strings.TrimSuffix(name, "/"), u.Query().Get("region")), u.Query().Get("prefix")
		}
	case u.Host == "storage.googleapis.com", u.Host == "storage.cloud.google.com":
		return store("gs", first, ""), rest
	case u.Host == "console.cloud.google.com":
		if path, ok := strings.CutPrefix(u.Path, "/storage/browser/"); ok {
			name, key, _ := strings.Cut(path, "/")
			return store("gs", name, ""), key
		}
	}
	return "", ""
}

// store returns the URL of a bucket; nothing if it cannot have the name.
func store(scheme, name, region string) string {
	switch {
	case !bucketName.MatchString(name):
		return ""
	case region != "" && bucketName.MatchString(region):
		return scheme + "://" + name + "?region=" + region
	}
	return scheme + "://" + name
}

// IsBucketName reports whether a bucket could have that name.
func IsBucketName(name string) bool { return bucketName.MatchString(name) }
