package pipeline_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/bucketsum/bucketsum/pipeline"
)

func TestDecoderGetsBodyAndAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, calls := answering(nil)
		p := start(t, handle, func(c *pipeline.Config) {
			c.Decode = func(body []byte, attributes map[string]string) ([]pipeline.Event, error) {
				return []pipeline.Event{{Kind: pipeline.Created, Object: pipeline.Object{Key: string(body) + attributes["objectId"]}}}, nil
			}
		})
		p.queue.send("m", "body and ", "objectId", "attribute")
		synctest.Wait()
		if diff := cmp.Diff(map[string]int{"body and attribute": 1}, calls.n); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
	})
}

// Every event except an Ignored one goes to the handler.
func TestIgnoredEventsDoNotReachTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, calls := answering(nil)
		kinds := []pipeline.Kind{pipeline.Ignored, pipeline.Created, pipeline.Deleted, pipeline.Restored}
		p := start(t, handle, func(c *pipeline.Config) {
			c.Decode = func([]byte, map[string]string) (events []pipeline.Event, err error) {
				for _, k := range kinds {
					events = append(events, pipeline.Event{Kind: k, Object: pipeline.Object{Key: k.String()}})
				}
				return events, nil
			}
		})
		p.queue.send("m", "")
		synctest.Wait()
		p.wantSettled(t, acked("m", 1))
		if diff := cmp.Diff(map[string]int{"created": 1, "deleted": 1, "restored": 1}, calls.n); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if got := len(p.observed()[0].Events); got != len(kinds) {
			t.Errorf("%d events observed, want all %d", got, len(kinds))
		}
	})
}

// An event that cannot be decoded does not stop the others, and its message is dead-lettered.
func TestPartlyDecodableMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handle, calls := answering(nil)
		p := start(t, handle, func(c *pipeline.Config) {
			c.Decode = func([]byte, map[string]string) ([]pipeline.Event, error) {
				good := pipeline.Event{Kind: pipeline.Created, Object: pipeline.Object{Bucket: "b", Key: "good"}}
				return []pipeline.Event{good}, pipeline.Permanent(errors.New("record 1: key is missing"))
			}
		})
		p.queue.send("m", "body")
		synctest.Wait()
		if diff := cmp.Diff(map[string]int{"good": 1}, calls.n); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		p.wantSettled(t, acked("m", 1))
		d := p.observed()[0]
		if want := "1 of 2 events: record 1: key is missing"; d.Fate != pipeline.DeadLettered || d.Err.Error() != want {
			t.Errorf("fate %s, error %v; want %s", d.Fate, d.Err, want)
		}
	})
}
