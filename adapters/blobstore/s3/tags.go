package s3

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
)

func (b *bucket) ReadTags(ctx context.Context, o pipeline.Object) (map[string]string, string, error) {
	if err := b.Check(o.Key); err != nil {
		return nil, "", pipeline.Permanent(fmt.Errorf("%w (%w)", err, pipeline.ErrNotFound))
	}
	if err := checkVersion(o); err != nil {
		return nil, "", err
	}
	in := &s3.GetObjectTaggingInput{Bucket: &b.name, Key: &o.Key, RequestPayer: b.payer()}
	if o.VersionID != "" {
		in.VersionId = &o.VersionID
	}
	out, err := b.client.GetObjectTagging(ctx, in)
	if faultOf(err).code == "MethodNotAllowed" {
		return nil, "", fmt.Errorf("%w: it is a delete marker (%w)", pipeline.ErrNotFound, err)
	}
	if err != nil {
		return nil, "", impossible(b.translate(err, "s3:GetObjectTagging, s3:GetObjectVersionTagging"))
	}
	tags := make(map[string]string, len(out.TagSet))
	for _, t := range out.TagSet {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	version := driver.VersionOf(aws.ToString(out.VersionId))
	if version == "" {
		version = driver.VersionOf(o.VersionID)
	}
	return tags, version, nil
}

func (b *bucket) WriteTags(ctx context.Context, o pipeline.Object, tags map[string]string) error {
	in := &s3.PutObjectTaggingInput{
		Bucket: &b.name, Key: &o.Key, RequestPayer: b.payer(), Tagging: &types.Tagging{},
	}
	if o.VersionID != "" {
		in.VersionId = &o.VersionID
	}
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		in.Tagging.TagSet = append(in.Tagging.TagSet, types.Tag{Key: &name, Value: aws.String(tags[name])})
	}
	_, err := b.client.PutObjectTagging(ctx, in)
	return b.translate(err, "s3:PutObjectTagging, s3:PutObjectVersionTagging")
}
