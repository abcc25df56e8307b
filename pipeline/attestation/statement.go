package attestation

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// The types of statements and predicates that are written, and read.
const (
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://github.com/bucketsum/bucketsum/manifest/v1"
)

// Statement says something about files.
type Statement struct {
	Type          string    `json:"_type"`
	Subject       []File    `json:"subject"`
	PredicateType string    `json:"predicateType"`
	Predicate     Predicate `json:"predicate"`
}

// File is a file by its content.
type File struct {
	Name   string            `json:"name"`   // relative to the statement
	Digest map[string]string `json:"digest"` // in hexadecimal by algorithm; sha256 is always there
}

// Predicate describes the manifest that the files are.
type Predicate struct {
	Bucket     string    `json:"bucket"` // the name that events carry
	Prefix     string    `json:"prefix,omitempty"`
	Strip      string    `json:"strip,omitempty"` // was cut from the names
	Format     string    `json:"format"`
	Algorithms []string  `json:"algorithms"`
	Objects    int64     `json:"objects"` // in the manifest
	Bytes      int64     `json:"bytes"`   // of these objects
	LeftOut    int64     `json:"leftOut"` // selected objects that are not in the manifest, because they have no current record
	CreatedOn  time.Time `json:"createdOn"`
	Generator  Generator `json:"generator"`
}

// Generator is the program that made a manifest.
type Generator struct {
	ID      string `json:"id"`
	Version string `json:"version"`
}

// parse reads a statement about a manifest.
func parse(payload []byte) (Statement, error) {
	var s Statement
	if err := json.Unmarshal(payload, &s); err != nil {
		return s, errors.New("the signed statement is not JSON of an in-toto statement")
	}
	switch {
	case s.Type != StatementType:
		return s, fmt.Errorf("the signed statement has the type %.100q; expected %s", s.Type, StatementType)
	case s.PredicateType != PredicateType:
		return s, fmt.Errorf("the signed statement is not about a manifest, but has the type %.100q", s.PredicateType)
	case len(s.Subject) == 0:
		return s, errors.New("the signed statement names no file")
	}
	for _, f := range s.Subject {
		if f.Name == "" || f.Digest["sha256"] == "" {
			return s, fmt.Errorf("the signed statement has no name or no sha256 of its file %.100q", f.Name)
		}
	}
	return s, nil
}
