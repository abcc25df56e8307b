// Package docpage reads what the pages in docs say, so that tests can hold the program to it.
package docpage

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Rows returns the cells of the table in a page of docs whose header line starts with header, by
// rows.
func Rows(t testing.TB, page, header string) [][]string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root(t), "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(data), "\n"+header)
	if !ok {
		t.Fatalf("there is no table %q", header)
	}
	var rows [][]string
	for _, line := range strings.Split(table, "\n")[2:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// root returns the folder of the module, which is above that of the test.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err = os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if errors.Is(err, os.ErrNotExist) && dir != filepath.Dir(dir) {
			err = nil
		}
	}
	t.Fatal(err)
	return ""
}
