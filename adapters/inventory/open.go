package inventory

import (
	"bufio"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"path"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// maxManifest is the largest manifest, in bytes. One of 1,000 files has 0.3 MB.
const maxManifest = 32 << 20

func (v *Inventory) open(ctx context.Context) error {
	name := strings.TrimSuffix(strings.ToLower(v.config.Name), ".gz")
	if path.Ext(name) == ".orc" {
		return errORC
	}
	f, err := v.file(ctx, v.config.Name)
	if err != nil {
		return err
	}
	if v.id, err = f.id(); err != nil {
		return err
	}
	one := dataFile{name: v.config.Name, kind: keys, size: -1}
	switch suffix := path.Ext(name); {
	case v.config.Null:
		one.kind = nullKeys
		v.id += " null"
	case suffix == ".json":
		return v.openManifest(ctx, f)
	case suffix == ".parquet":
		one.kind = parquetRows
	case suffix == ".csv":
		one.kind = commas
		if one.table, err = v.batchTable(ctx, f); err != nil {
			return err
		}
	}
	v.files = []dataFile{one}
	if one.kind == parquetRows {
		_, err = v.count(ctx, 0)
	}
	return err
}

var errORC = pipeline.Permanent(errors.New("files in the format ORC are not read: choose CSV or Apache Parquet as the format of the inventory"))

// batchTable returns the table of a manifest of S3 Batch Operations, which has no names of columns: bucket, key and perhaps
// a version. It is nil for a table that begins with names.
func (v *Inventory) batchTable(ctx context.Context, f file) (*table, error) {
	content, err := f.from(ctx, 0)
	if err != nil {
		return nil, err
	}
	l, err := newLines(content, splitRecords, nil, "")
	defer l.close()
	if err != nil {
		return nil, err
	}
	line, err := l.next()
	if err == io.EOF {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := splitFields(nil, strings.TrimPrefix(string(line), "\ufeff"))
	if err != nil {
		return nil, pipeline.Permanent(fmt.Errorf("the first row: %w", err))
	}
	if _, err = newTable(names); err == nil {
		return nil, nil
	}
	if n := len(names); n < 2 || n > 3 {
		return nil, pipeline.Permanent(fmt.Errorf("it has neither the columns of a manifest of S3 Batch Operations (bucket, key, version), nor their names in its first row: %w", err))
	}
	return &table{columns: []field{fieldBucket, fieldKey, fieldVersion}[:len(names)], encoded: true}, nil
}

// manifest has the fields of all manifests.
type manifest struct {
	// S3
	SourceBucket      string `json:"sourceBucket"`
	CreationTimestamp string `json:"creationTimestamp"` // milliseconds
	FileFormat        string `json:"fileFormat"`
	FileSchema        string `json:"fileSchema"`
	// S3 and Azure
	Files []struct {
		Key  string `json:"key"`
		Blob string `json:"blob"`
		Size *int64 `json:"size"`
		MD5  string `json:"MD5checksum"`
	} `json:"files"`
	// Google
	SnapshotTime string   `json:"snapshot_time"`
	Shards       []string `json:"report_shards_file_names"`
	// Azure
	Status  string `json:"status"`
	Started string `json:"inventoryStartTime"`
	Rule    *struct {
		Format     string `json:"format"`
		ObjectType string `json:"objectType"`
	} `json:"ruleDefinition"`
}

func (v *Inventory) openManifest(ctx context.Context, f file) error {
	content, err := f.from(ctx, 0)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(content), maxManifest+1))
	if err = errors.Join(err, content.Close()); err != nil {
		return err
	}
	if len(text) > maxManifest {
		return pipeline.Permanent(fmt.Errorf("the manifest has more than %d bytes", maxManifest))
	}
	v.id = fmt.Sprintf("md5:%x", md5.Sum(text))
	var m manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return pipeline.Permanent(fmt.Errorf("the manifest is no JSON of an inventory: %w", err))
	}
	if err := v.readManifest(m); err != nil {
		return pipeline.Permanent(err)
	}
	if len(v.files) == 0 || len(v.files) > mostFiles {
		return pipeline.Permanent(fmt.Errorf("the manifest names %d files, which are not from 1 to %d", len(v.files), mostFiles))
	}
	return nil
}

// readManifest makes the list of files.
func (v *Inventory) readManifest(m manifest) error {
	switch {
	case m.FileSchema != "":
		return v.readS3(m)
	case m.Shards != nil:
		v.made = m.SnapshotTime
		for _, name := range m.Shards {
			if err := v.add(path.Join(path.Dir(v.config.Name), path.Base(name)), "", nil, -1, ""); err != nil {
				return err
			}
		}
		return nil
	case m.Rule != nil:
		return v.readAzure(m)
	}
	return errors.New("it is not a manifest of S3 Inventory, Google Cloud Storage or Azure: name their manifest.json")
}

