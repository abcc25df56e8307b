package sqstest

import (
	"cmp"
	"strconv"
	"time"
)

// moveTask moves the messages of a dead-letter queue back. It advances at each call
// to the server.
type moveTask struct {
	handle      string
	source      *queue
	destination string // ARN; "": where each message came from
	rate        int    // messages a second; 0: all at once
	started     time.Time
	total       int
	moved       int
	status      string
}

func (s *Server) startMove(in request) (any, error) {
	source := s.byARN(in.SourceArn)
	if source == nil {
		return nil, refuse("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	serves := false
	for _, q := range s.queues {
		r, ok := q.redrive()
		serves = serves || ok && r.target == source.arn()
	}
	if !serves {
		return nil, invalid("Source queue must be configured as a Dead Letter Queue.")
	}
	if in.DestinationArn != "" && s.byARN(in.DestinationArn) == nil {
		return nil, refuse("ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist.")
	}
	if in.MaxNumberOfMessagesPerSecond < 0 || in.MaxNumberOfMessagesPerSecond > 500 {
		return nil, invalid("Value %d for parameter MaxNumberOfMessagesPerSecond is invalid.", in.MaxNumberOfMessagesPerSecond)
	}
	for _, t := range s.tasks {
		if t.source == source && t.status == "RUNNING" {
			return nil, invalid("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		}
	}
	now := time.Now()
	visible, _, _ := source.counts(now)
	t := &moveTask{
		handle: "task-" + strconv.Itoa(s.nextSerial()), source: source, destination: in.DestinationArn,
		rate: cmp.Or(in.MaxNumberOfMessagesPerSecond, s.rate), started: now, total: visible, status: "RUNNING",
	}
	s.tasks = append(s.tasks, t)
	s.move(now)
	return map[string]string{"TaskHandle": t.handle}, nil
}

// MoveRate is how many messages a second a task moves that names no rate. 0: all at once.
func (s *Server) MoveRate(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rate = n
}

func (s *Server) cancelMove(in request) (any, error) {
	for _, t := range s.tasks {
		if t.handle != in.TaskHandle {
			continue
		}
		if t.status != "RUNNING" {
			return nil, refuse("UnsupportedOperation", "Only active tasks can be cancelled.")
		}
		t.status = "CANCELLED"
		return map[string]int{"ApproximateNumberOfMessagesMoved": t.moved}, nil
	}
	return nil, refuse("ResourceNotFoundException", "The task does not exist.")
}

func (s *Server) listMoves(in request) (any, error) {
	source := s.byARN(in.SourceArn)
	if source == nil {
		return nil, refuse("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
	}
	type result struct {
		TaskHandle                        string `json:",omitempty"` // of a running task
		Status                            string
		SourceArn                         string
		DestinationArn                    string `json:",omitempty"`
		MaxNumberOfMessagesPerSecond      int    `json:",omitempty"`
		ApproximateNumberOfMessagesMoved  int
		ApproximateNumberOfMessagesToMove int
		StartedTimestamp                  int64
	}
	limit := max(in.MaxResults, 1)
	results := []result{}
	for i := len(s.tasks) - 1; i >= 0 && len(results) < limit; i-- {
		t := s.tasks[i]
		if t.source != source {
			continue
		}
		r := result{
			Status: t.status, SourceArn: source.arn(), DestinationArn: t.destination,
			MaxNumberOfMessagesPerSecond: t.rate, ApproximateNumberOfMessagesMoved: t.moved,
			ApproximateNumberOfMessagesToMove: t.total, StartedTimestamp: t.started.UnixMilli(),
		}
		if t.status == "RUNNING" {
			r.TaskHandle = t.handle
		}
		results = append(results, r)
	}
	return map[string]any{"Results": results}, nil
}

func (s *Server) moving() bool {
	for _, t := range s.tasks {
		if t.status == "RUNNING" {
			return true
		}
	}
	return false
}

// move advances every task to the present.
func (s *Server) move(now time.Time) {
	for _, t := range s.tasks {
		if t.status != "RUNNING" {
			continue
		}
		due := t.total
		if t.rate > 0 {
			due = min(due, int(now.Sub(t.started).Seconds()*float64(t.rate)))
		}
		s.moveUpTo(t, due, now)
	}
}

func (s *Server) moveUpTo(t *moveTask, due int, now time.Time) {
	var keep []*message
	for _, m := range t.source.messages {
		to := t.destination
		if to == "" {
			to = m.system["DeadLetterQueueSourceArn"]
		}
		destination := s.byARN(to)
		if t.moved >= due || !m.visible(now) || destination == nil {
			keep = append(keep, m)
			continue
		}
		// In the target queue it is a new message.
		delete(m.system, "DeadLetterQueueSourceArn")
		fresh := *m
		fresh.id = s.newID()
		fresh.sentAt, fresh.visibleAt, fresh.receives = now, now, 0
		destination.messages = append(destination.messages, &fresh)
		t.moved++
		s.wake()
	}
	t.source.messages = keep
	if due >= t.total { // what has nowhere to go stays
		t.status = "COMPLETED"
	}
}
