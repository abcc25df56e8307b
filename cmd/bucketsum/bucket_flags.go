package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// parseBuckets returns the buckets of the [NAME=]URL values of a flag or an argument, and all mistakes in them. The path
// of an existing folder stands for its file:// URL.
func parseBuckets(flag string, args []string) ([]app.BucketURL, error) {
	var (
		buckets []app.BucketURL
		faults  []error
	)
	seen := make(map[string]string)
	for _, arg := range args {
		b := app.BucketURL{URL: arg}
		if name, rest, ok := strings.Cut(arg, "="); ok && !strings.ContainsAny(name, ":/?") {
			b = app.BucketURL{Name: name, URL: rest}
		}
		if !strings.Contains(b.URL, "://") {
			folder, err := folderURL(b.URL)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %q is neither a URL, such as file:///srv/inbox, nor an existing folder: %w", flag, redact.URL(b.URL), err))
				continue
			}
			b.URL = folder
		}
		if err := checkURL(flag, b.URL, bucketSchemes()); err != nil {
			faults = append(faults, err)
			continue
		}
		if b.Name == "" {
			u, _ := redact.Parse(b.URL) // checkURL has parsed it
			b.Name = bucketDrivers(s3.Options{}).NameOf(u)
		}
		shown := redact.URL(b.URL)
		switch {
		case b.Name == "" || b.Name == "/" || b.Name == ".":
			faults = append(faults, fmt.Errorf("%s: %q has no name that events could use; put NAME= before it", flag, shown))
		case !utf8.ValidString(b.Name):
			faults = append(faults, fmt.Errorf("%s: the name %q is not UTF-8, as those in events are; put NAME= before it", flag, b.Name))
		case seen[b.Name] != "":
			faults = append(faults, fmt.Errorf("%s: both %s and %s are named %q; give one another name: NAME=URL",
				flag, seen[b.Name], shown, b.Name))
		}
		seen[b.Name] = shown
		buckets = append(buckets, b)
	}
	return buckets, errors.Join(faults...)
}

// folderURL returns the URL of the folder at a path.
func folderURL(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	switch info, err := os.Stat(path); {
	case err != nil:
		return "", errors.Unwrap(err) // without the path
	case !info.IsDir():
		return "", errors.New("it is a file")
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(full)}).String(), nil
}
