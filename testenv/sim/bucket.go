package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// bodyChunk is how many bytes of a body come with one read.
const bodyChunk = 300

// bucket is a process's connection to a store. It implements driver.Bucket as the driver for S3 does.
type bucket struct {
	driver.Locks
	store *store
	proc  *process // nil: there is no simulation, and calls are answered at once

	direct sync.Mutex // serialises calls without a simulation

	mu      sync.Mutex
	honours bool // a write has shown that the store honours conditions
}

var _ driver.Bucket = (*bucket)(nil)

func (b *bucket) call(ctx context.Context, op, key string, writes bool, apply func() error) error {
	if b.proc == nil {
		b.direct.Lock()
		defer b.direct.Unlock()
		return apply()
	}
	c := &call{proc: b.proc, op: op, key: b.store.nameOf(key), store: b.store, delivery: deliveryOf(ctx), writes: writes}
	c.apply = func() { c.err = apply() }
	return b.proc.kernel.do(ctx, c)
}

func (b *bucket) Traits() driver.Traits {
	return driver.Traits{Name: "model", KeyLimit: 1024, SameTag: true}
}
func (b *bucket) Check(string) error              { return nil }
func (b *bucket) Reachable(context.Context) error { return nil }
func (b *bucket) Close() error                    { return nil }

func (v *version) state() driver.State {
	return driver.State{ETag: v.etag, Size: int64(len(v.data)), VersionID: v.id, Metadata: maps.Clone(v.metadata)}
}

func (b *bucket) Stat(ctx context.Context, key string) (s driver.State, err error) {
	err = b.call(ctx, "stat", key, false, func() error {
		v := b.store.current(key)
		if v == nil {
			if b.proc != nil {
				b.proc.kernel.check.missing(deliveryOf(ctx), b.store, key)
			}
			return pipeline.ErrNotFound
		}
		s = v.state()
		return nil
	})
	return s, err
}

// pinned returns the version that o names, as S3 answers a GET with a version id or with If-Match.
func (b *bucket) pinned(o pipeline.Object) (*version, error) {
	if id := driver.VersionOf(o.VersionID); id != "" {
		switch v := b.store.at(o.Key).find(id); {
		case (!b.store.versioned || !strings.HasPrefix(id, "v")) && !b.store.unknown404:
			return nil, pipeline.Permanent(fmt.Errorf("the store has no versions with ids like %q", id))
		case v == nil:
			return nil, pipeline.ErrNotFound
		default:
			return v, nil
		}
	}
	v := b.store.current(o.Key)
	switch {
	case v == nil:
		return nil, pipeline.ErrNotFound
	case o.ETag != "" && o.ETag != v.etag:
		return nil, pipeline.ErrChanged
	}
	return v, nil
}

func (b *bucket) Open(ctx context.Context, o pipeline.Object, offset int64) (c driver.Content, err error) {
	if err := driver.FolderMark(o.Key, o.Size); err != nil {
		return c, err
	}
	err = b.call(ctx, "open", o.Key, false, func() error {
		v, err := b.pinned(o)
		if err != nil {
			return err
		}
		if offset > 0 && b.proc != nil {
			b.proc.kernel.counts["resumed at a checkpoint"]++
		}
		c.State = v.state()
		c.Claims = claimsOf(v)
		if offset < c.Size {
			c.Body = &body{ctx: ctx, bucket: b, key: o.Key, version: v, data: v.data[offset:]}
		}
		c.Range = func(ctx context.Context, first, end int64) (io.ReadCloser, error) {
			return b.rangeOf(ctx, o.Key, v, first, end)
		}
		return nil
	})
	if err != nil {
		return driver.Content{}, err
	}
	return c, nil
}

// rangeOf asks for bytes of a version that was opened before.
func (b *bucket) rangeOf(ctx context.Context, key string, v *version, first, end int64) (r io.ReadCloser, err error) {
	err = b.call(ctx, "range", key, false, func() error {
		now, err := b.pinned(pipeline.Object{Key: key, VersionID: v.id, ETag: v.etag})
		if err != nil {
			return err
		}
		r = &body{ctx: ctx, bucket: b, key: key, version: now, data: now.data[first:end]}
		return nil
	})
	return r, err
}

// claimsOf returns the checksum that the store states for a version.
func claimsOf(v *version) []pipeline.Claim {
	if v.parts {
		return nil
	}
	value := v.etag
	if v.falseClaim {
		value = strings.Repeat("0", 32)
	}
	return []pipeline.Claim{{Name: "etag", Claim: digest.Claim{Algorithm: "md5", Value: value}}}
}

