package md5sum

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/meant"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Validate puts the algorithms into their usual form, and returns all mistakes in the
// options and the names.
func (o *Options) Validate(names []string) error {
	var faults []error
	if o.Concurrency < 1 {
		faults = append(faults, fmt.Errorf("--concurrency: %d is less than 1", o.Concurrency))
	}
	faults = append(faults, o.validateAlgorithms(), o.validateFlags(), o.validateForm(names))
	for i, name := range o.whole(names) {
		faults = append(faults, cmp.Or(o.notMeant(names[i]), schemes(o.Buckets.Schemes()).check(name)))
	}
	return errors.Join(faults...)
}

// notMeant reports that a name, which is of no file, is hardly meant as one: a URL is misspelt, or a space is before a
// further algorithm.
func (o *Options) notMeant(name string) error {
	bucket, key := meant.Object(name)
	algorithm := o.Chosen && slices.Contains(append(digest.Computable(), slices.Collect(maps.Keys(families))...), name)
	if bucket == "" && !algorithm {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(o.Directory, name)); err == nil {
		return nil
	}
	if algorithm {
		return fmt.Errorf("there is no file %s: write several algorithms with commas, as in --algorithms %s,%s", name, strings.Join(o.Algorithms, ","), name)
	}
	u, err := redact.Parse(bucket)
	if err != nil {
		return nil // cannot happen: meant has made it
	}
	u.Path = "/" + key
	shown := u.String()
	if u.RawQuery != "" {
		shown = "'" + shown + "'" // for a shell
	}
	return fmt.Errorf("%s: write the object as %s", visibleName(name), shown)
}

func (o *Options) validateAlgorithms() error {
	if o.Format == FormatSFV && !o.Chosen {
		o.Algorithms = []string{"crc32"}
	}
	var (
		faults []error
		names  []string
		sized  bool // one of them has values of --length
	)
	for _, name := range o.Algorithms {
		name = strings.TrimSpace(name)
		prefix, isFamily := families[name]
		sized = sized || isFamily || name == "blake2b"
		switch {
		case isFamily && o.Check && o.Length == 0: // each line shows the length
			for _, bits := range familyLengths {
				names = append(names, prefix+strconv.Itoa(bits))
			}
		case isFamily && !slices.Contains(familyLengths, o.Length):
			faults = append(faults, fmt.Errorf("--algorithms %s needs a --length of 224, 256, 384 or 512", name))
		case isFamily:
			names = append(names, prefix+strconv.Itoa(o.Length))
		case name == "blake2b" && o.Length != 0:
			names = append(names, name+"-"+strconv.Itoa(o.Length))
		default:
			names = append(names, name)
		}
	}
	if o.Length != 0 && !sized {
		faults = append(faults, errors.New("--length is only for --algorithms blake2b, sha2 and sha3"))
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	d, err := digest.New(names...)
	if err != nil {
		return fmt.Errorf("--algorithms: %w", err)
	}
	o.Algorithms = d.Algorithms()
	return nil
}

// families are names that cksum has for several algorithms, and what is before the length in the names of these.
var families = map[string]string{"sha2": "sha", "sha3": "sha3-"}

// familyLengths are the bits that the values of a family can have.
var familyLengths = []int{224, 256, 384, 512}

// validateFlags returns the flags that have no meaning with or without --check.
func (o *Options) validateFlags() error {
	var faults []error
	for _, f := range []struct {
		name     string
		set      bool
		checking bool // it belongs to --check
	}{
		{"--tag", o.Tag, false},
		{"--untagged", o.Untagged, false},
		{"--binary", o.Binary, false},
		{"--text", o.Text, false},
		{"--zero", o.Zero, false},
		{"--base64", o.Base64, false},
		{"--raw", o.Raw, false},
		{"--format " + o.Format, o.Format != "" && o.Format != FormatText, false},
		{"--recursive", o.Recursive, false},
		{"--ignore-missing", o.IgnoreMissing, true},
		{"--quiet", o.Quiet, true},
		{"--status", o.Status, true},
		{"--strict", o.Strict, true},
		{"--warn", o.Warn, true},
		{"--check-urls", o.CheckURLs, true},
	} {
		switch {
		case f.set && f.checking && !o.Check:
			faults = append(faults, fmt.Errorf("%s has a meaning only with --check", f.name))
		case f.set && !f.checking && o.Check:
			faults = append(faults, fmt.Errorf("%s has no meaning with --check", f.name))
		}
	}
	return errors.Join(faults...)
}

// validateForm returns the contradictions in how checksums are to be printed.
func (o *Options) validateForm(names []string) error {
	var faults []error
	if o.Base64 && o.Raw {
		faults = append(faults, errors.New("--base64 and --raw exclude each other"))
	}
	if o.Tag && o.Text {
		faults = append(faults, errors.New("--tag and --text exclude each other"))
	}
	if o.Raw && (len(names) > 1 || len(o.Algorithms) > 1) {
		faults = append(faults, errNotOne)
	}
	switch lines := o.Tag || o.Untagged || o.Binary || o.Text || o.Zero || o.Base64 || o.Raw; {
	case lines && o.Format == FormatJSON, lines && o.Format == FormatSFV:
		faults = append(faults, fmt.Errorf("--format %s has its own form; leave out --tag, --untagged, --binary, --text, --zero, --base64 and --raw", o.Format))
	case o.Format == FormatSFV && !slices.Equal(o.Algorithms, []string{"crc32"}):
		faults = append(faults, errors.New("--format sfv has only crc32; leave out --algorithms"))
	}
	return errors.Join(faults...)
}

// errNotOne: lines tell checksums apart, raw bytes do not.
var errNotOne = errors.New("--raw prints one checksum of one file; give one name and one algorithm")
