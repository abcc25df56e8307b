package flagvalue

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// TestGiven: an error names the variable if the value is from there, and is about what the user wrote.
func TestGiven(t *testing.T) {
	fs := pflag.NewFlagSet("test", pflag.ContinueOnError)
	fs.StringSlice("algorithms", nil, "")
	fs.String("record", "", "")
	fs.String("record-to", "", "")
	fs.Bool("base64", false, "")
	fs.Duration("wait", time.Second, "")
	fs.Int("limit", 0, "")
	if err := fs.Parse([]string{"--algorithms=md5", "--record="}); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"BUCKETSUM_ALGORITHMS": "sha1", "BUCKETSUM_RECORD_TO": "x", "BUCKETSUM_BASE64": "yes", "BUCKETSUM_WAIT": "10", "BUCKETSUM_LIMIT": "1.5"}
	err := SetFromEnvironment(fs, func(name string) string { return env[name] })
	want := `--base64: "yes" is neither true nor false
--limit: "1.5" is not a whole number
--wait: "10" is not a time, such as 30s, 5m or 1h30m; did you mean 10s?`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for message, want := range map[string]string{
		"--record-to: unknown": "BUCKETSUM_RECORD_TO: unknown",
		"--base64 is wrong":    "BUCKETSUM_BASE64 is wrong",
		"--record-to":          "BUCKETSUM_RECORD_TO",
		"--algorithms: x":      "--algorithms: x", // the command line wins
		"--record: x":          "--record: x",
		"--record-too: x":      "--record-too: x",
		"set --wait to more":   "set --wait to more",
	} {
		if got := Given(fs, message); got != want {
			t.Errorf("%q becomes %q, want %q", message, got, want)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	environ := []string{
		"HOME=/root", "BUCKETSUM_QUEUE=x", "BUCKETSUM_QUEU=secret", "BUCKETSUM_DRAINTIMEOUT=1s", "BUCKETSUM_COLOUR=red", "BUCKETSUM_=", "BUCKETSUMX=1", "BUCKETSUM_VERSION=1", "BUCKETSUM_MD5=generic",
		// Services named bucketsum and bucketsum-queue
		"BUCKETSUM_SERVICE_HOST=10.0.0.1", "BUCKETSUM_SERVICE_PORT=5000", "BUCKETSUM_SERVICE_PORT_HTTP=5000", "BUCKETSUM_PORT=tcp://10.0.0.1:5000",
		"BUCKETSUM_PORT_5000_TCP=tcp://10.0.0.1:5000", "BUCKETSUM_PORT_5000_TCP_PROTO=tcp", "BUCKETSUM_PORT_5000_TCP_PORT=5000", "BUCKETSUM_PORT_5000_TCP_ADDR=10.0.0.1",
		"BUCKETSUM_QUEUE_SERVICE_HOST=10.0.0.2", "BUCKETSUM_QUEUE_PORT=tcp://10.0.0.2:5672",
	}
	want := []string{
		"BUCKETSUM_ in the environment stands for no flag",
		"BUCKETSUM_COLOUR in the environment stands for no flag",
		"BUCKETSUM_DRAINTIMEOUT in the environment stands for no flag; did you mean BUCKETSUM_DRAIN_TIMEOUT?",
		"BUCKETSUM_QUEU in the environment stands for no flag; did you mean BUCKETSUM_QUEUE?",
	}
	if diff := cmp.Diff(want, UnknownVariables(environ, []string{"queue", "drain-timeout"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
