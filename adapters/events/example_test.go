package events_test

import (
	"fmt"
	"log"

	"github.com/bucketsum/bucketsum/adapters/events"
)

// An S3 notification has form-encoded keys; the event has the key as the object is named.
func ExampleDecode() {
	body := `{"Records": [{
		"eventName": "ObjectCreated:Put",
		"s3": {"bucket": {"name": "photos"}, "object": {"key": "2025/a+b%2Bc.jpg", "size": 6}}
	}]}`
	decoded, err := events.Decode([]byte(body), nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range decoded {
		fmt.Println(e.Kind, e.Object.Bucket, e.Object.Key, e.Object.Size)
	}
	// Output: created photos 2025/a b+c.jpg 6
}

// A message of an unknown form is a permanent error that describes the message.
func ExampleDecode_unknownForm() {
	_, err := events.Decode([]byte(`{"hello": "world"}`), nil)
	fmt.Println(err)
	// Output: event: unknown form: a JSON object with the fields "hello"
}
