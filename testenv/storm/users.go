package storm

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// phase is a part of a storm with one set of faults. Each phase has keys of its own, so that
// an object that one phase loses stays lost until the end.
type phase struct {
	n      int
	faults *faults
	keys   int // of each place
	from   time.Time
}

func (p *phase) String() string { return fmt.Sprintf("p%03d", p.n) }

// oddNames are the last elements of some keys.
var oddNames = []string{
	"with space", "a+b%20c", "ünïcödé ☃", `back\slash`, `'quoted"`, "deep/er/key", "#hash?query&x=y", "*star[1]", "tilde~!$()", "a.md5.txt", "<&amp;>",
}

// key returns the key number i of the phase.
func (p *phase) key(i int) string {
	if i%3 == 2 {
		return fmt.Sprintf("%s/%s", p, oddNames[(i/3)%len(oddNames)])
	}
	return fmt.Sprintf("%s/%d/k%02d", p, i%2, i)
}

// users change objects until ctx ends, as often as the ticks say.
type users struct {
	storm  *storm
	dice   *dice
	outbox *outbox
	ops    *tally
}

func (u *users) run(ctx context.Context, ticks <-chan *phase) {
	var running sync.WaitGroup
	defer running.Wait()
	for range 24 {
		running.Go(func() {
			for ph := range ticks {
				if err := u.change(ctx, ph); err != nil && ctx.Err() == nil {
					u.storm.fault("the storm itself failed: %v", err)
				}
			}
		})
	}
}

// change changes one object.
func (u *users) change(ctx context.Context, ph *phase) error {
	lanes := u.storm.lanes
	l := lanes[u.dice.below(int64(len(lanes)))]
	if l.queue != nil {
		if l.queue.long(ctx) {
			u.ops.add("held back")
			pause(ctx, 50*time.Millisecond)
			return nil
		}
	}
	p := l.places[u.dice.below(int64(len(l.places)))]
	if f, ok := p.store.(*folderStore); ok {
		f.disk.RLock()
		defer f.disk.RUnlock()
		if f.full {
			u.ops.add("held back")
			return nil
		}
	}
	o := l.object(p, ph.key(int(u.dice.below(int64(ph.keys)))), ph)
	o.busy.Lock()
	defer o.busy.Unlock()
	if u.dice.float() < 0.01 && l.queue != nil {
		u.noise(l, p, o)
	}
	now := o.current()
	chance := u.dice.float()
	if now == nil {
		if last := o.last(); last != nil && chance < 0.4 {
			return u.put(ctx, o, "recreate with the same content", last)
		}
		return u.put(ctx, o, "put", nil)
	}
	switch {
	case chance < 0.14:
		return u.put(ctx, o, "put the same content", now.content)
	case chance < 0.34:
		return u.remove(ctx, o)
	case chance < 0.42 && p.versioned:
		return u.removeVersion(ctx, o, now)
	case chance < 0.42 && l.folder:
		return u.rename(ctx, l, o, ph)
	default:
		return u.put(ctx, o, "overwrite", nil)
	}
}

// last returns the content that the key had last; nil if it never had any.
func (o *object) last() *content {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, v := range o.versions {
		if v.content != nil {
			return v.content
		}
	}
	for _, c := range o.byETag {
		if c.seed != 0 {
			return c
		}
	}
	return nil
}