// body is the content of an answer. Each read of it is a call.
type body struct {
	ctx     context.Context
	bucket  *bucket
	key     string
	version *version
	data    []byte // that has not come yet
	closed  bool
}

func (r *body) Read(p []byte) (n int, err error) {
	if r.closed {
		return 0, errors.New("read of a closed body")
	}
	if len(p) == 0 {
		return 0, nil
	}
	ends := false
	err = r.bucket.call(r.ctx, opBody, r.key, false, func() error {
		n = copy(p[:min(len(p), bodyChunk)], r.data)
		r.data = r.data[n:]
		ends = len(r.data) == 0
		if r.bucket.proc != nil && n > 0 {
			return r.bucket.proc.kernel.spoil(r, p[:n])
		}
		return nil
	})
	var torn *tornError
	switch {
	case errors.As(err, &torn):
		return torn.after, torn.err
	case err != nil:
		return 0, err
	case ends:
		return n, io.EOF
	}
	return n, nil
}

func (r *body) Close() error {
	r.closed = true
	return nil
}

func (b *bucket) Get(ctx context.Context, key string, limit int64) (blob *driver.Blob, err error) {
	err = b.call(ctx, "get", key, false, func() error {
		v := b.store.current(key)
		if b.proc != nil {
			b.proc.kernel.check.reads(deliveryOf(ctx), b.store, key, v)
		}
		if v == nil {
			return pipeline.ErrNotFound
		}
		blob = &driver.Blob{
			Data: bytes.Clone(v.data[:min(int64(len(v.data)), limit)]), ContentType: v.contentType,
			Metadata: maps.Clone(v.metadata), Tag: v.etag,
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return blob, nil
}

// Put implements driver.Bucket. As the driver for S3 does, it looks before its first write of a record, until
// that write has shown that the store honours conditions.
func (b *bucket) Put(ctx context.Context, key string, blob *driver.Blob, c driver.Condition) error {
	b.mu.Lock()
	honours := b.honours
	b.mu.Unlock()
	if c.Unseen && !honours {
		return pipeline.ErrChanged
	}
	v := &version{data: bytes.Clone(blob.Data), metadata: maps.Clone(blob.Metadata), contentType: blob.ContentType}
	err := b.call(ctx, "put", key, true, func() error {
		if !b.store.allows(key, c) {
			return pipeline.ErrChanged
		}
		if b.proc != nil {
			b.proc.kernel.check.puts(b.proc, deliveryOf(ctx), b.store, key, v)
		}
		b.store.put(key, v)
		return nil
	})
	if err == nil && !c.Any {
		b.mu.Lock()
		b.honours = true
		b.mu.Unlock()
	}
	return err
}

// allows reports whether the condition of a write holds.
func (s *store) allows(key string, c driver.Condition) bool {
	now := s.current(key)
	switch {
	case c.Any:
		return true
	case c.Old != nil:
		return now != nil && now.etag == c.Old.Tag
	default:
		return now == nil
	}
}

func (b *bucket) Delete(ctx context.Context, key string, c driver.Condition) error {
	none := func() {
		if b.proc != nil {
			b.proc.kernel.check.reads(deliveryOf(ctx), b.store, key, nil)
		}
	}
	return b.call(ctx, "delete", key, true, func() error {
		now := b.store.current(key)
		if c.Old != nil {
			if now == nil {
				none()
				return pipeline.ErrNotFound
			}
			if now.etag != c.Old.Tag {
				return pipeline.ErrChanged
			}
		}
		if b.proc != nil {
			b.proc.kernel.check.deletes(b.proc, b.store, key, now)
			b.proc.kernel.check.removes(deliveryOf(ctx), b.store, key, now)
		}
		none()
		b.store.remove(key, false)
		return nil
	})
}

// List implements driver.Bucket. Workers do not list.
func (b *bucket) List(_ context.Context, l driver.Listing) iter.Seq2[driver.Entry, error] {
	return func(yield func(driver.Entry, error) bool) {
		for _, key := range slices.Sorted(maps.Keys(b.store.keys)) {
			v := b.store.current(key)
			if v == nil || !strings.HasPrefix(key, l.Prefix) || l.Skip != nil && l.Skip(key) {
				continue
			}
			if !yield(driver.Entry{Key: key, State: v.state()}, nil) {
				return
			}
		}
	}
}
