package main

import "testing"

// TestAgain: the command that resumes a pass can be pasted into a shell, names the pass, and has no secrets.
func TestAgain(t *testing.T) {
	for _, tc := range []struct {
		args []string
		env  string // BUCKETSUM_PASS
		want string
	}{
		{[]string{"verify", "--reports", "file:///srv/audits", "file:///srv/in box"}, "", `bucketsum verify --reports file:///srv/audits 'file:///srv/in box' --pass spring`},
		{[]string{"verify", "--pass=spring", "it's"}, "", `bucketsum verify --pass=spring 'it'\''s'`},
		{[]string{"verify", "s3://photos"}, "spring", `bucketsum verify s3://photos`},
		{[]string{"backfill", "--queue", "amqp://user:geheim@host/q", "s3://photos"}, "", `run the same command again with --pass spring`},
		{[]string{"backfill", "--pass", "spring", "--queue=amqp://user:geheim@host/q"}, "", `run the same command again`},
	} {
		p := process{args: tc.args, getenv: func(name string) string {
			if name == "BUCKETSUM_PASS" {
				return tc.env
			}
			return ""
		}}
		if got := p.again("spring"); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.args, got, tc.want)
		}
	}
}
