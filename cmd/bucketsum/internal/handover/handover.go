// Package handover writes the manifest of a bucket from the rows of a pass: to standard output, to a file, or as a bag, with a
// signed statement beside it. A file appears under its name only when the manifest is complete.
package handover

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/output"
	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/attestation"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// StatementEnding is that of the file beside a manifest that has the signed statement about it.
const StatementEnding = ".intoto.jsonl"

// home is where the program is from.
const home = "https://github.com/bucketsum/bucketsum"

// Config describes a manifest. Format and Algorithms are needed.
type Config struct {
	Format     manifest.Format
	Algorithms []string
	Out        io.Writer // takes the manifest if Output is empty
	Output     string    // path of a file, or of the folder of a bag
	// ExistingBag: the objects below Strip are those of a bag already.
	ExistingBag bool

	Bucket  string
	Prefix  string        // of the keys
	Strip   string        // is cut from them; Prefix begins with it
	Key     crypto.Signer // nil: no statement
	Version string        // of the program
	Now     time.Time
}

// Validate returns all mistakes.
func (c *Config) Validate() error {
	faults := []error{c.Format.Validate(c.Algorithms)}
	if !strings.HasPrefix(c.Prefix, c.Strip) {
		faults = append(faults, fmt.Errorf("--strip: %q is cut from every key, so --prefix must begin with it", c.Strip))
	}
	if c.Output == "" && c.Format == manifest.FormatBagIt {
		faults = append(faults, errors.New("--format bagit writes several files; name their folder with --output"))
	}
	if c.Output == "" && c.Key != nil {
		faults = append(faults, errors.New("--sign writes a statement beside the manifest; name the manifest with --output"))
	}
	return errors.Join(faults...)
}

// Manifest takes the rows of a pass in order. Its methods are not safe for concurrent use.
type Manifest struct {
	c     Config
	place *place // nil: standard output

	row    func(sweep.Row, manifest.Entry) error
	finish func() ([]manifest.Entry, error) // returns the files that were written

	objects, bytes, leftOut, folders int64
}

// New creates the files under other names.
func New(c Config) (*Manifest, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	m := &Manifest{c: c}
	var err error
	switch {
	case c.Format == manifest.FormatBagIt:
		err = m.bag()
	case c.Output != "":
		err = m.file()
	default:
		err = m.lines(c.Out)
	}
	if err != nil {
		return nil, errors.Join(err, m.Discard())
	}
	return m, nil
}

// lines writes a stream.
func (m *Manifest) lines(w io.Writer) error {
	if m.c.Format == manifest.FormatJSON {
		rows := output.JSON(w)
		m.row = func(r sweep.Row, e manifest.Entry) error {
			r.Key, r.Checksums = e.Name, e.Checksums
			return rows.Row(r)
		}
		m.finish = func() ([]manifest.Entry, error) { return nil, rows.Close(output.End{}) }
		return nil
	}
	lines, err := manifest.NewWriter(w, m.c.Format, m.c.Algorithms)
	if err != nil {
		return err
	}
	m.row = func(_ sweep.Row, e manifest.Entry) error { return lines.Write(e) }
	m.finish = func() ([]manifest.Entry, error) { return nil, lines.Close() }
	return nil
}

// file writes a stream to a file, and computes its checksum.
func (m *Manifest) file() error {
	folder, name := filepath.Split(m.c.Output)
	if name == "" {
		return fmt.Errorf("--output: %s is a folder; name a file in it", m.c.Output)
	}
	var err error
	if m.place, err = newPlace(cmp.Or(folder, "."), false); err != nil {
		return err
	}
	w, err := m.place.create(name)
	if err != nil {
		return err
	}
	sum := newSummed(w)
	if err := m.lines(sum); err != nil {
		return err
	}
	flush := m.finish
	m.finish = func() ([]manifest.Entry, error) {
		_, err := flush()
		return []manifest.Entry{{Name: name, Checksums: map[string]string{"sha256": sum.value()}}}, errors.Join(err, w.Close())
	}
	return nil
}

