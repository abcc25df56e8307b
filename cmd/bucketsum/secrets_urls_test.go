package main

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretServers are addresses of servers, with the sentinel in them. Libraries refuse some of them,
// and quote others when nothing answers.
var secretServers = []string{
	"http://user:" + sentinel + "%zz@127.0.0.1:1", "http://user:" + sentinel + "@127.0.0.1:x" + sentinel, "http://[user:" + sentinel + "@127.0.0.1:1",
	"http:/user:" + sentinel + "@127.0.0.1:1", "http:///user:" + sentinel + "@127.0.0.1:1", "http://user:1/" + sentinel + "@127.0.0.1:1",
	"user:" + sentinel + "@127.0.0.1:1", "http://" + sentinel + "@127.0.0.1:1", "http://user:" + sentinel + "@127.0.0.1:1",
	"http://127.0.0.1:1/?sig=" + sentinel, "http://127.0.0.1:1#" + sentinel, "http://127.0.0.1:1\x7f?sig=" + sentinel,
}

// TestNoSecretOfServersInTheEnvironment sets the variables from which the program's libraries take
// the address of a server.
func TestNoSecretOfServersInTheEnvironment(t *testing.T) {
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
		"AZURE_STORAGE_ACCOUNT=example", "AZURE_STORAGE_SAS_TOKEN=sv=2026&sig=" + sentinel,
	} {
		name, value, _ := strings.Cut(name, "=")
		t.Setenv(name, value)
	}
	serve := []string{"serve", "--check", "--listen", "off", "--log-level", "debug", "--bucket", "b=file://" + t.TempDir(), "--queue"}
	s3 := []string{"sum", "s3://photos/a?use_path_style=true"}
	sqs := append(serve[:len(serve):len(serve)], "awssqs://sqs.us-east-1.amazonaws.com/123456789012/q")
	gcs, azure := []string{"sum", "gs://photos/a"}, []string{"sum", "azblob://photos/a"}
	mem := append(serve[:len(serve):len(serve)], "mem://q")
	for name, commands := range map[string][][]string{
		"AWS_ENDPOINT_URL": {s3, sqs}, "AWS_ENDPOINT_URL_S3": {s3}, "AWS_ENDPOINT_URL_SQS": {sqs},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {mem}, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": {mem}, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": {mem},
		"STORAGE_EMULATOR_HOST": {gcs}, "AZURE_STORAGE_DOMAIN": {azure},
		"PUBSUB_EMULATOR_HOST": {append(serve[:len(serve):len(serve)], "gcppubsub://projects/a/subscriptions/b")},
	} {
		t.Run(name, func(t *testing.T) {
			for _, server := range secretServers {
				t.Setenv(name, server)
				for _, command := range commands {
					holdsNoSecretOf(t, name+"="+server, command...)
				}
			}
		})
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
			for _, headers := range []string{sentinel, "authorization " + sentinel, "authorization=%zz" + sentinel, "a=b,=" + sentinel, "a b=" + sentinel, "a=" + sentinel} {
				t.Setenv(name, headers)
				holdsNoSecretOf(t, name+"="+headers, mem...)
			}
		})
	}
	t.Run("endpoint_url", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "config")
		t.Setenv("AWS_CONFIG_FILE", file)
		for _, server := range secretServers {
			if err := os.WriteFile(file, []byte("[default]\nendpoint_url = "+server+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			holdsNoSecretOf(t, server, s3...)
			holdsNoSecretOf(t, server, sqs...)
		}
	})
	t.Run("AWS_CONTAINER_CREDENTIALS_FULL_URI", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "")
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
		t.Setenv("AWS_CONFIG_FILE", "/dev/null")
		for _, server := range secretServers {
			t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", server)
			holdsNoSecretOf(t, server, s3...)
			holdsNoSecretOf(t, server, sqs...)
		}
	})
}

// TestNoSecretOfServersInParameters: the parameters of a bucket's URL may have the address of a server.
func TestNoSecretOfServersInParameters(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "a")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "b")
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	t.Setenv("AZURE_STORAGE_SAS_TOKEN", "sv=2026&sig="+sentinel)
	for _, server := range secretServers {
		for _, scheme := range []string{"awssqs", "sqs"} {
			holdsNoSecretOf(t, scheme+" and "+server, "serve", "--check", "--listen", "off", "--log-level", "debug", "--bucket", "b=file://"+t.TempDir(),
				"--queue", scheme+"://sqs.us-east-1.amazonaws.com/123456789012/q?region=us-east-1&endpoint="+url.QueryEscape(server))
		}
	}
	for _, bucket := range []string{
		"s3://photos?use_path_style=true&region=us-east-1&endpoint=", "gs://photos?anonymous=true&endpoint=", "azblob://photos?storage_account=example&domain=",
	} {
		for _, server := range secretServers {
			for _, value := range []string{server, url.QueryEscape(server)} {
				holdsNoSecretOf(t, bucket+value, "serve", "--check", "--listen", "off", "--log-level", "debug", "--queue", "mem://q", "--bucket", "b="+bucket+value)
				holdsNoSecretOf(t, bucket+value, "sum", strings.Replace(bucket, "?", "/a?", 1)+value)
			}
		}
	}
}

// TestNoSecretOfMisplacedUsers gives each flag that takes a URL some that parse and have the user where the
// path begins: a slash is missing or surplus, or the password has one.
func TestNoSecretOfMisplacedUsers(t *testing.T) {
	dir := "file://" + t.TempDir()
	for _, s := range append(queueSchemes(), bucketSchemes()...) {
		example, _, _ := strings.Cut(s.Example, " ")
		_, rest, _ := strings.Cut(strings.TrimPrefix(example, s.Name+"://"), "/")
		for _, before := range []string{":/user:", ":///user:", ":///", ":/", "://user:1/", "://token/", ":user:"} {
			place := s.Name + before + sentinel + "@127.0.0.1:1/" + rest
			for flag, args := range map[string][]string{
				"--queue":         {"serve", "--check", "--listen", "off", "--bucket", "b=" + dir, "--queue", place},
				"--dead-letter":   {"serve", "--check", "--listen", "off", "--bucket", "b=" + dir, "--queue", "mem://q", "--dead-letter", place},
				"--results":       {"serve", "--check", "--listen", "off", "--bucket", "b=" + dir, "--queue", "mem://q", "--results", place},
				"--bucket":        {"serve", "--check", "--listen", "off", "--queue", "mem://q", "--bucket", "b=" + place},
				"--record-bucket": {"serve", "--check", "--listen", "off", "--queue", "mem://q", "--bucket", "b=" + dir, "--record-bucket", place},
			} {
				if s.Name == "file" && !strings.HasPrefix(before, "://user") && !strings.HasPrefix(before, "://token") {
					continue // the path of a folder, which may have an @
				}
				holdsNoSecretOf(t, flag+" "+place, append(args, "--log-level", "debug")...)
			}
			if s.Name != "file" && before != "://token/" { // that is an object in the bucket "token"
				holdsNoSecretOf(t, place, "sum", place)
			}
		}
	}
}

// holdsNoSecretOf runs a command that has to fail, in this process.
func holdsNoSecretOf(t *testing.T, what string, args ...string) {
	t.Helper()
	status, stdout, stderr := call(t, nil, args...)
	if status == exitOK && !strings.HasPrefix(what, "OTEL_") { // a collector is not needed at the start
		t.Errorf("%s: %s succeeds", what, args[0])
	}
	holdsNoSecret(t, args[0]+" with "+what, stdout+stderr)
}
