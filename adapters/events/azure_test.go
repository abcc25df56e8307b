package events_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestAzure(t *testing.T) {
	const (
		created = "Microsoft.Storage.BlobCreated"
		deleted = "Microsoft.Storage.BlobDeleted"
	)
	when := at(t, "2017-06-26T18:41:00.9584103Z")
	event := func(kind pipeline.Kind, name, container, key, etag string, size int64) pipeline.Event {
		e := pipeline.Event{Kind: kind, Name: name, ID: "831e1650-001e-001b-66ab-eeb76e069631", Time: when,
			Object: pipeline.Object{Bucket: container, Key: key, ETag: etag, Size: size}}
		if kind != pipeline.Ignored {
			e.Object.Sequencer = "00000000000004420000000000028963"
		}
		return e
	}
	const etag = "0x8D4BCC2E4835CD0"
	file := event(pipeline.Created, created, "testcontainer", "new-file.txt", etag, 524288)
	for name, want := range map[string][]pipeline.Event{
		"azure-blob-created":            {file},
		"azure-blob-created-single":     {file},
		"azure-blob-created-cloudevent": {file},
		"azure-cloudevents-batch":       {file, event(pipeline.Deleted, deleted, "testcontainer", "new-file.txt", "", unknown)},
		"azure-many": {
			event(pipeline.Ignored, created, "", "", "", unknown), // CreateFile
			event(pipeline.Created, created, "fs", "dir/f", etag, 524288),
			event(pipeline.Ignored, created, "", "", "", unknown), // SftpCreate
			event(pipeline.Created, created, "fs", "s", etag, 524288),
			event(pipeline.Created, created, "$root", "a+b%20c ü/blobs/💎", "", unknown),
			event(pipeline.Deleted, deleted, "c", "gone", "", unknown),
			event(pipeline.Ignored, "Microsoft.Storage.DirectoryCreated", "", "", "", unknown),
			{Name: "Microsoft.EventGrid.SubscriptionValidationEvent", ID: "2d1781af", Time: at(t, "2018-01-25T22:12:19.4556811Z"),
				Object: pipeline.Object{Size: unknown}},
		},
	} {
		t.Run(name, func(t *testing.T) { decodes(t, sample(t, name), nil, want...) })
	}
}

func TestAzureRefuses(t *testing.T) {
	const shape = "subject is not /blobServices/default/containers/CONTAINER/blobs/BLOB"
	for name, tc := range map[string]struct{ old, new, reason string }{
		"no subject":        {`"subject"`, `"x"`, "subject is missing"},
		"other service":     {`/blobServices`, `/queueServices`, shape},
		"no blob":           {`/blobs/k`, ``, shape},
		"empty blob":        {`/blobs/k`, `/blobs/`, "the blob in subject is missing"},
		"empty container":   {`containers/c`, `containers/`, "the container in subject is missing"},
		"half a surrogate":  {`/k`, `/\ud800`, "the blob in subject contains half of a surrogate pair"},
		"no data":           {`"data"`, `"x"`, "data is missing"},
		"data is a list":    {`{"sequencer":"1"}`, `[]`, "data is an array where an object belongs"},
		"subject is a list": {`"/blobServices/default/containers/c/blobs/k"`, `[]`, "subject is an array where a string belongs"},
	} {
		t.Run(name, func(t *testing.T) {
			body := `{"eventType":"Microsoft.Storage.BlobCreated","subject":"/blobServices/default/containers/c/blobs/k","data":{"sequencer":"1"}}`
			body = strings.Replace(body, tc.old, tc.new, 1)
			refuses(t, []byte(body), nil, "Event Grid: "+tc.reason)
			refuses(t, []byte("["+body+"]"), nil, "batch[0]: Event Grid: "+tc.reason)
		})
	}
	refuses(t, []byte(`{"specversion":"1.0"}`), nil, "CloudEvents: type is missing")
	refuses(t, []byte(`{"eventType":""}`), nil, "Event Grid: eventType is missing")
	refuses(t, []byte(`{"specversion":"1.0","type":"Microsoft.Storage.BlobDeleted","data":{}}`), nil, "CloudEvents: subject is missing")
}

