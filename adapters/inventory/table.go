package inventory

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// row is what a list says about one object.
type row struct {
	bucket, key string
	etag        string
	generation  string // Google's
	size        int64
	modified    time.Time
	class       string
	archived    bool
	claims      []pipeline.Claim
	gone        bool // it is not about an object: a delete marker, a snapshot, a folder
	older       bool // it is about a version that is not the current one

	version  string // S3's and Azure's
	latest   bool
	versions bool // columns tell its version, and whether it is the current one
}

// rowError is the error of one row. The next one may be right.
type rowError struct{ err error }

func (e *rowError) Error() string { return e.err.Error() }
func (e *rowError) Unwrap() error { return e.err }

func faulty(format string, args ...any) error { return &rowError{fmt.Errorf(format, args...)} }

// rows are the rows of a file, one after the other. io.EOF ends them; a rowError is about one row; any other error is
// about the whole file. Not safe for concurrent use.
type rows interface {
	next() (row, error)
	skip() error // passes one row
	close()
}

// field is what a column tells.
type field int

const (
	unused field = iota
	fieldBucket
	fieldKey
	fieldVersion
	fieldGeneration
	fieldLatest
	fieldDeleted   // true or false
	fieldDeletedAt // a time, if it was deleted
	fieldSnapshot
	fieldFolder
	fieldSize
	fieldModified
	fieldETag
	fieldClass
	fieldTier // Azure's, or that of S3 Intelligent-Tiering
	fieldMD5
	fieldCRC32C
)

// fields has the columns of all inventories, by their names in lower case without - and _: Parquet names some of
// S3's with underscores.
var fields = map[string]field{
	"bucket": fieldBucket, "key": fieldKey, "name": fieldKey, "versionid": fieldVersion, "generation": fieldGeneration,
	"islatest": fieldLatest, "iscurrentversion": fieldLatest, "isdeletemarker": fieldDeleted, "deleted": fieldDeleted,
	"timedeleted": fieldDeletedAt, "snapshot": fieldSnapshot, "hdiisfolder": fieldFolder,
	"size": fieldSize, "contentlength": fieldSize, "lastmodifieddate": fieldModified, "lastmodified": fieldModified,
	"updated": fieldModified, "etag": fieldETag, "storageclass": fieldClass, "accesstier": fieldTier,
	"intelligenttieringaccesstier": fieldTier, "md5hash": fieldMD5, "contentmd5": fieldMD5, "crc32c": fieldCRC32C,
}

var plainColumn = strings.NewReplacer("-", "", "_", "", " ", "")

func fieldOf(column string) field { return fields[plainColumn.Replace(strings.ToLower(column))] }

// table says what the columns of a table tell.
type table struct {
	columns []field
	encoded bool // keys are percent-encoded
	azure   bool // a name begins with its container
	latest  bool // a column tells which versions are current
	version bool // a column tells the ids of versions
}

// mostColumns bounds the columns of a table.
const mostColumns = 200

// newTable returns the table with columns of some names.
func newTable(names []string) (*table, error) {
	if len(names) > mostColumns {
		return nil, fmt.Errorf("it has %d columns, more than %d", len(names), mostColumns)
	}
	t := new(table)
	var has [fieldCRC32C + 1]bool
	for _, name := range names {
		f := fieldOf(strings.TrimSpace(name))
		if has[f] {
			f = unused
		}
		has[f] = true
		t.columns = append(t.columns, f)
	}
	if !has[fieldKey] {
		return nil, fmt.Errorf("no column has the keys of objects, named Key, key, name or Name; the columns are %.200q", names)
	}
	t.latest, t.version = has[fieldLatest], has[fieldVersion]
	t.azure = !has[fieldBucket]
	return t, nil
}

// set takes the text of a field.
func (t *table) set(r *row, f field, text string) error {
	if text == "" {
		return nil
	}
	switch f {
	case fieldBucket:
		r.bucket = text
	case fieldKey:
		return t.setKey(r, text)
	case fieldVersion:
		r.version = text
	case fieldGeneration:
		r.generation = text
	case fieldLatest:
		return r.setBool(f, text)
	case fieldDeleted, fieldFolder:
		return r.setBool(f, text)
	case fieldDeletedAt, fieldSnapshot:
		r.gone = true
	case fieldSize:
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil || size < 0 {
			return faulty("%.40q is no size", text)
		}
		r.size = size
	case fieldModified:
		return r.setTime(text)
	case fieldETag:
		r.etag = strings.Trim(text, `"`)
	case fieldClass, fieldTier:
		r.setClass(f, text)
	case fieldMD5:
		r.claim("md5", "md5", text)
	case fieldCRC32C:
		r.claim("crc32c", "crc32c", text)
	}
	return nil
}

func (t *table) setKey(r *row, text string) error {
	r.key = text
	if t.encoded {
		key, err := url.QueryUnescape(text)
		if err != nil {
			return faulty("the key %.100q cannot be decoded: it has to be percent-encoded", text)
		}
		r.key = key
	}
	if t.azure {
		var ok bool
		if r.bucket, r.key, ok = strings.Cut(r.key, "/"); !ok {
			return faulty("the name %.100q does not begin with a container", text)
		}
	}
	return nil
}

func (r *row) setBool(f field, text string) error {
	is, err := strconv.ParseBool(strings.ToLower(text))
	switch {
	case err != nil:
		return faulty("%.40q is neither true nor false", text)
	case f == fieldLatest:
		r.latest = is
		r.older = !is
	default:
		r.gone = r.gone || is
	}
	return nil
}

// setTime takes a time as all inventories write it, except that Google's may have a space and no zone.
func (r *row) setTime(text string) error {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999 MST", "2006-01-02 15:04:05.999999999"} {
		if at, err := time.Parse(layout, text); err == nil {
			r.modified = at.UTC()
			return nil
		}
	}
	return faulty("%.40q is no time", text)
}

// setClass takes a storage class. Those of the archives cannot be read before they are restored. Google's ARCHIVE can.
func (r *row) setClass(f field, text string) {
	tier := f == fieldTier
	switch strings.ToUpper(text) {
	case "STANDARD":
		return
	case "GLACIER", "DEEP_ARCHIVE", "DEEP_ARCHIVE_ACCESS", "ARCHIVE_ACCESS":
		r.archived = true
	case "ARCHIVE":
		r.archived = r.archived || tier
	}
	if !tier || r.class == "" {
		r.class = text
	}
}

// claim takes the checksum that a store states, in base64 or hexadecimal.
func (r *row) claim(name, algorithm, text string) {
	c := pipeline.Claim{Name: "inventory " + name, Claim: digest.Claim{Algorithm: algorithm, Value: text}}
	if c.WellFormed() {
		r.claims = append(r.claims, c)
	}
}

// finish checks a row when all of its fields are set.
func (t *table) finish(r *row) error {
	if t.latest && r.version != "" && !r.latest {
		r.older = true // Azure leaves the column empty for older versions
	}
	r.versions = t.latest && t.version
	if r.gone {
		return nil
	}
	return checkKey(r.key)
}

func checkKey(key string) error {
	switch {
	case key == "":
		return faulty("it has no key")
	case len(key) > pipeline.MaxKey:
		return faulty("its key has %d bytes, more than %d", len(key), pipeline.MaxKey)
	case !utf8.ValidString(key):
		return faulty("its key is not UTF-8")
	}
	return nil
}

// milliseconds returns a time that is written as milliseconds since 1970; empty if it is not one.
func milliseconds(text string) string {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format(time.RFC3339)
}
