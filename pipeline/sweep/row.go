package sweep

import "time"

// State says what a pass found about an object.
type State string

// The states. A pass that verifies uses all but Recorded; the last three come from a comparison with a list.
const (
	OK         State = "ok"         // the content is that of the record, or of the list
	Recorded   State = "recorded"   // it has its record now
	Mismatch   State = "mismatch"   // other content than recorded for this version, or than the store or a list claims
	Stale      State = "stale"      // the record is of another version
	NoRecord   State = "no-record"  // it has no record
	Orphan     State = "orphan"     // a record without its object
	Unreadable State = "unreadable" // it could not be read, listed or looked up; Reason says why
	Archived   State = "archived"   // it cannot be read before it is restored

	Missing State = "missing" // in the list only
	New     State = "new"     // not in the list
	Moved   State = "moved"   // in the list with another name, From
)

// Row is what a pass found about one object. Its JSON is the output of verify and the content of
// reports.
type Row struct {
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`
	State     State  `json:"state"`
	From      string `json:"from,omitempty"` // the name in the list, with Moved
	Size      *int64 `json:"size,omitempty"` // bytes; nil: not known
	VersionID string `json:"version_id,omitempty"`
	// Noncurrent: VersionID is not the current version of the object.
	Noncurrent bool   `json:"noncurrent,omitempty"`
	ETag       string `json:"etag,omitempty"`
	// Checksums are those of the content, if it was read, else those of the record. By algorithm, in
	// hexadecimal.
	Checksums map[string]string `json:"checksums,omitempty"`
	// Expected are those that differ from Checksums, as the record or the list has them.
	Expected   map[string]string `json:"expected,omitempty"`
	RecordedAt *time.Time        `json:"recorded_at,omitempty"`
	VerifiedAt *time.Time        `json:"verified_at,omitempty"` // when the content was last found right
	Class      string            `json:"storage_class,omitempty"`
	Modified   *time.Time        `json:"modified,omitempty"`
	Read       int64             `json:"bytes_read,omitempty"`
	Reason     string            `json:"reason,omitempty"` // one line
	At         string            `json:"at,omitempty"`     // the position, if it is not the key
}

// Totals counts the rows of a pass.
type Totals struct {
	Objects map[State]int64 `json:"objects"` // by state
	Bytes   int64           `json:"bytes"`   // of objects whose size is known, without Orphan and Missing
	Read    int64           `json:"bytes_read"`
}
