package inventory

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"

	"github.com/bucketsum/bucketsum/pipeline/sweep"
)

// Limits of positions. Their numbers have as many digits.
const (
	mostFiles = 999_999
	lastRow   = 999_999_999_999
)

// position is a row: its file, from 0, and its number there, from 1. Row 0 is in front of the first.
type position struct {
	file int
	row  int64
}

func (p position) String() string { return fmt.Sprintf("%06d:%012d", p.file, p.row) }

var positionForm = regexp.MustCompile(`^[0-9]{6}:[0-9]{12}$`)

// parsePosition parses a position. It may be from a message.
func parsePosition(s string) (position, error) {
	if !positionForm.MatchString(s) {
		return position{}, fmt.Errorf("%.40q is no position in an inventory", s)
	}
	n, _ := strconv.Atoi(s[:6]) // it has digits only
	row, _ := strconv.ParseInt(s[7:], 10, 64)
	return position{n, row}, nil
}

// positions returns the positions that a range is between: after the first, through the second.
func positions(r sweep.Range) (after, through position, err error) {
	through = position{math.MaxInt, lastRow}
	if r.After != "" {
		if after, err = parsePosition(r.After); err != nil {
			return after, through, err
		}
	}
	if r.Through != "" {
		through, err = parsePosition(r.Through)
	}
	return after, through, err
}

// part is a part of a file.
type part struct {
	file           int
	after, through int64
}

// Split implements sweep.Source. It divides between files, by their sizes. A single file is divided by its rows. To
// count those of a file that does not tell their number, it is read once.
func (v *Inventory) Split(ctx context.Context, r sweep.Range) (at string, ok bool, err error) {
	from, through, err := positions(r)
	if err != nil {
		return "", false, err
	}
	if from.row == lastRow {
		from = position{from.file + 1, 0}
	}
	if through.file >= len(v.files) {
		through = position{len(v.files) - 1, lastRow}
	}
	switch {
	case from.file > through.file:
		return "", false, nil
	case from.file < through.file:
		return position{v.halfway(from.file, through.file), lastRow}.String(), true, nil
	}
	rows, err := v.count(ctx, from.file)
	if err != nil {
		return "", false, err
	}
	end := min(through.row, rows)
	if end-from.row < 2 {
		return "", false, nil
	}
	return position{from.file, from.row + (end-from.row)/2}.String(), true, nil
}

// halfway returns the file before the end of the range after which about half of the bytes of the files follow.
func (v *Inventory) halfway(from, through int) int {
	weight := func(n int) int64 { return max(v.files[n].size, 1) }
	all := int64(0)
	for n := from; n <= through; n++ {
		all += weight(n)
	}
	sum := int64(0)
	for n := from; n < through-1; n++ {
		if sum += weight(n); sum >= all/2 {
			return n
		}
	}
	return through - 1
}

// count returns the number of rows of a file.
func (v *Inventory) count(ctx context.Context, n int) (int64, error) {
	v.mu.Lock()
	count, ok := v.rows[n]
	v.mu.Unlock()
	if ok {
		return count, nil
	}
	rows, err := v.rowsOf(ctx, v.files[n])
	if err != nil {
		return 0, err
	}
	defer rows.close()
	if p, ok := rows.(*parquetReader); ok {
		count = p.count()
	} else {
		for err = rows.skip(); err == nil; err = rows.skip() {
			if count++; count%1024 == 0 && ctx.Err() != nil {
				return 0, context.Cause(ctx)
			}
		}
		if err = ended(err); err != nil {
			return 0, fmt.Errorf("count the rows of %s: %w", v.files[n].name, err)
		}
	}
	v.mu.Lock()
	v.rows[n] = count
	v.mu.Unlock()
	return count, nil
}

// ended returns nil for the end of a file.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
