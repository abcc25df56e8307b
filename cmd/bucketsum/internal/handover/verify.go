package handover

import (
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/attestation"
	"github.com/bucketsum/bucketsum/pipeline/readable"
)

// ErrFailed means that a signature or a file is not right. Verify has printed what.
var ErrFailed = errors.New("the manifest is not what was signed")

// Verify checks the signed statement in a file, and the files beside it that it is about. It prints what it finds as md5sum -c
// does, and what the manifest is of. Errors: ErrFailed; anything else means that it could not be checked.
func Verify(out io.Writer, statement string, key crypto.PublicKey) error {
	line, err := readFile(statement, attestation.MaxEnvelope)
	if err != nil {
		return err
	}
	s, err := attestation.Verify(line, key)
	if err != nil {
		fmt.Fprintf(out, "%s: FAILED: %v\n", readable.Name(statement), err)
		return ErrFailed
	}
	failed := false
	for _, f := range s.Subject {
		verdict := "OK"
		if err := compare(filepath.Dir(statement), f); err != nil {
			verdict, failed = "FAILED: "+err.Error(), true
		}
		fmt.Fprintf(out, "%s: %s\n", readable.Name(f.Name), verdict)
	}
	p := s.Predicate
	_, err = fmt.Fprintf(out, "signed: manifest of %d objects, %d bytes in bucket %s, prefix %q, made on %s; left out: %d objects\n",
		p.Objects, p.Bytes, readable.Name(p.Bucket), p.Prefix, p.CreatedOn.UTC().Format(time.RFC3339), p.LeftOut)
	if failed {
		return ErrFailed
	}
	return err
}

// compare compares a file with its digest in a statement.
func compare(dir string, f attestation.File) error {
	if !filepath.IsLocal(f.Name) {
		return errors.New("the name leads out of the folder of the statement")
	}
	in, err := os.Open(filepath.Join(dir, f.Name))
	if err != nil {
		return errors.New("it cannot be read")
	}
	defer in.Close() // was only read
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, in); err != nil {
		return errors.New("it cannot be read")
	}
	if hex.EncodeToString(hash.Sum(nil)) != f.Digest["sha256"] {
		return errors.New("it is not the file that was signed")
	}
	return nil
}

// ReadKey returns the content of a file with a key.
func ReadKey(name string) ([]byte, error) { return readFile(name, 64<<10) }

func readFile(name string, most int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // was only read
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return text, err
}
