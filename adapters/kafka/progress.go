package kafka

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostMetadata is below 4,096 bytes, what a broker takes with a commit by default.
const mostMetadata = 4000

// progress is what is done of one partition: everything before the offset next
// but for open.
type progress struct {
	next int64
	open []int64 // ascending: delivered and not finished
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

// offset is where somebody has to go on who knows nothing else.
func (p *progress) offset() int64 {
	if len(p.open) > 0 {
		return p.open[0]
	}
	return p.next
}

// metadataPrefix says that a commit's metadata is ours.
const metadataPrefix = "bucketsum1"

// metadata says what is finished after the offset: "bucketsum1 NEXT OPEN…",
// numbers that are relative to the offset, without the first open one, which is
// 0. If there are more open ones than fit, it says less than is finished.
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

// resume returns the progress that was committed. Metadata of others is none.
func resume(offset int64, metadata string) progress {
	p := progress{next: max(offset, 0)}
	words := strings.Fields(metadata)
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
