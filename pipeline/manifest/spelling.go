package manifest

import (
	"path"
	"strings"
)

// Spelling turns the names of a list into keys. The same list may be about a whole bucket, a prefix in it, a bag, or the payload of one.
type Spelling struct {
	Strip   string // is cut from names, which must begin with it
	Add     string // is put before them
	Logical bool   // of an OCFL inventory, the logical paths count, not those of content
}

// Key returns the key that an entry is about. It is not ok if the spelling leaves the entry out.
func (s Spelling) Key(e Entry) (string, bool) {
	name, ok := strings.CutPrefix(e.Name, s.Strip)
	return s.Add + name, ok && name != "" && e.Logical == s.Logical
}

// Spellings returns how a list of a form may name objects, the likeliest first. The prefix is that of the objects which the
// list is compared with, and place the key of the list, if it is in the same bucket; else empty.
func Spellings(f Form, prefix, place string) []Spelling {
	names := []Spelling{{}}
	switch f {
	case BagIt: // a whole bag, or its payload
		names = append(names, Spelling{Strip: "data/"})
	case OCFL:
		names = append(names, Spelling{Logical: true})
	}
	folders := []string{""}
	if dir := path.Dir(place); place != "" && dir != "." {
		folders = append(folders, dir+"/")
	}
	if prefix != "" && prefix != folders[len(folders)-1] {
		folders = append(folders, prefix)
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

// samples is how many names of a list decide its spelling.
const samples = 20

// Choose returns the spelling with which the most of some entries have an object, the first one if there is no
// difference.
func Choose(spellings []Spelling, entries []Entry, exists func(key string) (bool, error)) (Spelling, error) {
	best, most := Spelling{}, -1
	for _, s := range spellings {
		asked, found := 0, 0
		for _, e := range entries {
			key, ok := s.Key(e)
			if !ok {
				continue
			}
			if asked++; asked > samples {
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
		if asked > 0 && found == min(asked, samples) {
			break // no other can be better
		}
	}
	return best, nil
}
