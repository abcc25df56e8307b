package cephenv_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bucketsum/bucketsum/testenv/cephenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The gateway answers while its test runs, makes topics, and is gone afterwards.
func TestStart(t *testing.T) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	url := ""
	t.Run("running", func(t *testing.T) {
		s := cephenv.Start(t)
		url = s.URL
		arn := cephenv.MakeTopic(t, s, "objects", map[string]string{"push-endpoint": "http://127.0.0.1:1"})
		if !strings.HasSuffix(arn, ":objects") {
			t.Errorf("the topic is %q", arn)
		}
	})
	if url == "" {
		t.Skip("Ceph is not installed")
	}
	if r, err := client.Get(url); err == nil {
		r.Body.Close()
		t.Error("it still answers after its test")
	}
}
