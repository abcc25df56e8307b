package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Drivers are the technologies that a program supports. No two have a scheme in
// common.
type Drivers []Driver

// Of returns the driver of a URL's scheme.
func (ds Drivers) Of(rawURL string) (Driver, error) {
	u, err := redact.Parse(rawURL)
	if err != nil {
		return nil, pipeline.Permanent(err)
	}
	if redact.Misplaced(u) {
		return nil, pipeline.Permanent(errors.New("its path has an @: write // before the user, and the / of a password as %2F"))
	}
	if i := ds.index(u.Scheme); i >= 0 {
		return ds[i], nil
	}
	var valid []string
	for _, s := range ds.Schemes() {
		valid = append(valid, s.Name+"://")
	}
	return nil, pipeline.Permanent(fmt.Errorf("unknown scheme %q; valid are %s", u.Scheme, strings.Join(valid, ", ")))
}

func (ds Drivers) index(scheme string) int {
	return slices.IndexFunc(ds, func(d Driver) bool {
		return slices.ContainsFunc(d.Traits().Schemes, func(s Scheme) bool { return s.Name == scheme })
	})
}

// Schemes returns the schemes of all drivers, in their order.
func (ds Drivers) Schemes() []Scheme {
	var schemes []Scheme
	for _, d := range ds {
		schemes = append(schemes, d.Traits().Schemes...)
	}
	return schemes
}

// SamePlace reports whether two URLs name one queue or topic of one driver; see
// Traits.SamePlace.
func (ds Drivers) SamePlace(a, b string) bool {
	first, err := redact.Parse(a)
	second, err2 := redact.Parse(b)
	if err != nil || err2 != nil {
		return false
	}
	i := ds.index(first.Scheme)
	return i >= 0 && i == ds.index(second.Scheme) && ds[i].Traits().SamePlace(a, b)
}
