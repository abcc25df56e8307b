package blobstore

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/filebucket"
)

// DefaultLayout puts the record beside its object: KEY.md5.
const DefaultLayout = "{key}.{alg}"

// Layout decides where the records of an object are. The zero value is
// [DefaultLayout].
type Layout struct {
	template string
	record   *regexp.Regexp // with a group for each variable
}

var (
	defaultLayout, _ = ParseLayout(DefaultLayout) // a test parses it
	layoutVariable   = regexp.MustCompile(`\{[^{}]*\}`)
)

// ParseLayout reads a template such as "checksums/{key}.{alg}" or
// "{dir}/.sums/{base}.{alg}". {key} is the object's key, {dir} and {base} are its
// parts before and after the last slash, {alg} is the name of the algorithm.
func ParseLayout(template string) (Layout, error) {
	if reason := layoutFault(template); reason != "" {
		return Layout{}, fmt.Errorf("record layout %q: %s; for example %q, %q or %q",
			template, reason, DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}")
	}
	// Every key must have a record that matches: dir is empty or ends with the last slash, base
	// may be empty.
	expr := regexp.QuoteMeta(template)
	for variable, pattern := range map[string]string{
		"{key}":  `(?P<key>.+)`,
		"{dir}/": `(?P<dir>(?:.*/)?)`,
		"{base}": `(?P<base>[^/]*)`,
		"{alg}":  `(?P<alg>` + strings.Join(digest.Names(), "|") + `)`,
	} {
		expr = strings.Replace(expr, regexp.QuoteMeta(variable), pattern, 1)
	}
	record, err := regexp.Compile(`(?s)\A` + expr + `\z`)
	if err != nil {
		return Layout{}, fmt.Errorf("record layout %q: %w", template, err)
	}
	return Layout{template, record}, nil
}

// layoutFault returns what is wrong with a template; empty if it is valid.
func layoutFault(template string) string {
	count := make(map[string]int)
	for _, v := range layoutVariable.FindAllString(template, -1) {
		switch v {
		case "{key}", "{dir}", "{base}", "{alg}":
		default:
			return "unknown variable " + v + "; valid are {key}, {dir}, {base}, {alg}"
		}
		if count[v]++; count[v] > 1 {
			return v + " occurs twice"
		}
	}
	whole := count["{key}"] == 1 && count["{dir}"] == 0 && count["{base}"] == 0
	parts := count["{key}"] == 0 && count["{base}"] == 1 && strings.Contains(template, "{dir}/") &&
		strings.Index(template, "{dir}") < strings.Index(template, "{base}")
	elements := strings.Split(template, "/")
	switch {
	case strings.ContainsAny(layoutVariable.ReplaceAllString(template, ""), "{}"):
		return "it has a brace without its other half"
	case count["{alg}"] == 0:
		return "{alg} is missing, so that the records of two algorithms would overwrite each other"
	case !whole && !parts:
		return "it needs either {key} or {dir}/ followed by {base}, so that no two objects share a record"
	case strings.HasPrefix(template, "/"), path.Clean(template) != template, elements[0] == "..":
		return "it is not a clean relative path"
	case slices.Contains(elements, filebucket.Hidden):
		return filebucket.Hidden + " is where bucketsum keeps its own notes"
	}
	return ""
}

// orDefault returns the layout, or the default for the zero value.
func (l Layout) orDefault() Layout {
	if l.record == nil {
		return defaultLayout
	}
	return l
}

// String returns the template.
func (l Layout) String() string { return l.orDefault().template }

// RecordKey returns the key of the object's record of one algorithm.
func (l Layout) RecordKey(key, algorithm string) string {
	// What is put in may have braces of its own: it comes after what is still to be replaced.
	record := strings.Replace(l.String(), "{alg}", algorithm, 1)
	if strings.Contains(record, "{key}") {
		return strings.Replace(record, "{key}", key, 1)
	}
	dir, base := path.Split(key) // dir ends with its slash
	return strings.Replace(strings.Replace(record, "{base}", base, 1), "{dir}/", dir, 1)
}

// ObjectKey is the inverse of RecordKey for all known algorithms. It is not ok if the key
// cannot be that of a record.
func (l Layout) ObjectKey(recordKey string) (key, algorithm string, ok bool) {
	l = l.orDefault()
	for i, value := range l.record.FindStringSubmatch(recordKey) {
		switch l.record.SubexpNames()[i] {
		case "key", "dir", "base": // dir comes before base
			key += value
		case "alg":
			algorithm = value
		}
	}
	return key, algorithm, key != ""
}

// IsRecord reports whether RecordKey can return the key for some object and some known
// algorithm. No matter who wrote such an object, it is never summed: what looks like a record
// must not get a record of its own.
func (l Layout) IsRecord(key string) bool {
	_, _, ok := l.ObjectKey(key)
	return ok
}
