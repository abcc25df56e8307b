package md5sum

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/bucketsum/bucketsum/pipeline/digest"
	"github.com/bucketsum/bucketsum/pipeline/manifest"
)

// FuzzList reads lists that others wrote. Every line is checked, or counted as improper, and
// none is read as two.
func FuzzList(f *testing.F) {
	for _, list := range []string{
		strings.Repeat("0", 32) + "  a\n", "\\" + strings.Repeat("f", 40) + " *a\\nb\r\n", "MD5 (a) = " + strings.Repeat("0", 32), "# comment\n\n\r\n",
		"BLAKE3 (" + strings.Repeat(")", 100) + ") = 00", strings.Repeat("0", 64) + "  s3://b/k\n" + strings.Repeat("0", 64) + "  file:///etc/passwd#x", "\xff\x00  \n",
		"; x\na 00000000\n", "Algorithm : MD5\nHash : " + strings.Repeat("0", 32) + "\nPath : C:\\a\\b\n", "Path,Hash\ns3://b/k," + strings.Repeat("0", 32) + "\n",
		"MD5 hash of \\\\host\\share\\f:\n" + strings.Repeat("0", 32) + "\n", `{"name":"-","checksums":{"md5":"` + strings.Repeat("0", 32) + `"}}`,
		`{"digestAlgorithm":"md5","head":"v1","manifest":{"` + strings.Repeat("0", 32) + `":["gs://b/k"]},"versions":{"v1":{}}}`,
		"%%%% HASHDEEP-1.0\n%%%% size,md5,filename\n", strings.Repeat("a", 70_000) + "\n" + strings.Repeat("0", 32) + "  a",
	} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		c := checker{o: &Options{}, r: &reader{schemes: schemes{"s3", "file"}}, list: object{file: "-"}}
		last := 0
		err := c.tasks(bytes.NewReader(list), func(task checkTask) bool {
			if task.number <= last {
				t.Errorf("line %d comes after line %d", task.number, last)
			}
			last = task.number
			if task.improper != nil {
				return true
			}
			for algorithm, value := range task.want {
				if !digest.Valid(algorithm, value) {
					t.Errorf("line %d is read as %+v", task.number, task)
				}
			}
			if len(task.want) == 0 || task.name == "-" || len(task.places) == 0 {
				t.Errorf("line %d is read as %+v", task.number, task)
			}
			for _, place := range task.places {
				if task.err == nil && place.file == "" && task.name != "" || place.bucket != "" {
					t.Errorf("line %d names %+v", task.number, place)
				}
			}
			return true
		})
		if err != nil && !errors.Is(err, manifest.ErrRead) {
			t.Error(err)
		}
		if most := bytes.Count(list, []byte("\n")) + 1; last > most {
			t.Errorf("%d lines of %d", last, most)
		}
	})
}
