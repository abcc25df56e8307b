package blobstore

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob/azureblob"
)

// Kinds of credentials. Which there are the environment tells, as to gocloud.
const (
	azureKey        = "AZURE_STORAGE_KEY"
	azureToken      = "AZURE_STORAGE_SAS_TOKEN"
	azureConnection = "AZURE_STORAGE_CONNECTION_STRING"
	azureIdentity   = "an identity" // of the machine, the pod or whoever is logged in
)

// azureCredential returns the kind of credential that is used.
func azureCredential() string {
	switch {
	case os.Getenv("AZURE_STORAGE_ACCOUNT") != "" && os.Getenv("AZURE_STORAGE_KEY") != "":
		return azureKey
	case os.Getenv("AZURE_STORAGE_SAS_TOKEN") != "":
		return azureToken
	case azureConnectionString() != "":
		return azureConnection
	}
	return azureIdentity
}

func azureConnectionString() string {
	return cmp.Or(os.Getenv("AZURE_STORAGE_CONNECTION_STRING"), os.Getenv("AZURE_STORAGEBLOB_CONNECTIONSTRING"))
}

var azureAccount = regexp.MustCompile(`^[a-z0-9]{3,24}$`)

// azureURLFault explains what a URL must not decide: where a token is sent, as a
// list of checksums may name URLs, too. With a key, requests are only signed.
func azureURLFault(query url.Values) error {
	account, configured := query.Get("storage_account"), azureblob.NewDefaultServiceURLOptions().AccountName
	credential := azureCredential()
	switch {
	case account == "" && configured == "":
		return errors.New("there is no account: set AZURE_STORAGE_ACCOUNT, or add ?storage_account=NAME")
	case account != "" && !azureAccount.MatchString(account):
		return fmt.Errorf("no account is called %q", account)
	case account != "" && account != configured && credential == azureToken:
		return errors.New("AZURE_STORAGE_SAS_TOKEN is for the account AZURE_STORAGE_ACCOUNT only")
	case credential == azureKey, credential == azureConnection:
		return nil
	}
	for _, parameter := range []string{"domain", "protocol", "cdn", "localemu"} {
		if query.Has(parameter) {
			return fmt.Errorf("%s takes AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY: where tokens are sent, only the environment decides (AZURE_STORAGE_DOMAIN, AZURE_STORAGE_PROTOCOL, …)", parameter)
		}
	}
	return nil
}

// azureClient returns a client with these credentials and connections of its own.
func azureClient(service, name string, connections *http.Transport) (*container.Client, error) {
	options := &container.ClientOptions{ClientOptions: policy.ClientOptions{
		Transport: &http.Client{Transport: connections},
		// Shorter than the SDK's: what it gives up comes back from the queue, see s3Retryer.
		Retry: policy.RetryOptions{MaxRetries: 2, RetryDelay: 100 * time.Millisecond, MaxRetryDelay: 5 * time.Second},
	}}
	where, err := url.JoinPath(service, name)
	if err != nil {
		return nil, err
	}
	switch azureCredential() {
	case azureKey:
		shared, err := container.NewSharedKeyCredential(os.Getenv("AZURE_STORAGE_ACCOUNT"), os.Getenv("AZURE_STORAGE_KEY"))
		if err != nil {
			return nil, fmt.Errorf("AZURE_STORAGE_KEY: %w", err)
		}
		return container.NewClientWithSharedKeyCredential(where, shared, options)
	case azureToken:
		return container.NewClientWithNoCredential(where, options) // it is in the URL
	case azureConnection:
		return container.NewClientFromConnectionString(azureConnectionString(), name, options)
	}
	identity, err := azidentity.NewDefaultAzureCredential(nil)
	if err != nil {
		return nil, err
	}
	return container.NewClient(where, identity, options)
}
