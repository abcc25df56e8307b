package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of the footer of a Parquet file. Real ones have some hundred groups of rows with some tens of columns.
const (
	mostElements = 1 << 16 // of a list
	mostDepth    = 32
	mostMemory   = 192 << 20 // bytes that a decoder takes: 70,000 columns of groups of rows
	structMemory = 560       // bytes of the largest struct; in the footer it may have three
	valueMemory  = 16        // bytes of another element of a list
)

// checkThrift checks a struct in Thrift's compact protocol: its lists and texts are not longer than what follows, and not
// deeply nested. Decoders take memory for as many elements as a list announces, and far more than the elements have.
//
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
func checkThrift(data []byte) error {
	_, err := (&compact{rest: data}).structure(0)
	return err
}

// compact is what is left of an encoded struct.
type compact struct {
	rest   []byte
	memory int // that a decoder takes for what has passed
}

// takes counts memory.
func (c *compact) takes(n int) error {
	if c.memory += n; c.memory > mostMemory {
		return fmt.Errorf("it takes more than %d bytes of memory", mostMemory)
	}
	return nil
}

var errCut = errors.New("it is cut off")

func (c *compact) byte() (byte, error) {
	if len(c.rest) == 0 {
		return 0, errCut
	}
	b := c.rest[0]
	c.rest = c.rest[1:]
	return b, nil
}

func (c *compact) uvarint() (uint64, error) {
	v, n := binary.Uvarint(c.rest)
	if n <= 0 {
		return 0, errCut
	}
	c.rest = c.rest[n:]
	return v, nil
}

func (c *compact) pass(n uint64) error {
	if n > uint64(len(c.rest)) {
		return errCut
	}
	c.rest = c.rest[n:]
	return nil
}

// structure passes the fields of a struct.
func (c *compact) structure(depth int) (fields int, err error) {
	if depth > mostDepth {
		return 0, fmt.Errorf("it is nested more than %d times", mostDepth)
	}
	if err := c.takes(structMemory); err != nil {
		return 0, err
	}
	for ; ; fields++ {
		head, err := c.byte()
		if err != nil || head == 0 {
			return fields, err
		}
		if head>>4 == 0 { // the id of the field follows
			if _, err := c.uvarint(); err != nil {
				return fields, err
			}
		}
		if kind := head & 15; kind > 2 { // booleans are in the head
			if err := c.value(kind, depth); err != nil {
				return fields, err
			}
		}
	}
}

// value passes a value of a type.
func (c *compact) value(kind byte, depth int) error {
	switch kind {
	case 1, 2, 3:
		return c.pass(1)
	case 4, 5, 6:
		_, err := c.uvarint()
		return err
	case 7:
		return c.pass(8)
	case 8:
		n, err := c.uvarint()
		if err != nil {
			return err
		}
		return c.pass(n)
	case 9, 10:
		return c.list(depth)
	case 12:
		_, err := c.structure(depth + 1)
		return err
	}
	return fmt.Errorf("it has a value of type %d", kind)
}

func (c *compact) list(depth int) error {
	head, err := c.byte()
	if err != nil {
		return err
	}
	n := uint64(head >> 4)
	if n == 15 {
		if n, err = c.uvarint(); err != nil {
			return err
		}
	}
	if n > mostElements || n > uint64(len(c.rest)) {
		return fmt.Errorf("a list of %d elements is too long", n)
	}
	if depth > mostDepth {
		return fmt.Errorf("it is nested more than %d times", mostDepth)
	}
	if err := c.takes(int(n) * valueMemory); err != nil {
		return err
	}
	for range n {
		if err := c.value(head&15, depth+1); err != nil {
			return err
		}
	}
	return nil
}
