package pass

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/cmd/bucketsum/internal/app"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Prices are in US dollars: "list", "get" and "put" for 1,000 requests (HEAD costs as much as GET), "transfer" for a
// GB of content that is read, "retrieve.CLASS" for a GB of a storage class, "get.CLASS" where a class has another price
// for requests.
type Prices map[string]float64

// published are the prices of stores by the scheme of their URLs. Those of S3 are the ones that
// https://aws.amazon.com/s3/pricing/ lists for us-east-1; reading within the region costs no transfer.
var published = map[string]Prices{
	"s3": {
		"list": 0.005, "put": 0.005, "get": 0.0004, "transfer": 0,
		"get.STANDARD_IA": 0.001, "retrieve.STANDARD_IA": 0.01,
		"get.ONEZONE_IA": 0.001, "retrieve.ONEZONE_IA": 0.01,
		"get.GLACIER_IR": 0.01, "retrieve.GLACIER_IR": 0.03,
	},
}

// local are the schemes of stores that are asked without requests.
var local = []string{"file", "mem"}

// market returns the scheme of the stores that requests go to. It is empty if they go to several kinds of stores,
// which have different prices, or to none.
func market(buckets []app.BucketURL) string {
	found := ""
	for _, b := range buckets {
		switch scheme := redact.Scheme(b.URL); {
		case slices.Contains(local, scheme):
		case found == "":
			found = scheme
		case found != scheme:
			return ""
		}
	}
	return found
}

var priceName = regexp.MustCompile(`^(list|put|get|transfer|(get|retrieve)\.[A-Za-z_]+)$`)

// ParsePrices reads NAME=USD values, and returns all mistakes.
func ParsePrices(values []string) (Prices, error) {
	p := make(Prices)
	var faults []error
	for _, v := range values {
		name, text, _ := strings.Cut(v, "=")
		usd, err := strconv.ParseFloat(text, 64)
		if err != nil || !(usd >= 0 && usd < 1e6) || !priceName.MatchString(name) {
			faults = append(faults, fmt.Errorf("%q is not a price; valid are for example get=0.0004, put=0.005, list=0.005 (for 1,000 requests), transfer=0.09, retrieve.STANDARD_IA=0.01 (for 1 GB)", v))
		}
		p[name] = usd
	}
	return p, errors.Join(faults...)
}

// with returns the prices with some replaced.
func (p Prices) with(others Prices) Prices {
	all := make(Prices)
	maps.Copy(all, p)
	maps.Copy(all, others)
	return all
}

// of returns the name of a price for a storage class.
func (p Prices) of(what, class string) string {
	if _, ok := p[what+"."+class]; ok {
		return what + "." + class
	}
	return what
}
