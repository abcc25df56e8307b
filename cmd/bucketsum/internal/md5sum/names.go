package md5sum

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/readable"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// object is something to read: an object in a bucket, a file or standard input.
type object struct {
	listed bool   // it was found in a folder or under a prefix, not named
	name   string // for output
	bucket string // URL; empty for a file
	key    string // if empty or with a slash at its end: all objects under it
	file   string // path; from a URL with a slash at its end: all files under it
}

// isStream reports whether o may be readable only once, or may wait for input from a
// user.
func (o object) isStream() bool {
	return o.file == "-" || strings.HasPrefix(o.file, "/dev/") || strings.HasPrefix(o.file, "/proc/")
}

// urlForm distinguishes URLs from paths. A path of this form needs ./ before it.
var urlForm = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*)://`)

// schemes are those of the buckets that can be read.
type schemes []string

// check returns why an argument with the form of a URL is invalid, or nil.
func (s schemes) check(arg string) error {
	m := urlForm.FindStringSubmatch(arg)
	if m == nil {
		return nil
	}
	if scheme := strings.ToLower(m[1]); !slices.Contains(s, scheme) {
		return fmt.Errorf("%s: unknown scheme %q; valid are %s (a path begins with ./)",
			redact.URL(arg), scheme, strings.Join(s, ", "))
	}
	_, err := s.parse(arg)
	return err
}

// parse returns what a name refers to. A URL with the scheme of a bucket is split into
// the bucket's URL and the key; any other name is a path.
func (s schemes) parse(name string) (object, error) {
	m := urlForm.FindStringSubmatch(name)
	if m == nil || !slices.Contains(s, strings.ToLower(m[1])) {
		return object{name: name, file: name}, nil
	}
	o := object{name: name}
	u, err := redact.Parse(name)
	if err != nil {
		return o, fmt.Errorf("%s is not a URL; are special characters percent-encoded?", visibleName(name))
	}
	if u.Fragment != "" {
		return o, fmt.Errorf("%s: write # in a key as %%23", visibleName(name))
	}
	if u.Scheme == "file" {
		o.file, err = fileOf(u)
		return o, err
	}
	if u.Port() != "" {
		return o, fmt.Errorf("%s: the name of a bucket has no colon", visibleName(name))
	}
	o.key = strings.TrimPrefix(u.Path, "/")
	if u.Path == "" {
		all := u.Scheme + "://" + u.Host + "/" + redact.Place(u.RawQuery)
		if strings.Contains(all, "?") {
			all = "'" + all + "'" // for a shell
		}
		return o, fmt.Errorf("%s names a bucket and no object; all of its objects are %s", visibleName(name), all)
	}
	u.Path, u.RawPath = "", ""
	o.bucket = u.String()
	return o, nil
}

// harmless are the parameters of buckets' URLs that do not decide which server is asked, and
// with whose credentials.
var harmless = []string{"region", "use_path_style", "anonymous", "storage_account"}

// harmlessValue is the form of their values, which become parts of the names of hosts.
var harmlessValue = regexp.MustCompile(`^[A-Za-z0-9-]{0,63}$`)

// parseListed is parse for a name in a list of checksums, whose author need not be the user. It
// refuses what is not on this machine unless the user allows URLs. Even then the environment
// alone decides which servers get requests and the tokens in them.
func (s schemes) parseListed(name string, urls bool) (object, error) {
	m := urlForm.FindStringSubmatch(name)
	if m != nil && slices.Contains(s, strings.ToLower(m[1])) && !strings.EqualFold(m[1], "file") && !urls {
		return object{name: name}, errNamesURL
	}
	o, err := s.parse(name)
	switch {
	case err != nil:
		return o, err
	case o.bucket == "" && isShare(filepath.VolumeName(o.file)) && !urls:
		return o, errNamesShare
	case o.bucket == "":
		return o, nil
	}
	u, err := redact.Parse(o.bucket)
	if err != nil {
		return o, err // cannot happen: parse has made it
	}
	if u.User != nil {
		return o, errors.New("a list may not name a user; set credentials in the environment")
	}
	parameters, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return o, errors.New("the parameters of the URL are malformed")
	}
	for parameter, values := range parameters {
		if !slices.Contains(harmless, parameter) {
			return o, fmt.Errorf("a list may not set the parameter %s; set it in the environment", readable.Name(parameter))
		}
		if slices.ContainsFunc(values, func(value string) bool { return !harmlessValue.MatchString(value) }) {
			return o, fmt.Errorf("a list may set the parameter %s only to letters, digits and hyphens", parameter)
		}
	}
	return o, nil
}

// isShare reports whether the volume of a path on Windows is a folder of another machine, or a device.
func isShare(volume string) bool {
	return strings.HasPrefix(volume, `\`) || strings.HasPrefix(volume, "/")
}

// fileOf returns the path of a file:// URL.
func fileOf(u *url.URL) (string, error) {
	switch {
	case u.RawQuery != "" || u.ForceQuery:
		return "", fmt.Errorf("%s: file:// takes no parameters; write ? in a key as %%3F", visibleName(u.String()))
	case u.Host == "." && u.Path != "":
		return filepath.FromSlash("." + u.Path), nil
	case u.Host != "" || u.Path == "":
		return "", fmt.Errorf("%s: a path follows file:// as in file:///srv/inbox/key", visibleName(u.String()))
	}
	return filepath.FromSlash(u.Path), nil
}
