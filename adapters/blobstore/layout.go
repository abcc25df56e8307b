package blobstore

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// DefaultLayout puts the record beside its object: KEY.md5.
const DefaultLayout = "{key}.{alg}"

// Layout decides where the records of an object are. The zero value is
// [DefaultLayout].
type Layout struct {
	template string
	record   *regexp.Regexp
}

var layoutVariable = regexp.MustCompile(`\{[^{}]*\}`)

// ParseLayout reads a template such as "checksums/{key}.{alg}" or
// "{dir}/.sums/{base}.{alg}". {key} is the object's key, {dir} and {base} are its
// parts before and after the last slash, {alg} is the name of the algorithm.
func ParseLayout(template string) (Layout, error) {
	count := make(map[string]int)
	for _, v := range layoutVariable.FindAllString(template, -1) {
		count[v]++
	}
	fault := func(format string, args ...any) (Layout, error) {
		return Layout{}, fmt.Errorf("record layout %q: "+format+"; for example %q, %q or %q",
			append(append([]any{template}, args...), DefaultLayout, "checksums/{key}.{alg}", "{dir}/.sums/{base}.{alg}")...)
	}
	for v, n := range count {
		switch v {
		case "{key}", "{dir}", "{base}", "{alg}":
		default:
			return fault("unknown variable %s; valid are {key}, {dir}, {base}, {alg}", v)
		}
		if n > 1 {
			return fault("%s occurs twice", v)
		}
	}
	wholeKey := count["{key}"] == 1 && count["{dir}"] == 0 && count["{base}"] == 0
	parts := count["{key}"] == 0 && strings.Contains(template, "{dir}/") && count["{base}"] == 1 &&
		strings.Index(template, "{dir}") < strings.Index(template, "{base}")
	switch {
	case count["{alg}"] == 0:
		return fault("{alg} is missing, so that the records of two algorithms would overwrite each other")
	case !wholeKey && !parts:
		return fault("it needs either {key} or {dir}/ followed by {base}, so that no two objects share a record")
	case strings.HasPrefix(template, "/"), path.Clean(template) != template:
		return fault("it is not a clean relative path")
	}
	expr := regexp.QuoteMeta(template)
	for variable, pattern := range map[string]string{
		"{key}":  `.+`,
		"{dir}/": `(?:.+/)?`,
		"{base}": `[^/]+`,
		"{alg}":  `(?:` + strings.Join(digest.Names(), "|") + `)`,
	} {
		expr = strings.Replace(expr, regexp.QuoteMeta(variable), pattern, 1)
	}
	record, err := regexp.Compile(`(?s)\A` + expr + `\z`)
	if err != nil {
		return Layout{}, errors.Join(errors.New("record layout"), err)
	}
	return Layout{template, record}, nil
}

// orDefault returns the layout, or the default for the zero value.
func (l Layout) orDefault() Layout {
	if l.record == nil {
		l, _ = ParseLayout(DefaultLayout) // a test parses it
	}
	return l
}

// String returns the template.
func (l Layout) String() string { return l.orDefault().template }

// RecordKey returns the key of the object's record of one algorithm.
func (l Layout) RecordKey(key, algorithm string) string {
	l = l.orDefault()
	dir, base := path.Split(key) // dir ends with its slash
	template := strings.Replace(l.template, "{dir}/", dir, 1)
	return strings.NewReplacer("{key}", key, "{base}", base, "{alg}", algorithm).Replace(template)
}

// IsRecord reports whether the key is one that RecordKey could have returned
// for some object and any known algorithm. Such an object is never summed, whoever
// put it there: what looks like a record must not get a record of its own.
func (l Layout) IsRecord(key string) bool {
	return l.orDefault().record.MatchString(key)
}
