package azure

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// service is the Blob Storage service of an account: its name and its address.
// The bucket URL's parameters storage_account, domain, protocol, cdn and localemu override the
// environment's AZURE_STORAGE_ACCOUNT, AZURE_STORAGE_DOMAIN, AZURE_STORAGE_PROTOCOL,
// AZURE_STORAGE_IS_CDN and AZURE_STORAGE_IS_LOCAL_EMULATOR. They mean what they mean in
// gocloud.dev/blob/azureblob v0.47. Version 0.49 refuses domains that are neither Microsoft's
// nor this machine's, such as Azure Stack's, and http without localemu=true.
type service struct {
	account  string
	domain   string // default: blob.core.windows.net
	protocol string // http or https, the default
	cdn      bool   // the domain names the account already
	emulator bool   // the account is in the path
}

// configuredService returns what the environment says.
func configuredService() service {
	s := service{
		account:  os.Getenv("AZURE_STORAGE_ACCOUNT"),
		domain:   os.Getenv("AZURE_STORAGE_DOMAIN"),
		protocol: os.Getenv("AZURE_STORAGE_PROTOCOL"),
	}
	s.cdn, _ = strconv.ParseBool(os.Getenv("AZURE_STORAGE_IS_CDN"))
	s.emulator, _ = strconv.ParseBool(os.Getenv("AZURE_STORAGE_IS_LOCAL_EMULATOR"))
	for part := range strings.SplitSeq(connectionString(), ";") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "AccountName":
			s.account = cmp.Or(s.account, value)
		case "DefaultEndpointsProtocol":
			s.protocol = cmp.Or(s.protocol, value)
		}
	}
	return s
}

// override returns s with the parameters of a bucket URL.
func (s service) override(query url.Values) (_ service, err error) {
	for parameter, values := range query {
		if len(values) > 1 {
			return s, fmt.Errorf("the parameter %s occurs %d times", parameter, len(values))
		}
		switch value := values[0]; parameter {
		case "storage_account":
			s.account = value
		case "domain":
			s.domain = value
		case "protocol":
			s.protocol = value
		case "cdn":
			s.cdn, err = strconv.ParseBool(value)
		case "localemu":
			s.emulator, err = strconv.ParseBool(value)
		default:
			return s, fmt.Errorf("unknown parameter %q", parameter)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", parameter, err)
		}
	}
	return s, nil
}

// url returns the service's URL, which sends a token along if there is one.
func (s service) url(token string) (string, error) {
	protocol, domain := cmp.Or(s.protocol, "https"), cmp.Or(s.domain, "blob.core.windows.net")
	if protocol != "http" && protocol != "https" {
		return "", fmt.Errorf("the protocol is http or https, not %q", protocol)
	}
	u := fmt.Sprintf("%s://%s.%s", protocol, s.account, domain)
	switch {
	case s.emulator, strings.HasPrefix(domain, "127.0.0.1"), strings.HasPrefix(domain, "localhost"):
		u = fmt.Sprintf("%s://%s/%s", protocol, domain, s.account)
	case s.cdn:
		u = fmt.Sprintf("%s://%s", protocol, domain)
	}
	if err := redact.Server("the address of the account (from account, protocol and domain)", u); err != nil {
		return "", err // the client would quote it, with the token
	}
	if token != "" {
		u += "?" + token
	}
	return u, nil
}
