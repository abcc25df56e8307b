package azure

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

type failing struct{ err error }

func (f failing) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{}, f.err
}

// TestNoCredentials: what to do is one sentence; that the service refuses an identity is told as it says.
func TestNoCredentials(t *testing.T) {
	none, refused := errors.New("DefaultAzureCredential: failed\nAttempted credentials:\n\tEnvironmentCredential"), &azidentity.AuthenticationFailedError{}
	_, err := identified{failing{none}}.GetToken(t.Context(), policy.TokenRequestOptions{})
	if !errors.Is(err, none) || !strings.HasPrefix(err.Error(), "there are no credentials: set AZURE_STORAGE_KEY") {
		t.Error(err)
	}
	if _, err := (identified{failing{refused}}).GetToken(t.Context(), policy.TokenRequestOptions{}); err != error(refused) {
		t.Error("a refused identity becomes", err)
	}
}
