package app

import (
	"path"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore"
	"github.com/bucketsum/bucketsum/handlers/web/page"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// flow returns how the worker is wired, without secrets.
func (c Config) flow() page.Flow {
	f := page.Flow{
		Queue: redact.URL(c.Queue), Results: redact.URL(c.Results), DeadLetters: redact.URL(c.DeadLetter),
		Algorithms: c.Algorithms, First: c.First,
	}
	for _, b := range c.Buckets {
		shown := redact.URL(b.URL)
		named := shown
		if path.Base(strings.TrimRight(shown, "/")) != b.Name {
			named = b.Name + " = " + shown
		}
		f.Buckets = append(f.Buckets, named)
		if name, isS3 := strings.CutPrefix(shown, "s3://"); isS3 && f.First == "" && !strings.Contains(name, "/") {
			f.First = "aws s3 cp FILE " + shown + "/"
		}
	}
	if c.Folder != "" {
		f.Buckets, f.Queue, f.DeadLetters, f.Mended = []string{c.Folder}, "in memory", "", true
	}
	options := c.BucketConfig.Records
	if len(options.To) == 0 || slices.Contains(options.To, blobstore.ToSidecar) {
		for _, algorithm := range c.Algorithms {
			f.Records = append(f.Records, c.BucketConfig.Layout.RecordKey("FILE", algorithm))
		}
	}
	if slices.Contains(options.To, blobstore.ToTags) {
		f.Records = append(f.Records, "tags of the object")
	}
	if options.Bucket != "" {
		f.Records = append(f.Records, "in "+redact.URL(options.Bucket))
	}
	return f
}
