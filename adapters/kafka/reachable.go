package kafka

import "context"

// Reachable reports why the topic of a URL cannot be read now. It asks anew, as a member
// of a group says nothing while it tries to reach its broker again, and makes nothing.
func (d Driver) Reachable(ctx context.Context, url string) error {
	a, err := parseAddress(url)
	if err != nil {
		return err
	}
	a.create = false
	return d.exists(ctx, a)
}
