package manifest

import (
	"path"
	"slices"
	"strings"
)

// Spelling turns the names of a list into keys. The same list may be about a whole bucket, a prefix in it, a bag, or the payload of one.
type Spelling struct {
	Strip   string // is cut from names, which must begin with it
	Add     string // is put before them
	Slashes bool   // names are paths of Windows, and keys have slashes for their backslashes
	Logical bool   // of an OCFL inventory, the logical paths count, not those of content
}

// Key returns the key that an entry is about. It is not ok if the spelling leaves the entry out.
func (s Spelling) Key(e Entry) (string, bool) {
	if s.Slashes {
		e.Name = strings.ReplaceAll(e.Name, `\`, "/")
	}
	name, ok := strings.CutPrefix(e.Name, s.Strip)
	return s.Add + name, ok && name != "" && e.Logical == s.Logical
}

// Spellings returns how a list of a form may name objects, the likeliest first. The place is the key of the list, if it is in the
// same bucket as the objects; else empty.
func Spellings(f Form, place string) []Spelling {
	names := []Spelling{{}}
	switch f {
	case BagIt: // a whole bag, or its payload
		names = append(names, Spelling{Strip: "data/"})
	case OCFL:
		names = append(names, Spelling{Logical: true})
	case Sums, Hashdeep, SFV, Hashes, Certutil:
		names = append(names, Spelling{Slashes: true})
	}
	folders := []string{""}
	if dir := path.Dir(place); place != "" && dir != "." {
		folders = append(folders, dir+"/")
	}
	var all []Spelling
	for _, folder := range folders {
		for _, s := range names {
			s.Add = folder
			all = append(all, s)
		}
	}
	return all
}

// Samples is how many entries of a list decide its spelling. Of an OCFL inventory, whose logical paths come last, all are
// needed.
const Samples = 20

// Choose returns the spelling with which the most of some entries have an object, the first one if there is no
// difference. It asks about nothing if only one is possible.
func Choose(spellings []Spelling, entries []Entry, exists func(key string) (bool, error)) (Spelling, error) {
	if !slices.ContainsFunc(entries, func(e Entry) bool { return strings.Contains(e.Name, `\`) }) {
		spellings = slices.DeleteFunc(slices.Clone(spellings), func(s Spelling) bool { return s.Slashes })
	}
	if len(spellings) == 1 {
		return spellings[0], nil
	}
	best, most := Spelling{}, -1
	for _, s := range spellings {
		asked, found := 0, 0
		for _, e := range entries {
			key, ok := s.Key(e)
			if !ok {
				continue
			}
			if asked++; asked > Samples {
				break
			}
			ok, err := exists(key)
			if err != nil {
				return Spelling{}, err
			}
			if ok {
				found++
			}
		}
		if found > most {
			best, most = s, found
		}
		if asked > 0 && found == min(asked, Samples) {
			break // no other can be better
		}
	}
	return best, nil
}
