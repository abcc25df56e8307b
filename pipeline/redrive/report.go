package redrive

import (
	"bytes"
	"encoding/json"

	"github.com/bucketsum/bucketsum/pipeline/queue"
	"github.com/bucketsum/bucketsum/pipeline/redact"
)

// Report is a summary together with what was asked for.
type Report struct {
	Summary
	From, To string // URLs; To may be empty
	Action   Action
}

// MarshalJSON implements json.Marshaler.
func (r Report) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // the caller's encoder decides
	err := e.Encode(struct {
		From   string `json:"from"`
		To     string `json:"to,omitempty"`
		Action string `json:"action"`
		End    End    `json:"end"`
		Tally
		Left   int     `json:"left"`
		After  *after  `json:"queue_counts,omitempty"`
		Groups []Group `json:"groups"`
	}{redact.URL(r.From), redact.URL(r.To), r.Action.String(), r.End, r.Total, r.Total.Left(), afterOf(r.After), r.Groups})
	return b.Bytes(), err
}

type after struct {
	Waiting int  `json:"waiting"`
	Held    int  `json:"held"`
	Exact   bool `json:"exact"`
}

func afterOf(c *queue.Count) *after {
	if c == nil {
		return nil
	}
	return (*after)(c)
}
