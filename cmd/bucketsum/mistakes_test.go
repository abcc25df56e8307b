package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMistakes types what new users type, and compares with testdata/mistakes.txt what they are told. A line that begins
// with $ is a command; what follows is all that it prints, and its exit status. STORE is the address of a server that
// answers with the status and the code in the name of a bucket or queue, HERE the folder. Write the answers anew with:
//
//	go test ./cmd/bucketsum -run TestMistakes -update
func TestMistakes(t *testing.T) {
	file, err := filepath.Abs(filepath.Join("testdata", "mistakes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	store := httptest.NewServer(http.HandlerFunc(answerByName))
	defer store.Close()
	here := t.TempDir()
	t.Chdir(here)
	if err := os.Mkdir("inbox", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("f.txt", []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		t.Setenv(name, filepath.Join(t.TempDir(), "none"))
	}
	for name, value := range map[string]string{"AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1", "AWS_REGION": "", "AWS_PROFILE": ""} {
		t.Setenv(name, value)
	}
	var got strings.Builder
	for line := range strings.Lines(string(data)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "$ ")
		switch {
		case strings.HasPrefix(line, "#"):
			fmt.Fprintf(&got, "\n%s", line)
		case ok:
			answer := strings.ReplaceAll(typed(t, strings.ReplaceAll(command, "STORE", store.URL)), store.URL, "STORE")
			answer = strings.ReplaceAll(answer, here, "/HERE")
			fmt.Fprintf(&got, "\n$ %s\n%s", command, answer)
		}
	}
	text := strings.TrimPrefix(got.String(), "\n")
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(strings.Split(string(data), "\n"), strings.Split(text, "\n")); diff != "" && !*update {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if words := regexp.MustCompile(`strconv|time: |parse "|invalid argument|unmarshal|goroutine|%!|operation error|context deadline`).FindAllString(text, -1); words != nil {
		t.Errorf("messages have Go's words: %q", words)
	}
}

// typed runs a command as a shell does, and returns what is printed.
func typed(t *testing.T, command string) string {
	t.Helper()
	words := strings.Fields(strings.ReplaceAll(command, "'", ""))
	begins := slices.Index(words, "bucketsum")
	env := make(map[string]string)
	for _, pair := range words[:begins] {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
		if was, set := os.LookupEnv(name); set { // the SDK reads it itself
			os.Setenv(name, value)
			defer os.Setenv(name, was)
		}
	}
	var out bytes.Buffer
	p := process{
		stdin: strings.NewReader(""), stdout: &out, stderr: &out, environ: words[:begins],
		getenv: func(name string) string { return env[name] },
	}
	status := dispatch(t.Context(), p, words[begins+1:])
	return out.String() + "exit status " + strconv.Itoa(status) + "\n"
}

var answerIn = regexp.MustCompile(`answers-(\d+)-(\w+)`)

// answerByName answers as a store or queue does with an error, or as a web server does.
func answerByName(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // an error leaves it without a name
	m := answerIn.FindStringSubmatch(r.URL.Path + string(body))
	if m == nil {
		fmt.Fprint(w, "<html><body>Welcome</body></html>")
		return
	}
	status, _ := strconv.Atoi(m[1]) // digits
	if r.Header.Get("X-Amz-Target") != "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"so says the queue"}`, m[2])
		return
	}
	w.Header().Set("X-Amz-Bucket-Region", "eu-west-9")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>so says the store</Message></Error>", m[2])
}
