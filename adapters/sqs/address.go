package sqs

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// address is the content of a queue URL.
type address struct {
	ordered    bool          // the scheme
	queue      string        // the queue's own URL
	visibility time.Duration // 0: the queue's
	wait       time.Duration // of a long poll
	raw        bool
	sdk        url.Values // for the SDK's configuration
}

// hostRegion finds the region in the hosts of queues.
var hostRegion = regexp.MustCompile(`^(?:sqs\.([a-z0-9-]+)|([a-z0-9-]+)\.queue)\.amazonaws\.com(?:\.cn)?$`)

func parseAddress(raw string) (address, error) {
	u, err := redact.Parse(raw)
	if err != nil {
		return address{}, err
	}
	a := address{wait: 20 * time.Second, raw: true, sdk: u.Query()}
	switch u.Scheme {
	case SchemeOrdered:
		a.ordered = true
	case SchemeParallel:
	default:
		return address{}, fmt.Errorf("its scheme is neither %s nor %s", SchemeParallel, SchemeOrdered)
	}
	if u.User != nil {
		return address{}, fmt.Errorf("it must hold no user name or password: credentials come from the environment, a profile or a role")
	}
	if u.Host == "" || len(u.Path) < 2 {
		return address{}, fmt.Errorf("it must have the form %s://HOST/ACCOUNT/NAME", u.Scheme)
	}
	a.queue = (&url.URL{Scheme: "https", Host: u.Host, Path: u.Path}).String()

	if a.visibility, err = duration(a.sdk, "visibility", time.Second, 12*time.Hour, 0); err != nil {
		return address{}, err
	}
	if a.wait, err = duration(a.sdk, "waittime", 0, 20*time.Second, a.wait); err != nil {
		return address{}, err
	}
	if v := a.sdk.Get("raw"); v != "" {
		if a.raw, err = strconv.ParseBool(v); err != nil {
			return address{}, fmt.Errorf("parameter raw is %q, neither true nor false", v)
		}
	}
	a.sdk.Del("raw")
	a.sdk.Del("nacklazy") // accepted as gocloud does; messages are nacked in another way here
	if m := hostRegion.FindStringSubmatch(u.Hostname()); m != nil && !a.sdk.Has("region") {
		a.sdk.Set("region", m[1]+m[2])
	}
	return a, nil
}

// duration takes a parameter that is a number of seconds out of the query.
func duration(q url.Values, name string, least, most, absent time.Duration) (time.Duration, error) {
	v := q.Get(name)
	q.Del(name)
	if v == "" {
		return absent, nil
	}
	d, err := time.ParseDuration(v)
	if err != nil || d < least || d > most || d%time.Second != 0 {
		return 0, fmt.Errorf("parameter %s is %q, not a duration of whole seconds from %s to %s", name, v, least, most)
	}
	return d, nil
}