// put writes content: c, or new content.
func (u *users) put(ctx context.Context, o *object, what string, c *content) error {
	p := o.place
	parts, size := 0, sizeOf(u.dice)
	if u.dice.float() < 0.1 {
		parts = 1
		if u.dice.float() < 0.05 {
			parts, size = 2, partSize+size
		}
	}
	var data []byte
	if c == nil || parts == 2 {
		c, data = newContent(uint64(u.dice.below(1<<62))+1, size, p.lane.algorithms)
	} else {
		data = c.bytes()
		if len(data) > partSize {
			parts = 2
		}
	}
	o.begin(p.store.etag(data, parts), c)
	if p.lane.folder && parts > 0 {
		parts = 4
		for _, partial := range partials(data, parts, p.lane.algorithms) {
			o.begin("", partial)
		}
	}
	o.changing.Lock()
	v, err := p.store.put(ctx, o.key, data, parts)
	o.changing.Unlock()
	if err != nil {
		return fmt.Errorf("put %s: %w", o, err)
	}
	if want := p.store.etag(data, parts); want != "" && want != v.etag {
		return fmt.Errorf("put %s: ETag %q, want %q", o, v.etag, want)
	}
	v.content = c
	reason := "PutObject"
	if parts > 0 {
		what, reason = what+" in parts", "CompleteMultipartUpload"
	}
	u.ops.add(what)
	o.done(what, &v)
	u.tell(o, created(p.name, o.key, v, reason))
	return nil
}

func (u *users) remove(ctx context.Context, o *object) error {
	o.changing.Lock()
	marker, err := o.place.store.remove(ctx, o.key)
	o.changing.Unlock()
	if err != nil {
		return fmt.Errorf("delete %s: %w", o, err)
	}
	u.ops.add("delete")
	if o.place.versioned {
		o.done("delete", &version{id: marker, marker: true})
		u.tell(o, deleted(o.place.name, o.key, marker, withMarker))
		return nil
	}
	o.done("delete", nil)
	u.tell(o, deleted(o.place.name, o.key, "", permanently))
	return nil
}

func (u *users) removeVersion(ctx context.Context, o *object, v *version) error {
	o.changing.Lock()
	err := o.place.store.removeVersion(ctx, o.key, v.id)
	o.changing.Unlock()
	if err != nil {
		return fmt.Errorf("delete version %s of %s: %w", v.id, o, err)
	}
	u.ops.add("delete version")
	id := v.id
	o.undone()
	u.tell(o, deleted(o.place.name, o.key, id, permanently))
	return nil
}

// rename renames a file to a key of the same phase, over what is there.
func (u *users) rename(ctx context.Context, l *lane, from *object, ph *phase) error {
	to := l.object(from.place, ph.key(int(u.dice.below(int64(ph.keys)))), ph)
	if to == from || !to.busy.TryLock() { // two renames must not wait for each other
		return nil
	}
	defer to.busy.Unlock()
	c := from.current().content
	to.begin("", c)
	v, err := from.place.store.(*folderStore).rename(ctx, from.key, to.key)
	if err != nil {
		return fmt.Errorf("rename %s: %w", from, err)
	}
	v.content = c
	u.ops.add("rename")
	from.done("renamed to "+to.key, nil)
	to.done("renamed from "+from.key, &v)
	u.tell(from, deleted(from.place.name, from.key, "", permanently))
	u.tell(to, created(to.place.name, to.key, v, "PutObject"))
	return nil
}

// tell sends the event of a change, where no watcher finds the change itself.
func (u *users) tell(o *object, e *s3Event) {
	if q := o.place.lane.queue; q != nil {
		u.outbox.post(q, e.encode())
	}
}

// noise sends what a queue may hold besides events: garbage, the event of a bucket that is not
// configured, and the event of a record.
func (u *users) noise(l *lane, p *place, o *object) {
	v := version{etag: "d41d8cd98f00b204e9800998ecf8427e", content: &content{}}
	switch u.dice.below(3) {
	case 0:
		u.ops.add("garbage message")
		u.outbox.later(l.queue, fmt.Sprintf(`{"storm": %q, "garbage":`, o.key), 0, "garbage")
	case 1:
		u.ops.add("event of another bucket")
		u.outbox.later(l.queue, created(elsewhere, o.key, v, "PutObject").encode(), 0, "event of another bucket")
	default:
		if l.tags || l.keeper != "" {
			return // there such a key is an object's
		}
		u.ops.add("event of a record")
		u.outbox.later(l.queue, created(p.name, l.layout.RecordKey(o.key, "md5"), v, "PutObject").encode(), 0, "event of a record")
	}
}

// elsewhere is a bucket that exists and is not configured anywhere.
const elsewhere = "elsewhere"
