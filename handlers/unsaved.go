package handlers

import (
	"sync"

	"github.com/bucketsum/bucketsum/pipeline"
)

// maxUnsaved limits the number of kept records, of about 500 bytes each.
const maxUnsaved = 1024

// unsaved keeps records that could not be written, so that a retry does not read terabytes again only to
// fail again. Safe for concurrent use.
type unsaved struct {
	mu      sync.Mutex
	records map[objectName]pipeline.Record
}

type objectName struct{ bucket, key string }

func newUnsaved() *unsaved { return &unsaved{records: make(map[objectName]pipeline.Record)} }

func nameOf(o pipeline.Object) objectName { return objectName{o.Bucket, o.Key} }

// keep keeps the record until take. Above the limit it drops another record.
func (u *unsaved) keep(r pipeline.Record) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name := range u.records {
		if len(u.records) < maxUnsaved {
			break
		}
		delete(u.records, name)
	}
	u.records[nameOf(r.Source)] = r
}

// has reports whether a record of the object is kept, of any version.
func (u *unsaved) has(o pipeline.Object) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.records[nameOf(o)]
	return ok
}

// take returns the kept record of exactly this version, and drops the kept record of the object.
func (u *unsaved) take(o pipeline.Object) (pipeline.Record, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.records[nameOf(o)]
	delete(u.records, nameOf(o))
	return r, ok && r.Source.SameVersion(o)
}
