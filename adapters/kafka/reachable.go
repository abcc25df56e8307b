package kafka

import "context"

// Reachable reports why the topic of a URL cannot be read now. It asks a broker, because
// a member of a group reports nothing while it tries to reconnect. It creates nothing.
func (d Driver) Reachable(ctx context.Context, url string) error {
	a, err := parseAddress(url)
	if err != nil {
		return err
	}
	a.create = false
	return d.exists(ctx, a)
}
