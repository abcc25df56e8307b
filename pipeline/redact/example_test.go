package redact_test

import (
	"errors"
	"fmt"

	"github.com/bucketsum/bucketsum/pipeline/redact"
)

func ExampleURL() {
	fmt.Println(redact.URL("amqps://user:secret@rabbit.example.com/vhost?queue=objects"))
	// Output: amqps://rabbit.example.com/vhost
}

// An error of a client may quote the URL that it was given.
func ExampleError() {
	url := "amqps://user:secret@rabbit.example.com/vhost"
	err := errors.New("dial " + url + ": connection refused")
	fmt.Println(redact.Error(err, url))
	// Output: dial amqps://rabbit.example.com/vhost: connection refused
}
