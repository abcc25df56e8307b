package kafka

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostMetadata is less than 4,096 bytes, a broker's default limit for the metadata of a
// commit.
const mostMetadata = 4000

// progress says which messages of a partition are finished: all before the offset next,
// except the open ones.
type progress struct {
	next int64
	open []int64 // ascending offsets: delivered and not finished
}

// done reports whether the message at an offset is finished.
func (p *progress) done(offset int64) bool {
	if offset >= p.next {
		return false
	}
	_, open := slices.BinarySearch(p.open, offset)
	return !open
}

// deliver notes that the message at an offset is in work.
func (p *progress) deliver(offset int64) {
	if i, found := slices.BinarySearch(p.open, offset); !found {
		p.open = slices.Insert(p.open, i, offset)
	}
	p.next = max(p.next, offset+1)
}

// finish notes that the message at an offset is finished.
func (p *progress) finish(offset int64) {
	if i, found := slices.BinarySearch(p.open, offset); found {
		p.open = slices.Delete(p.open, i, i+1)
	}
}

// offset is the offset to commit: a worker that does not know the metadata resumes
// there.
func (p *progress) offset() int64 {
	if len(p.open) > 0 {
		return p.open[0]
	}
	return p.next
}

// metadataPrefix begins the metadata of our commits.
const metadataPrefix = "bucketsum1"

// metadata says which messages after the offset are finished: "bucketsum1 NEXT OPEN…".
// The numbers are relative to the offset. The first open one is left out, as it is 0. If
// there are more open messages than fit, the metadata leaves out finished ones.
func (p *progress) metadata() string {
	from := p.offset()
	if p.next == from {
		return ""
	}
	var open strings.Builder
	for i, o := range p.open {
		if i == 0 {
			continue
		}
		word := " " + strconv.FormatInt(o-from, 10)
		if open.Len()+len(word)+40 > mostMetadata {
			return fmt.Sprintf("%s %d%s", metadataPrefix, o-from, open.String())
		}
		open.WriteString(word)
	}
	return fmt.Sprintf("%s %d%s", metadataPrefix, p.next-from, open.String())
}

// resume returns the progress of a commit. It ignores metadata of other programs.
func resume(offset int64, metadata string) progress {
	p := progress{next: max(offset, 0)}
	words := strings.Split(metadata, " ") // as metadata writes them, nothing more
	if offset < 0 || len(words) < 2 || words[0] != metadataPrefix {
		return p
	}
	numbers := make([]int64, len(words)-1)
	for i, w := range words[1:] {
		n, err := strconv.ParseInt(w, 10, 64)
		if err != nil || n < 0 || n > 1<<40 {
			return p
		}
		numbers[i] = offset + n
	}
	p.next, p.open = numbers[0], append([]int64{offset}, numbers[1:]...)
	if !slices.IsSorted(p.open) || p.open[len(p.open)-1] >= p.next {
		return progress{next: offset}
	}
	return p
}
