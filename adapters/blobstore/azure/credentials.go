package azure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"github.com/bucketsum/bucketsum/adapters/blobstore/driver"
)

// Kinds of credentials. The environment decides which kind is used, as for gocloud.
const (
	accountKey = "AZURE_STORAGE_KEY"
	sasToken   = "AZURE_STORAGE_SAS_TOKEN"
	connection = "AZURE_STORAGE_CONNECTION_STRING"
	identity   = "an identity" // of the machine, the pod or the user
)

// credential returns the kind of credential that is used.
func credential() string {
	switch {
	case os.Getenv("AZURE_STORAGE_ACCOUNT") != "" && os.Getenv("AZURE_STORAGE_KEY") != "":
		return accountKey
	case os.Getenv("AZURE_STORAGE_SAS_TOKEN") != "":
		return sasToken
	case connectionString() != "":
		return connection
	}
	return identity
}

func connectionString() string {
	return cmp.Or(os.Getenv("AZURE_STORAGE_CONNECTION_STRING"), os.Getenv("AZURE_STORAGEBLOB_CONNECTIONSTRING"))
}

var accountName = regexp.MustCompile(`^[a-z0-9]{3,24}$`)

// urlFault explains what is wrong with the parameters of a URL. A URL must not decide where a
// token is sent, as a list of checksums may name URLs, too. With a key, requests are only
// signed.
func urlFault(query url.Values) error {
	account, configured := query.Get("storage_account"), configuredService().account
	kind := credential()
	switch {
	case account == "" && configured == "":
		return errors.New("there is no account: set AZURE_STORAGE_ACCOUNT, or add ?storage_account=NAME")
	case account != "" && !accountName.MatchString(account):
		return errors.New("storage_account is not the name of an account") // nor printed: a misspelt URL may have its token there
	case account != "" && account != configured && kind == sasToken:
		return errors.New("AZURE_STORAGE_SAS_TOKEN is for the account AZURE_STORAGE_ACCOUNT only")
	case kind == accountKey, kind == connection:
		return nil
	}
	for _, parameter := range []string{"domain", "protocol", "cdn", "localemu"} {
		if query.Has(parameter) {
			return fmt.Errorf("%s takes AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY: where tokens are sent, only the environment decides (AZURE_STORAGE_DOMAIN, AZURE_STORAGE_PROTOCOL, …)", parameter)
		}
	}
	return nil
}

// newClient returns a client with these credentials and connections of its own.
func newClient(service, name string, connections *http.Transport) (*container.Client, error) {
	options := &container.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: &http.Client{Transport: connections, CheckRedirect: driver.SameSite},
		// The waits are shorter than those of the SDK: the queue delivers again what fails, as
		// with S3.
		Retry: policy.RetryOptions{MaxRetries: 2, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: 5 * time.Second},
	}}
	where, err := url.JoinPath(service, name)
	if err != nil {
		return nil, err
	}
	switch credential() {
	case accountKey:
		shared, err := container.NewSharedKeyCredential(os.Getenv("AZURE_STORAGE_ACCOUNT"), os.Getenv("AZURE_STORAGE_KEY"))
		if err != nil {
			return nil, fmt.Errorf("AZURE_STORAGE_KEY: %w", err)
		}
		return container.NewClientWithSharedKeyCredential(where, shared, options)
	case sasToken:
		return container.NewClientWithNoCredential(where, options) // it is in the URL
	case connection:
		return container.NewClientFromConnectionString(connectionString(), name, options)
	}
	token, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, err
	}
	return container.NewClient(where, identified{token}, options)
}

// identified says in one sentence that there are no credentials, where the SDK tells for each kind why it is missing.
type identified struct{ azcore.TokenCredential }

// GetToken implements azcore.TokenCredential.
func (i identified) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := i.TokenCredential.GetToken(ctx, o)
	if _, refused := errors.AsType[*azidentity.AuthenticationFailedError](err); err != nil && !refused && ctx.Err() == nil {
		err = noCredentials{err}
	}
	return token, err
}

type noCredentials struct{ error }

func (noCredentials) Error() string {
	return "there are no credentials: set AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, run az login, or give the machine or pod an identity"
}

func (n noCredentials) Unwrap() error { return n.error }
