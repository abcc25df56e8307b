package pipeline_test

import (
	"testing"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestCovers(t *testing.T) {
	o := pipeline.Object{Bucket: bucket, Key: "a", ETag: "e"}
	newer := o
	newer.ETag = "f"
	r := pipeline.Record{Source: o, Digests: map[string]string{"md5": "d41d8cd98f00b204e9800998ecf8427e", "sha256": ""}}
	for _, tc := range []struct {
		name       string
		object     pipeline.Object
		algorithms []string
		want       bool
	}{
		{"all", o, []string{"md5"}, true},
		{"none asked for", o, nil, true},
		{"one missing", o, []string{"md5", "sha1"}, false},
		{"one empty", o, []string{"md5", "sha256"}, false},
		{"newer version", newer, []string{"md5"}, false},
		{"version unknown", pipeline.Object{Bucket: bucket, Key: "a"}, []string{"md5"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := r.Covers(tc.object, tc.algorithms); got != tc.want {
				t.Errorf("Covers is %v, want %v", got, tc.want)
			}
		})
	}
	if (pipeline.Record{}).Covers(o, []string{"md5"}) {
		t.Error("no record covers an object")
	}
}
