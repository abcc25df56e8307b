package md5sum

import (
	"strings"

	"github.com/spf13/pflag"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/flagvalue"
	"github.com/bucketsum/bucketsum/pipeline/digest"
)

// Define defines the flags of md5sum, b2sum and cksum, and some for folders. As in coreutils, the last of --binary and
// --text counts, and so does the last of --status, --warn and --quiet.
func (o *Options) Define(fs *pflag.FlagSet) {
	o.Format = FormatText
	fs.StringSliceVarP(&o.Algorithms, "algorithms", "a", digest.Names()[:1], "checksums to compute in one pass: "+strings.Join(digest.Computable(), ", "))
	fs.IntVarP(&o.Length, "length", "l", 0, "bits of the checksums of blake2b (a multiple of 8), sha2 or sha3")
	fs.BoolVar(&o.Tag, "tag", false, "print BSD-style lines, which name the algorithm")
	fs.BoolVar(&o.Untagged, "untagged", false, "print lines that do not name the algorithm, for every algorithm")
	fs.BoolVarP(&o.Binary, "binary", "b", false, "mark names with an asterisk; this does not change how files are read")
	fs.BoolVarP(&o.Text, "text", "t", false, "do not mark names (the default)")
	fs.BoolVarP(&o.Zero, "zero", "z", false, "end lines with NUL, and do not escape names")
	fs.BoolVar(&o.Base64, "base64", false, "print checksums in base64")
	fs.BoolVar(&o.Raw, "raw", false, "print the bytes of one checksum and nothing else")
	fs.Var(flagvalue.OneOf(&o.Format, []string{FormatText, FormatJSON, FormatSFV}), "format", "text: lines as md5sum prints them; json: an object for each file, on a line of its own; sfv: names and crc32")
	fs.BoolVarP(&o.Recursive, "recursive", "r", false, "read folders, with the folders in them; without an argument the current one")
	fs.StringVarP(&o.Directory, "directory", "C", "", "folder that the names of files are relative to, also those in lists; the lists themselves are not")
	fs.BoolVarP(&o.Check, "check", "c", false, "read checksums from the arguments and verify them")
	fs.BoolVar(&o.IgnoreMissing, "ignore-missing", false, "with --check: skip files that do not exist")
	fs.BoolVar(&o.Quiet, "quiet", false, "with --check: do not print OK for files that match")
	fs.BoolVar(&o.Status, "status", false, "with --check: print nothing; the exit status is the result")
	fs.BoolVar(&o.Strict, "strict", false, "with --check: fail on improperly formatted lines too")
	fs.BoolVarP(&o.Warn, "warn", "w", false, "with --check: print a warning for each improperly formatted line")
	fs.BoolVar(&o.CheckURLs, "check-urls", false, "with --check: read the objects that a list names by URL, with your credentials; without it, such a line fails")
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "algorithm" { // as cksum calls it
			name = "algorithms"
		}
		return pflag.NormalizedName(name)
	})
	flagvalue.Overrides(fs, "binary", "text")
	flagvalue.Overrides(fs, "text", "binary")
	flagvalue.Overrides(fs, "tag", "untagged", "text", "binary") // a tagged line has no asterisk
	flagvalue.Overrides(fs, "untagged", "tag")
	flagvalue.Overrides(fs, "quiet", "status", "warn")
	flagvalue.Overrides(fs, "status", "quiet", "warn")
	flagvalue.Overrides(fs, "warn", "quiet", "status")
}