// TestAzureBadEvents asserts that the good events of a batch are returned with the error.
func TestAzureBadEvents(t *testing.T) {
	body := strings.TrimSuffix(strings.TrimSpace(string(sample(t, "azure-blob-created"))), "]") + `,{"eventType":7}]`
	got := refuses(t, []byte(body), nil, "batch[1]: Event Grid: eventType is a number where a string belongs")
	if len(got) != 1 || cmp.Diff("new-file.txt", got[0].Object.Key) != "" {
		t.Errorf("events %v", got)
	}
}

// TestAzureKinds asserts what each kind of event asks for.
func TestAzureKinds(t *testing.T) {
	body := func(kind, data string) []byte {
		return []byte(`{"eventType":"Microsoft.Storage.` + kind + `","id":"i","subject":"/blobServices/default/containers/fs/blobs/new/100%25","data":` + data + `}`)
	}
	event := func(kind pipeline.Kind, name, key string) pipeline.Event {
		e := pipeline.Event{Kind: kind, Name: "Microsoft.Storage." + name, ID: "i", Object: pipeline.Object{Size: unknown}}
		if kind != pipeline.Ignored {
			e.Object.Bucket, e.Object.Key, e.Object.Sequencer = "fs", key, "7"
		}
		return e
	}
	renamed := func(source string) string {
		return `{"api":"RenameFile","sequencer":"7","sourceUrl":` + mustJSON(t, source) + `,"destinationUrl":"https://a.dfs.core.windows.net/fs/new/x"}`
	}
	created, moved := event(pipeline.Created, "BlobRenamed", "new/100%25"), event(pipeline.Deleted, "BlobRenamed", "old/f")
	decodes(t, body("BlobRenamed", renamed("https://a.dfs.core.windows.net/fs/old/f")), nil, created, moved)
	decodes(t, body("BlobRenamed", renamed("https://a.dfs.core.windows.net/fs/a+b%20c")), nil, created, alias(event(pipeline.Deleted, "BlobRenamed", "a+b c"), "a+b%20c"))
	decodes(t, body("BlobRenamed", renamed("http://127.0.0.1:1/fs/5%")), nil, created, event(pipeline.Deleted, "BlobRenamed", "5%"))
	decodes(t, body("BlobTierChanged", `{"sequencer":"7","accessTier":"Hot"}`), nil, event(pipeline.Restored, "BlobTierChanged", "new/100%25"))
	decodes(t, body("BlobTierChanged", `{"sequencer":"7"}`), nil, event(pipeline.Restored, "BlobTierChanged", "new/100%25"))
	decodes(t, body("BlobTierChanged", `{"sequencer":"7","accessTier":"Archive"}`), nil, event(pipeline.Ignored, "BlobTierChanged", ""))
	decodes(t, body("DirectoryDeleted", `{"recursive":"false"}`), nil, event(pipeline.Ignored, "DirectoryDeleted", ""))
	decodes(t, body("LifecyclePolicyCompleted", `null`), nil, event(pipeline.Ignored, "LifecyclePolicyCompleted", ""))
	for _, recursive := range []string{`"true"`, `"True"`} {
		refuses(t, body("DirectoryDeleted", `{"recursive":`+recursive+`}`), nil, "Event Grid: the files of a deleted directory have no events of their own, so their records stay")
	}
	refuses(t, body("DirectoryRenamed", `{}`), nil, "Event Grid: the files of a renamed directory have no events of their own, so they have no new records")
	refuses(t, body("BlobDreamt", `{}`), nil, `Event Grid: events of the type "Microsoft.Storage.BlobDreamt" are not read`)
	for _, source := range []string{"", "fs/x", "https://host", "https://host/fs"} {
		if got := refuses(t, body("BlobRenamed", renamed(source)), nil, "Event Grid: data.sourceUrl is not https://HOST/CONTAINER/BLOB"); len(got) != 1 {
			t.Errorf("%d events beside the error, want that of the new name", len(got))
		}
	}
}

func FuzzAzure(f *testing.F) {
	fuzzForm(f, "azure-*", func(t testing.TB, key string) any {
		return object{"specversion": "1.0", "type": "Microsoft.Storage.BlobCreated", "data": object{},
			"subject": "/blobServices/default/containers/c/blobs/" + key}
	})
}
