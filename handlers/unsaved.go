package handlers

import (
	"sync"

	"github.com/bucketsum/bucketsum/pipeline"
)

// maxUnsaved bounds how many records are kept that could not be saved, at some
// 500 bytes each.
const maxUnsaved = 1024

// unsaved keeps the records of objects that were read but whose record could
// not be written, so that the next try does not read terabytes again to be refused
// again. Safe for concurrent use.
type unsaved struct {
	mu      sync.Mutex
	records map[objectName]pipeline.Record
}

type objectName struct{ bucket, key string }

func newUnsaved() *unsaved { return &unsaved{records: make(map[objectName]pipeline.Record)} }

func nameOf(o pipeline.Object) objectName { return objectName{o.Bucket, o.Key} }

// keep returns the error that kept the record from being saved. If it may pass,
// the record is kept until take; beyond the bound another one is forgotten.
func (u *unsaved) keep(r pipeline.Record, err error) error {
	if pipeline.Classify(err) != pipeline.ClassTransient {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for name := range u.records {
		if len(u.records) < maxUnsaved {
			break
		}
		delete(u.records, name)
	}
	u.records[nameOf(r.Source)] = r
	return err
}

// take returns what was kept of this very version, and forgets what was kept of
// the object.
func (u *unsaved) take(o pipeline.Object) (pipeline.Record, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	r, ok := u.records[nameOf(o)]
	delete(u.records, nameOf(o))
	return r, ok && r.Source.SameVersion(o)
}
