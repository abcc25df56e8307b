package azure

import (
	"net/url"
	"testing"
)

func TestServiceURL(t *testing.T) {
	for name, test := range map[string]struct {
		environ     map[string]string
		query       string
		token, want string
		fails       bool
	}{
		"account":           {query: "storage_account=photos", want: "https://photos.blob.core.windows.net"},
		"environment":       {environ: map[string]string{"AZURE_STORAGE_ACCOUNT": "photos"}, want: "https://photos.blob.core.windows.net"},
		"URL overrides":     {environ: map[string]string{"AZURE_STORAGE_ACCOUNT": "photos"}, query: "storage_account=films", want: "https://films.blob.core.windows.net"},
		"another cloud":     {query: "storage_account=photos&domain=blob.core.chinacloudapi.cn", want: "https://photos.blob.core.chinacloudapi.cn"},
		"Azure Stack":       {query: "storage_account=photos&domain=blob.local.azurestack.external", want: "https://photos.blob.local.azurestack.external"},
		"local server":      {query: "storage_account=photos&protocol=http&domain=127.0.0.1:10000", want: "http://127.0.0.1:10000/photos"},
		"named localhost":   {query: "storage_account=photos&protocol=http&domain=localhost:10000", want: "http://localhost:10000/photos"},
		"emulator":          {query: "storage_account=photos&protocol=http&domain=azurite:10000&localemu=true", want: "http://azurite:10000/photos"},
		"content network":   {query: "storage_account=photos&domain=photos.example.com&cdn=1", want: "https://photos.example.com"},
		"token":             {query: "storage_account=photos", token: "sv=1&sig=s", want: "https://photos.blob.core.windows.net?sv=1&sig=s"},
		"connection string": {environ: map[string]string{"AZURE_STORAGE_CONNECTION_STRING": "DefaultEndpointsProtocol=http;AccountName=photos;AccountKey=a2V5;EndpointSuffix=core.windows.net"}, want: "http://photos.blob.core.windows.net"},
		"domain from the environment": {
			environ: map[string]string{"AZURE_STORAGE_ACCOUNT": "photos", "AZURE_STORAGE_DOMAIN": "azurite:1", "AZURE_STORAGE_PROTOCOL": "http", "AZURE_STORAGE_IS_LOCAL_EMULATOR": "true"},
			want:    "http://azurite:1/photos",
		},
		"content network from the environment": {
			environ: map[string]string{"AZURE_STORAGE_ACCOUNT": "photos", "AZURE_STORAGE_DOMAIN": "photos.example.com", "AZURE_STORAGE_IS_CDN": "true"},
			want:    "https://photos.example.com",
		},
		"another protocol":  {query: "storage_account=photos&protocol=ftp", fails: true},
		"unknown parameter": {query: "nosuch=1", fails: true},
		"twice":             {query: "storage_account=a&storage_account=b", fails: true},
		"no boolean":        {query: "cdn=perhaps", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, variable := range []string{
				"AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_DOMAIN", "AZURE_STORAGE_PROTOCOL", "AZURE_STORAGE_IS_CDN",
				"AZURE_STORAGE_IS_LOCAL_EMULATOR", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGEBLOB_CONNECTIONSTRING",
			} {
				t.Setenv(variable, test.environ[variable])
			}
			query, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			s, err := configuredService().override(query)
			var got string
			if err == nil {
				got, err = s.url(test.token)
			}
			if got != test.want || (err != nil) != test.fails {
				t.Errorf("got %q and %v, want %q and an error: %t", got, err, test.want, test.fails)
			}
		})
	}
}
