package pass

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// List is a list of checksums that objects are compared with.
type List struct {
	entries sweep.Comparison
	// Algorithms are those of its entries.
	Algorithms []string
	// Notes say what the user should know about the list, one sentence each.
	Notes []string
}

// shownLines is how many improper lines of a list are named.
const shownLines = 5

// Reading says how a list is read.
type Reading struct {
	Name    string // path or URL of the list
	Place   string // its key, if it is in the bucket that is compared; else empty
	Options sweep.Options
	Strict  bool // lines that cannot be read are an error
	// Has reports whether the bucket has an object of that key. It is asked about few names, to find out which keys
	// they stand for.
	Has func(key string) (bool, error)
}

// ReadList reads a list, as far as it is about the objects of a pass. Names are keys, also below the place of the list; in a bag also
// those of its payload, and in an OCFL inventory the logical paths: as most of the first names have an object. Those that lack the
// prefix of the pass are below it. Lines that cannot be read are named in Notes.
func ReadList(in io.Reader, r Reading) (*List, error) {
	o := manifest.Options{Name: r.Name, Algorithms: r.Options.Algorithms, Logical: true}
	reader, err := manifest.NewReader(in, o)
	if err != nil {
		return nil, err
	}
	l := &listReader{Reading: r, List: new(List)}
	spellings := manifest.Spellings(reader.Form(), r.Place)
	var waiting []manifest.Entry
	for e, err := range reader.Entries() {
		if errors.Is(err, manifest.ErrLeftOut) {
			continue // the reader's notes count them
		}
		if line := (*manifest.LineError)(nil); errors.As(err, &line) {
			l.improper(line)
			continue
		}
		if err != nil {
			return nil, err
		}
		if !l.decided {
			waiting = append(waiting, e)
			if len(waiting) < manifest.Samples || reader.Form() == manifest.OCFL {
				continue
			}
			if err := l.choose(spellings, waiting); err != nil {
				return nil, err
			}
			continue
		}
		if err := l.add(e); err != nil {
			return nil, err
		}
	}
	if !l.decided {
		if err := l.choose(spellings, waiting); err != nil {
			return nil, err
		}
	}
	if err := l.end(reader.LeftOut()); err != nil {
		return nil, err
	}
	l.Notes = append(l.Notes, reader.Notes()...)
	l.Algorithms = l.entries.Algorithms()
	return l.List, nil
}

// listReader is a list that is being read.
type listReader struct {
	Reading
	*List
	spelling manifest.Spelling
	decided  bool
	used     int // entries
	bad      int // lines
}

func (l *listReader) decide(s manifest.Spelling) { l.spelling, l.decided = s, true }

// choose finds the spelling, and adds the entries that waited for it.
func (l *listReader) choose(spellings []manifest.Spelling, waiting []manifest.Entry) error {
	s, err := manifest.Choose(spellings, waiting, func(key string) (bool, error) { return l.Has(l.below(key)) })
	if err != nil {
		return fmt.Errorf("find out which keys its names stand for: %w", err)
	}
	l.decide(s)
	for _, e := range waiting {
		if err := l.add(e); err != nil {
			return err
		}
	}
	return nil
}

// below returns a key of the pass.
func (l *listReader) below(key string) string {
	if !strings.HasPrefix(key, l.Options.Prefix) {
		return l.Options.Prefix + key
	}
	return key
}

func (l *listReader) add(e manifest.Entry) error {
	key, ok := l.spelling.Key(e)
	key = l.below(key)
	if !ok || !l.Options.Selects(sweep.Item{Record: true, Object: pipeline.Object{Key: key}}) {
		return nil
	}
	l.used++
	if err := l.entries.Add(key, e.Size, e.Checksums); err != nil {
		return fmt.Errorf("line %d: %w", e.Line, err)
	}
	return nil
}

func (l *listReader) improper(err error) {
	if l.bad++; l.bad <= shownLines {
		l.Notes = append(l.Notes, err.Error())
	}
}

// end tells what the lines say together. What was left out may be why there is nothing to compare.
func (l *listReader) end(leftOut []string) error {
	switch {
	case l.bad > 0 && l.Strict:
		return fmt.Errorf("lines that are not of its form: %d; the first is %s", l.bad, l.Notes[0])
	case l.bad > shownLines:
		l.Notes = append(l.Notes, fmt.Sprintf("lines that are not of its form: %d", l.bad))
	}
	if l.used == 0 {
		return errors.New(strings.Join(slices.Concat([]string{"it has no checksums of objects that this pass is about"}, l.Notes, leftOut), "; "))
	}
	return nil
}

// compare returns a Tell that compares rows before it tells them, and a function that tells what shows only when all
// rows were compared.
func (l *List) compare(ctx context.Context, announce pipeline.Publisher, tell Tell) (Tell, func(bucket string) error) {
	one := func(r sweep.Row) error {
		if r.State == sweep.Mismatch && len(r.Expected) > 0 && announce != nil {
			if err := announce(ctx, mismatch(r)); err != nil {
				return fmt.Errorf("publish the mismatch of %q: %w", r.Key, err)
			}
		}
		return tell([]sweep.Row{r})
	}
	compared := func(rows []sweep.Row) error {
		for _, r := range rows {
			if r, decided := l.entries.Compare(r); decided {
				if err := one(r); err != nil {
					return err
				}
			}
		}
		return nil
	}
	rest := func(bucket string) error {
		for r := range l.entries.Rest(bucket) {
			if err := one(r); err != nil {
				return err
			}
		}
		return nil
	}
	return compared, rest
}

// mismatch returns the result that announces that an object is not as its list says.
func mismatch(r sweep.Row) pipeline.Result {
	o := pipeline.Object{Bucket: r.Bucket, Key: r.Key, VersionID: r.VersionID, ETag: r.ETag, Size: pipeline.UnknownSize}
	if r.Size != nil {
		o.Size = *r.Size
	}
	result := pipeline.Result{Outcome: pipeline.Mismatch, Record: pipeline.Record{Source: o, Digests: r.Checksums}, Reason: "it is not what the list says"}
	if r.VerifiedAt != nil {
		result.Record.ComputedAt = *r.VerifiedAt
	}
	for alg, value := range r.Expected {
		result.Record.Checks = append(result.Record.Checks, pipeline.Check{Name: "list", Algorithm: alg,
			Verdict: digest.Verdict{Outcome: digest.Mismatch, Claimed: value, Computed: r.Checksums[alg]}})
	}
	return result
}
