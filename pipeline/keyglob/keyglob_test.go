package keyglob_test

import (
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/keyglob"
)

func TestSelects(t *testing.T) {
	for name, tc := range map[string]struct {
		include, exclude []string
		key              string
		want             bool
	}{
		"no globs":                         {nil, nil, "a/b.raw", true},
		"a name at any depth":              {[]string{"*.raw"}, nil, "a/b.raw", true},
		"a folder at any depth":            {[]string{"b"}, nil, "a/b/c", true},
		"a part of a name":                 {[]string{"b"}, nil, "a/bc", false},
		"with a slash: the whole key":      {[]string{"a/*"}, nil, "a/b", true},
		"with a slash: not a part of it":   {[]string{"a/*"}, nil, "x/a/b", false},
		"with a slash: one level":          {[]string{"a/*"}, nil, "a/b/c", false},
		"two stars: all levels":            {[]string{"a/**"}, nil, "a/b/c", true},
		"excluded":                         {nil, []string{"*.tmp"}, "a/b.tmp", false},
		"excluded although it is included": {[]string{"a/**"}, []string{"*.tmp"}, "a/b.tmp", false},
		"one of several":                   {[]string{"x", "*.raw"}, []string{"y"}, "b.raw", true},
		"none of several":                  {[]string{"x", "y"}, nil, "b.raw", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := keyglob.Selects(tc.include, tc.exclude, tc.key); got != tc.want {
				t.Errorf("Selects(%q, %q, %q) = %v, want %v", tc.include, tc.exclude, tc.key, got, tc.want)
			}
		})
	}
}
