package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/handlers/web"
)

type checks = map[string]func(context.Context) error

// probe calls the handler without a network.
func probe(t *testing.T, h http.Handler, path string) (status int, reasons map[string]string) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", path, nil))
	var body struct {
		Status  string
		Reasons []struct{ Name, Reason string }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("GET %s: %v: %q", path, err, w.Body)
	}
	reasons = make(map[string]string)
	for _, r := range body.Reasons {
		reasons[r.Name] = r.Reason
	}
	if (w.Code == http.StatusOK) != (body.Status == "ready" || body.Status == "ok") {
		t.Errorf("GET %s: %d %q", path, w.Code, body.Status)
	}
	return w.Code, reasons
}

func TestReadyNamesEveryReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, drain := context.WithCancel(t.Context())
		down := errors.New("connection refused")
		var queue error
		ready := web.NewReadiness(ctx, checks{
			"queue":         func(context.Context) error { return queue },
			"bucket photos": func(context.Context) error { return down },
		})
		defer ready.Close()
		h := newHandler(t, web.Config{Ready: ready})
		want := func(what string, status int, reasons map[string]string) {
			t.Helper()
			got, why := probe(t, h, "/readyz")
			if diff := cmp.Diff(reasons, why); got != status || diff != "" {
				t.Errorf("%s: %d, want %d; reasons (-want +got):\n%s", what, got, status, diff)
			}
			if live, _ := probe(t, h, "/livez"); live != http.StatusOK {
				t.Errorf("%s: /livez is %d", what, live)
			}
		}
		want("one bucket down", 503, map[string]string{"bucket photos": "connection refused"})
		down, queue = nil, errors.New("no access")
		time.Sleep(30*time.Second - time.Nanosecond)
		want("within the time that an answer is good for", 503, map[string]string{"bucket photos": "connection refused"})
		time.Sleep(time.Nanosecond)
		want("the queue down", 503, map[string]string{"queue": "no access"})
		queue = nil
		time.Sleep(30 * time.Second)
		want("well", 200, map[string]string{})
		drain()
		want("draining", 503, map[string]string{"draining": "takes no more messages, and ends when the messages in work are finished"})
	})
}

// Many probes cause one check, and a check without an answer delays neither the probes nor the end of the
// process.
func TestReadyIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, deaf atomic.Int64
		release := make(chan struct{})
		ready := web.NewReadiness(t.Context(), checks{
			"slow": func(ctx context.Context) error {
				asked.Add(1)
				<-ctx.Done()
				return ctx.Err()
			},
			"deaf": func(context.Context) error {
				deaf.Add(1)
				<-release
				return nil
			},
		})
		want := map[string]string{"slow": "no answer within 3s", "deaf": "no answer within 3s"}
		began := time.Now()
		done := make(chan map[string]string)
		for range 50 {
			go func() { done <- ready.Faults(t.Context()) }()
		}
		for range 50 {
			if diff := cmp.Diff(want, <-done); diff != "" {
				t.Fatalf("reasons (-want +got):\n%s", diff)
			}
		}
		if took := time.Since(began); took > 3*time.Second || asked.Load() != 1 || deaf.Load() != 1 {
			t.Errorf("50 probes took %s and asked %d and %d times", took, asked.Load(), deaf.Load())
		}
		time.Sleep(time.Minute)
		go ready.Faults(t.Context())
		synctest.Wait()
		if asked.Load() != 2 || deaf.Load() != 1 {
			t.Errorf("later it was asked %d and %d times, want once more, and not beside the one that has no answer", asked.Load(), deaf.Load())
		}
		ready.Close()
		close(release)
	})
}

// The page must not wait for a check: it shows the last answers.
func TestReadyLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ctx, drain := context.WithCancel(t.Context())
		ready := web.NewReadiness(ctx, checks{"queue": func(context.Context) error {
			asked++
			time.Sleep(time.Second)
			return errors.New("no access")
		}})
		defer ready.Close()
		want := func(when string, want map[string]string, wait time.Duration) {
			t.Helper()
			began := time.Now()
			if got := ready.Last(); !maps.Equal(got, want) || time.Since(began) != wait {
				t.Errorf("%s: %v after %s, want %v after %s", when, got, time.Since(began), want, wait)
			}
			time.Sleep(2 * time.Second)
		}
		want("before there is an answer", map[string]string{}, 200*time.Millisecond)
		want("after it", map[string]string{"queue": "no access"}, 0)
		time.Sleep(time.Minute)
		want("when it is old", map[string]string{"queue": "no access"}, 0)
		want("renewed", map[string]string{"queue": "no access"}, 0)
		if asked != 2 {
			t.Errorf("the queue was asked %d times, want twice", asked)
		}
		drain()
		if _, draining := ready.Last()[web.Draining]; !draining {
			t.Error("it does not say that it drains")
		}
	})
}

// A probe that stops waiting does not change the answer for the others.
func TestProbeThatGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		ready := web.NewReadiness(t.Context(), checks{"queue": func(ctx context.Context) error {
			select {
			case <-goOn:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}})
		defer ready.Close()
		impatient, giveUp := context.WithCancel(t.Context())
		giveUp()
		if len(ready.Faults(impatient)) != 1 {
			t.Error("it is ready before there is an answer")
		}
		close(goOn)
		if got := ready.Faults(t.Context()); len(got) != 0 {
			t.Errorf("the next one is told %v", got)
		}
	})
}

func TestLiveness(t *testing.T) {
	var wrong error
	h := newHandler(t, web.Config{Health: func() error { return wrong }})
	if status, _ := probe(t, h, "/livez"); status != http.StatusOK {
		t.Errorf("/livez is %d", status)
	}
	wrong = errors.New("the pipeline has ended")
	if status, _ := probe(t, h, "/livez"); status != http.StatusServiceUnavailable {
		t.Errorf("/livez is %d when something is wrong", status)
	}
}
