package pipelinetest

import (
	"errors"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
)

// A checksum file that states the right checksum, and nothing else, becomes the record and keeps its text. From then on it
// follows its object.
func testAdoption(s *storeTest) {
	b := s.Open(s.T)
	for key, form := range map[string]string{
		"line":         "{value}  {base}\n",
		"no/newline":   "{value}  {base}",
		"asterisk":     "{value} *{base}\n",
		"upper":        "{VALUE}  {base}\n",
		"bare":         "{value}",
		"bare/upper":   " {VALUE} \r\n",
		"tag":          "MD5 ({base}) = {value}\n",
		"openssl":      "MD5({base})= {value}\n",
		"tab":          "{value}\t{base}\n",
		"wide":         " {value}     {base}\n\n",
		"carriage":     "{value}  {base}\r\n",
		"bom":          "\ufeff{value}  {base}\n",
		"path/from/up": "{value}  ./path/from/{base}\n",
	} {
		first := only(record(s.version(key, "e1", "01"), key), "md5")
		value, base := first.Digests["md5"], key[strings.LastIndex(key, "/")+1:]
		text := strings.NewReplacer("{value}", value, "{VALUE}", strings.ToUpper(value), "{base}", base).Replace(form)
		file := s.RecordKey(key, "md5")
		s.Put(s.T, file, text)
		s.finds(b, key, pipeline.UserFile{Key: file, Algorithm: "md5", Values: []string{value}, Adoptable: true})
		s.save(b, first)
		s.recorded(b, first)
		s.recorded(s.Open(s.T), first) // by another process
		s.holds(file, text)
		s.save(b, first)
		s.holds(file, text)

		second := only(record(s.version(key, "e2", "02"), key+" changed"), "md5")
		s.save(b, second)
		s.recorded(b, second)
		s.holds(file, second.Digests["md5"]+"  "+base+"\n")
		s.removes(b, second.Source, true)
		s.holdsNothing(file)
	}
}

// A file that states more than the checksum of the object is right or wrong, and stays the user's.
func testUsersList(s *storeTest) {
	b := s.Open(s.T)
	r := record(s.version("a", "e1", "01"), "content")
	line := r.Digests["md5"] + "  a\n"
	for text, stated := range map[string]int{"# checked by me\n" + line: 1, line + strings.Repeat("0", 32) + "  b\n": 1, line + line: 2} {
		s.Put(s.T, s.RecordKey("a", "md5"), text)
		s.save(b, r) // it has nothing to write
		s.finds(b, "a", pipeline.UserFile{Key: s.RecordKey("a", "md5"), Algorithm: "md5", Values: slices.Repeat([]string{r.Digests["md5"]}, stated)})
		s.removes(b, r.Source, false)
		s.holds(s.RecordKey("a", "md5"), text)
	}
}

// A checksum file that states another checksum is a claim that the content contradicts.
func testContradiction(s *storeTest) {
	b := s.Open(s.T)
	r := record(s.version("dir/a", "e1", "01"), "content")
	file, wrong := s.RecordKey("dir/a", "md5"), strings.Repeat("0", 32)
	both := r.Digests["md5"] + "  a\n" + wrong + " *a\n"
	for _, text := range []string{wrong + "  a\n", wrong + "\n", "MD5 (a) = " + wrong + "\n", both} {
		s.Put(s.T, file, text)
		err := Save(s.Context(), b.Records, r)
		s.isClass(err, pipeline.ClassPermanent, pipeline.ErrMismatch)
		c, ok := errors.AsType[*pipeline.ContradictionError](err)
		if !ok || c.Check.Name != file || c.Check.Algorithm != "md5" || c.Check.Claimed != wrong || c.Check.Computed != r.Digests["md5"] {
			s.Errorf("got %+v of %v, want what %q says", c, err, file)
		}
		want := pipeline.UserFile{Key: file, Algorithm: "md5", Values: []string{wrong}, Adoptable: true}
		if text == both {
			want.Values, want.Adoptable = []string{r.Digests["md5"], wrong}, false
		}
		s.finds(b, "dir/a", want)
		s.removes(b, r.Source, false)
		s.holds(file, text)
	}
}
