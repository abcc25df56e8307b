package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/adapters/blobstore/s3"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/meant"
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
		if name, rest, ok := strings.Cut(arg, "="); ok && b.Name == "" && strings.Contains(name, "/") && !strings.ContainsAny(name, ":?") && strings.Contains(rest, "://") {
			faults = append(faults, fmt.Errorf("%s: the name %q has a slash, and names of buckets in events have none", flag, name))
			continue
		}
		if bucket, _ := meant.Object(b.URL); bucket == "" && !strings.Contains(b.URL, "://") {
			folder, err := folderURL(b.URL)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s: %w", flag, err))
				continue
			}
			b.URL = folder
		}
		if err := checkBucket(flag, b.URL); err != nil {
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

// notLocal reports why local cannot watch what an argument names.
func notLocal(dir string) error {
	bucket, _ := meant.Object(dir)
	info, err := os.Stat(dir)
	switch {
	case strings.HasPrefix(dir, "file://"):
		return fmt.Errorf("%q is a URL: name the folder by its path, %s", redact.URL(dir), quote(strings.TrimPrefix(redact.URL(dir), "file://")))
	case dir == "~" || strings.HasPrefix(dir, "~/"):
		return fmt.Errorf("the shell did not expand the ~ in %q, perhaps because of quotes: write ~/… without quotes, or $HOME/…; a folder that is called ~ is ./%s", dir, dir)
	case bucket != "", strings.Contains(dir, "://"):
		return fmt.Errorf("%q is not a folder of this machine; for a bucket, use serve (from now on) or backfill (what is in it)", redact.URL(dir))
	case err == nil && !info.IsDir():
		return fmt.Errorf("%q is a file; name the folder that it is in, or use sum", redact.URL(dir))
	}
	return nil
}

// folderURL returns the URL of the folder at a path. The path may be what the user takes for the URL of a bucket.
func folderURL(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	shown := redact.URL(path)
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist) && meant.IsBucketName(path):
		return "", fmt.Errorf("%q is neither a URL nor an existing folder; did you mean s3://%s?", shown, path)
	case errors.Is(err, fs.ErrNotExist) && strings.IndexAny(path, "./") == 0:
		return "", fmt.Errorf("there is no folder %q", shown)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%q is neither a URL nor an existing folder; %s", shown, listed(bucketSchemes()))
	case err != nil:
		return "", fmt.Errorf("%q: %w", shown, errors.Unwrap(err)) // without the path
	case !info.IsDir():
		return "", fmt.Errorf("%q is a file; name the folder that it is in, or a bucket by its URL", shown)
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(full)}).String(), nil
}
