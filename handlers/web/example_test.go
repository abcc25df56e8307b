package web_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"net/http/httptest"

	"github.com/bucketsum/bucketsum/handlers/web"
)

// A file that is uploaded gets its checksum and is not stored.
func ExampleHandler() {
	handler, err := web.Handler(web.Config{MaxUpload: 1 << 20})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "hello.txt")
	if err != nil {
		log.Fatal(err)
	}
	_, _ = io.WriteString(file, "hello\n") // a bytes.Buffer takes everything
	if err := form.Close(); err != nil {
		log.Fatal(err)
	}
	answer, err := http.Post(server.URL+"/md5", form.FormDataContentType(), &body)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.StatusCode, string(text))
	// Output: 200 {"md5_checksum":"b1946ac92492d2347c6235b4d2611184"}
}