func (v *Inventory) readS3(m manifest) error {
	if m.SourceBucket != v.config.Bucket {
		return fmt.Errorf("it is the inventory of bucket %q, and the pass is about %q: name that bucket, as NAME=URL if its URL has another name", m.SourceBucket, v.config.Bucket)
	}
	v.made = milliseconds(m.CreationTimestamp)
	var t *table
	switch strings.ToUpper(m.FileFormat) {
	case "CSV":
		var err error
		if t, err = newTable(strings.Split(m.FileSchema, ",")); err != nil {
			return err
		}
		t.encoded = true
	case "PARQUET":
	case "ORC":
		return errORC
	default:
		return fmt.Errorf("files in the format %.40q are not read: choose CSV or Apache Parquet", m.FileFormat)
	}
	for _, file := range m.Files {
		size := int64(-1)
		if file.Size != nil {
			size = *file.Size
		}
		if err := v.add(file.Key, m.FileFormat, t, size, file.MD5); err != nil {
			return err
		}
	}
	return nil
}

func (v *Inventory) readAzure(m manifest) error {
	switch {
	case m.Status != "" && !strings.EqualFold(m.Status, "Succeeded"):
		return fmt.Errorf("the inventory is not complete: its status is %.40q", m.Status)
	case m.Rule.ObjectType != "" && !strings.EqualFold(m.Rule.ObjectType, "blob"):
		return fmt.Errorf("it is an inventory of %.40qs: it has to be of blobs", m.Rule.ObjectType)
	}
	v.made = m.Started
	for _, file := range m.Files {
		size := int64(-1)
		if file.Size != nil {
			size = *file.Size
		}
		if err := v.add(file.Blob, m.Rule.Format, nil, size, ""); err != nil {
			return err
		}
	}
	return nil
}

// add adds a file that a manifest names.
func (v *Inventory) add(name, format string, t *table, size int64, sum string) error {
	f := dataFile{name: name, kind: commas, table: t, size: size, md5: sum}
	if v.config.From == nil {
		f.name = beside(v.config.Name, name)
	}
	switch ext := path.Ext(strings.ToLower(name)); {
	case name == "":
		return errors.New("it names a file without a name")
	case ext == ".orc":
		return errORC
	case ext == ".parquet", strings.EqualFold(format, "parquet"):
		f.kind, f.table = parquetRows, nil
	}
	v.files = append(v.files, f)
	return nil
}

// rowsOf opens a file of rows.
func (v *Inventory) rowsOf(ctx context.Context, f dataFile) (rows, error) {
	source, err := v.file(ctx, f.name)
	if err != nil {
		return nil, err
	}
	size, err := source.size()
	if err != nil {
		return nil, err
	}
	if f.size >= 0 && size != f.size {
		return nil, pipeline.Permanent(fmt.Errorf("it has %d bytes, its manifest says %d: copy it again, or take the next inventory", size, f.size))
	}
	if f.kind == parquetRows {
		return newParquetReader(ctx, source, size)
	}
	content, err := source.from(ctx, 0)
	if err != nil {
		return nil, err
	}
	split := bufio.SplitFunc(splitRecords)
	switch f.kind {
	case keys:
		split = bufio.ScanLines
	case nullKeys:
		split = splitNull
	}
	var sum hash.Hash
	if f.md5 != "" {
		sum = md5.New()
	}
	l, err := newLines(content, split, sum, f.md5)
	if err == nil && f.kind != commas {
		return keyReader{l}, nil
	}
	if err == nil {
		var c *csvReader
		if c, err = newCSVReader(l, f.table); err == nil {
			return c, nil
		}
	}
	l.close()
	return nil, err
}

// newCSVReader returns a reader of a table. Without columns, the first row has their names.
func newCSVReader(l *lines, t *table) (*csvReader, error) {
	c := &csvReader{lines: l, table: t}
	if t != nil {
		return c, nil
	}
	c.table = new(table)
	line, err := l.next()
	if err == io.EOF {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := splitFields(nil, strings.TrimPrefix(string(line), "\ufeff"))
	if err == nil {
		c.table, err = newTable(names)
	}
	if err != nil {
		return nil, pipeline.Permanent(fmt.Errorf("the first row has to have the names of the columns, which commas separate: %w", readable.Error(err)))
	}
	return c, nil
}
