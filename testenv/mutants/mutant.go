package main

import (
	"encoding/json"
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"
)

// mutant is one seeded bug.
type mutant struct {
	name    string
	what    string // what the bug breaks, in one sentence without a period
	changes []change
	// rare: hardly a random schedule shows it. The complete search of testenv/model has a row of the same
	// name, which shows it.
	rare bool
	pass bool   // it breaks a pass over existing objects, which the simulator does not make
	lie  string // what the events of its schedules say that is not so; see testenv/sim
}

// change replaces one piece of a source file.
type change struct {
	file     string // its path from the root of the module
	old, new string // old occurs exactly once, so that a mutant cannot rot unnoticed
}

// apply returns the contents of the files that the mutant changes, by path from the root of the module.
func (m mutant) apply(root string) (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, c := range m.changes {
		source, ok := files[c.file]
		if !ok {
			var err error
			if source, err = os.ReadFile(filepath.Join(root, c.file)); err != nil {
				return nil, fmt.Errorf("mutant %s: %w", m.name, err)
			}
		}
		text := string(source)
		if n := strings.Count(text, c.old); n != 1 {
			return nil, fmt.Errorf("mutant %s: %s has this text %d times instead of once:\n%s", m.name, c.file, n, c.old)
		}
		files[c.file] = []byte(strings.Replace(text, c.old, c.new, 1))
	}
	for name, source := range files {
		if _, err := format.Source(source); err != nil {
			return nil, fmt.Errorf("mutant %s: %s: %w", m.name, name, err)
		}
	}
	return files, nil
}

// overlay writes the mutant's files below dir and returns the file for the go command's flag -overlay.
func (m mutant) overlay(root, dir string) (string, error) {
	files, err := m.apply(root)
	if err != nil {
		return "", err
	}
	replace := make(map[string]string)
	for name, source := range files {
		patched := filepath.Join(dir, m.name, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(patched), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(patched, source, 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, filepath.FromSlash(name))] = patched
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(dir, m.name+".json")
	return overlay, os.WriteFile(overlay, list, 0o644)
}
