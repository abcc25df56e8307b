package pass

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// ReadList reads a list, as far as it is about the objects of a pass. Names are keys; those that lack the prefix of the pass
// are below it. Lines that cannot be read are named in Notes, or are an error if strict.
func ReadList(in io.Reader, name string, o sweep.Options, strict bool) (*List, error) {
	reader, err := manifest.NewReader(in, manifest.Options{Name: name, Algorithms: o.Algorithms})
	if err != nil {
		return nil, err
	}
	l := new(List)
	n, improper := 0, 0
	for e, err := range reader.Entries() {
		line := (*manifest.LineError)(nil)
		switch {
		case errors.As(err, &line):
			if improper++; improper <= shownLines {
				l.Notes = append(l.Notes, err.Error())
			}
			continue
		case err != nil:
			return nil, err
		}
		key := e.Name
		if !strings.HasPrefix(key, o.Prefix) {
			key = o.Prefix + key
		}
		if !o.Selects(sweep.Item{Record: true, Object: pipeline.Object{Key: key}}) {
			continue
		}
		n++
		if err := l.entries.Add(key, e.Size, e.Checksums); err != nil {
			return nil, fmt.Errorf("line %d: %w", e.Line, err)
		}
	}
	switch {
	case improper > 0 && strict:
		return nil, fmt.Errorf("lines that are not of its form: %d; the first is %s", improper, l.Notes[0])
	case improper > shownLines:
		l.Notes = append(l.Notes, fmt.Sprintf("lines that are not of its form: %d", improper))
	}
	if n == 0 {
		return nil, errors.New("it has no checksums of objects that this pass is about")
	}
	l.Notes = append(l.Notes, reader.Notes()...)
	l.Algorithms = l.entries.Algorithms()
	return l, nil
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
