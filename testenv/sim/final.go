package sim

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/adapters/cloudevents"
)

// result is an announced result.
type result struct {
	Type string           `json:"type"`
	Data cloudevents.Data `json:"data"`
}

func parseResult(body string) (*result, error) {
	r := new(result)
	if err := json.Unmarshal([]byte(body), r); err != nil {
		return nil, fmt.Errorf("a result that is not JSON: %w", err)
	}
	return r, nil
}

// of reports whether the result is about a version.
func (r *result) of(s *store, key string, v *version) bool {
	return r.Data.Bucket == s.name && r.Data.Key == key && r.Data.VersionID == v.id && r.Data.ETag == v.etag
}

// result looks at a result that a worker announces.
func (c *checker) result(r *result) {
	for _, s := range c.kernel.store {
		if s.name != r.Data.Bucket || len(r.Data.Checksums) == 0 {
			continue
		}
		named := s.at(r.Data.Key).named(r.Data.VersionID, r.Data.ETag)
		for algorithm, value := range r.Data.Checksums {
			if !slices.ContainsFunc(c.kernel.profile.Algorithms, func(a string) bool { return a == algorithm }) {
				continue
			}
			if !slices.ContainsFunc(named, func(v *version) bool { return v.sum(algorithm) == value }) {
				c.violate(neverWrong, s.nameOf(r.Data.Key), "announced: %s %s of version %q, which never had that content", algorithm, value, r.Data.VersionID)
			}
			if r.Type == cloudevents.TypeRecorded {
				c.recordedBefore(s, r, algorithm, value, named)
			}
		}
	}
}

// final checks every key when users are done, faults are off, and the queue is empty.
func (c *checker) final() {
	for _, s := range c.kernel.store {
		if !s.configured {
			continue
		}
		for _, key := range slices.Sorted(maps.Keys(s.keys)) {
			if !layout.IsRecord(key) && !strings.HasPrefix(key, driver.Checkpoints) {
				c.finalKey(s, key)
			}
		}
	}
}

func (c *checker) finalKey(s *store, key string) {
	p := &c.kernel.profile
	object, name := s.current(key), s.nameOf(key)
	given := c.givenUp(s, key, s.presentSince(key))
	if object == nil {
		for _, algorithm := range []string{"md5", "sha256"} {
			record := s.current(layout.RecordKey(key, algorithm))
			if record == nil || !record.ours() || p.KeepRecords {
				continue
			}
			// The event of the version may have been given up after its record was written, and after
			// the event of the deletion was handled.
			since := s.presentSince(key)
			for _, v := range s.source(key, record) {
				since = min(since, v.n)
			}
			if c.givenUp(s, key, since) == "" {
				c.violate(noOrphan, name, "there is no object, and a %s record of version %q", algorithm, record.metadata["source-version-id"])
			}
		}
		return
	}
	if !p.selects(key) || given != "" {
		return
	}
	refuses := object.falseClaim && !p.IgnoreClaims && !p.RecordMismatches
	for _, algorithm := range p.Algorithms {
		record := s.current(layout.RecordKey(key, algorithm))
		switch {
		case refuses:
			if !c.told(s, key, object, cloudevents.TypeMismatch) {
				c.violate(recordedOrDead, name, "the store claims a wrong checksum for version %q, and no dead letter or result says so", object.id)
			}
			return
		case record == nil:
			c.violate(recordedOrDead, name, "version %q has no %s record, and no dead letter names it", object.id, algorithm)
			return
		case !record.ours():
			if valueOf(record.data) != object.sum(algorithm) && record.n < object.n {
				c.violate(recordedOrDead, name, "a user's file is in the place of the %s record of version %q, and no dead letter says so", algorithm, object.id)
			}
			return
		case !record.isRecordOf(object, algorithm):
			c.violate(recordedOrDead, name, "version %q has the %s record of version %q, and no dead letter names it", object.id, algorithm,
				record.metadata["source-version-id"])
			return
		}
	}
	kind := cloudevents.TypeRecorded
	if object.falseClaim && !p.IgnoreClaims {
		kind = cloudevents.TypeMismatch
	}
	if p.Results && !c.told(s, key, object, kind) {
		c.violate(announced, name, "version %q has its record, and no result announced it", object.id)
	}
}

// told reports whether a result of a type was announced for a version.
func (c *checker) told(s *store, key string, v *version, kind string) bool {
	return slices.ContainsFunc(c.kernel.queue.results, func(r *result) bool { return r.Type == kind && r.of(s, key, v) })
}

// givenUp returns how the events of a key from a change on were given up: by a dead letter with its reason, or by the
// queue itself. Empty: they were not.
func (c *checker) givenUp(s *store, key string, since int) string {
	concerns := func(changes []change) bool {
		return slices.ContainsFunc(changes, func(e change) bool { return e.store == s && e.key == key && e.n >= since })
	}
	q := c.kernel.queue
	for _, l := range q.dead {
		if m := q.byBody[l.body]; m != nil && concerns(m.changes) {
			return l.reason
		}
	}
	for _, m := range q.native {
		if concerns(m.changes) {
			return "by the queue"
		}
	}
	return ""
}

// presentSince returns the first change whose event matters for the present state of a key: the writing of its
// current version, else the last removal.
func (s *store) presentSince(key string) int {
	h := s.at(key)
	if v := h.current(); v != nil {
		return v.n
	}
	if n := len(h.changes); n > 0 {
		return h.changes[n-1].n
	}
	return 0
}