// bag writes the manifests and tag files of a bag to a folder.
func (m *Manifest) bag() error {
	var err error
	if m.place, err = newPlace(m.c.Output, true); err != nil {
		return err
	}
	if err := m.place.refuseStale(m.c.Algorithms, m.c.ExistingBag); err != nil {
		return err
	}
	info := [][2]string{{"Bagging-Date", m.c.Now.Format(time.DateOnly)}, {"Bag-Software-Agent", "bucketsum " + m.c.Version + " <" + home + ">"}}
	sums := make(map[string]*summed)
	b, err := manifest.NewBag(func(name string) (io.WriteCloser, error) {
		w, err := m.place.create(name)
		if err != nil {
			return nil, err
		}
		sums[name] = newSummed(w)
		return sums[name], nil
	}, manifest.BagOptions{Algorithms: m.c.Algorithms, Existing: m.c.ExistingBag, Info: info})
	if err != nil {
		return err
	}
	m.row = func(_ sweep.Row, e manifest.Entry) error { return b.Write(e) }
	m.finish = func() ([]manifest.Entry, error) {
		files, err := b.Close()
		for i, f := range files {
			files[i].Checksums = map[string]string{"sha256": sums[f.Name].value()}
		}
		return files, err
	}
	return nil
}

// Add adds the object of a row if it has a current record, and returns the row; as unreadable, with the reason, if the
// manifest cannot hold its name. An error is final.
func (m *Manifest) Add(r sweep.Row) (sweep.Row, error) {
	if r.State == sweep.Orphan {
		return r, nil
	}
	if r.State != sweep.OK {
		m.leftOut++
		return r, nil
	}
	e := manifest.Entry{Name: strings.TrimPrefix(r.Key, m.c.Strip), Checksums: make(map[string]string), Size: pipeline.UnknownSize}
	for _, a := range m.c.Algorithms {
		e.Checksums[a] = r.Checksums[a]
	}
	if r.Size != nil {
		e.Size = *r.Size
	}
	if m.c.Format != manifest.FormatJSON && e.Size == 0 && (e.Name == "" || strings.HasSuffix(e.Name, "/")) {
		m.folders++ // an object that consoles put there to show a folder; a download makes no file of it
		return r, nil
	}
	switch err := m.row(r, e); {
	case errors.Is(err, manifest.ErrName):
		m.leftOut++
		r.State, r.Reason = sweep.Unreadable, fmt.Sprintf("%v; leave it out with --exclude, or take another --format", err)
		return r, nil
	case err != nil:
		return r, fmt.Errorf("write the manifest: %w", err)
	}
	m.objects++
	m.bytes += max(e.Size, 0)
	return r, nil
}

// Folders returns how many empty objects were left out because their names are those of folders.
func (m *Manifest) Folders() int64 { return m.folders }

// Commit completes the manifest, signs it, and puts the files in their place. Discard is called instead if the manifest has
// gaps that it must not have; what went to standard output is not taken back.
func (m *Manifest) Commit() error {
	files, err := m.finish()
	if err != nil {
		return errors.Join(fmt.Errorf("write the manifest: %w", err), m.Discard())
	}
	if m.c.Key != nil {
		if err := m.sign(files); err != nil {
			return errors.Join(err, m.Discard())
		}
	}
	if m.place == nil {
		return nil
	}
	return m.place.commit()
}

// Discard removes what was written to files.
func (m *Manifest) Discard() error {
	if m.place == nil {
		if m.finish == nil {
			return nil
		}
		_, err := m.finish()
		return err
	}
	return m.place.discard()
}

func (m *Manifest) sign(files []manifest.Entry) error {
	s := attestation.Statement{Predicate: attestation.Predicate{
		Bucket: m.c.Bucket, Prefix: m.c.Prefix, Strip: m.c.Strip, Format: string(m.c.Format), Algorithms: slices.Clone(m.c.Algorithms),
		Objects: m.objects, Bytes: m.bytes, LeftOut: m.leftOut, CreatedOn: m.c.Now.UTC(), Generator: attestation.Generator{ID: home, Version: m.c.Version},
	}}
	for _, f := range files {
		s.Subject = append(s.Subject, attestation.File{Name: f.Name, Digest: f.Checksums})
	}
	line, err := attestation.Sign(s, m.c.Key)
	if err != nil {
		return err
	}
	w, err := m.place.create(m.statement())
	if err != nil {
		return err
	}
	_, err = w.Write(line)
	return errors.Join(err, w.Close())
}

// statement returns the name of the file with the signed statement.
func (m *Manifest) statement() string {
	if m.c.Format == manifest.FormatBagIt {
		return "manifest" + StatementEnding
	}
	return filepath.Base(m.c.Output) + StatementEnding
}
