package sqstest

import (
	"context"
	"encoding/json"
	"time"
)

const (
	// maxVisibility is how long a message can be held, in seconds: 12 hours
	// from its receive, however often it is extended.
	maxVisibility = 43200
	heldFor       = maxVisibility * time.Second
)

// receive waits for messages for as long as the request or else the queue says.
func (s *Server) receive(ctx context.Context, in request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin("ReceiveMessage"); err != nil {
		return nil, err
	}
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	limit := 1
	if in.MaxNumberOfMessages != nil {
		limit = *in.MaxNumberOfMessages
	}
	if limit < 1 || limit > 10 {
		return nil, invalid("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", limit)
	}
	visibility := q.seconds("VisibilityTimeout")
	if v := in.VisibilityTimeout; v != nil {
		if *v < 0 || *v > maxVisibility {
			return nil, invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: Must be >= 0 and <= %d, if provided.", *v, maxVisibility)
		}
		visibility = time.Duration(*v) * time.Second
	}
	wait := q.seconds("ReceiveMessageWaitTimeSeconds")
	if v := in.WaitTimeSeconds; v != nil {
		if *v < 0 || *v > 20 {
			return nil, invalid("Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.", *v)
		}
		wait = time.Duration(*v) * time.Second
	}

	end := time.Now().Add(wait)
	for ctx.Err() == nil {
		now := time.Now()
		s.move(now)
		if s.queues[q.name] != q {
			return nil, noQueue()
		}
		if err := s.faultOf("ReceiveMessage", now); err != nil {
			return nil, err
		}
		messages := s.take(q, in, limit, visibility, now)
		if len(messages) > 0 || !now.Before(end) {
			return map[string]any{"Messages": messages}, nil
		}
		until := end
		if next, ok := q.next(now); ok && next.Before(until) {
			until = next
		}
		if s.moving() && now.Add(time.Second).Before(until) {
			until = now.Add(time.Second)
		}
		s.await(ctx, until)
	}
	return nil, ctx.Err()
}

// takeBack undoes a receive, if the answer is to one.
func (s *Server) takeBack(asked, answered []byte) {
	var in request
	var out struct {
		Messages []struct{ ReceiptHandle string }
	}
	if json.Unmarshal(asked, &in) != nil || json.Unmarshal(answered, &out) != nil || len(out.Messages) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return // the queue was deleted with its messages
	}
	for _, r := range out.Messages {
		if m, latest, err := q.byHandle(r.ReceiptHandle); err == nil && m != nil && latest {
			m.receives--
			m.visibleAt = time.Now()
		}
	}
	s.wake()
}

// await waits until a queue changes, the time comes or ctx ends. The caller holds
// s.mu, which is free meanwhile.
func (s *Server) await(ctx context.Context, until time.Time) {
	changed := s.changed
	s.mu.Unlock()
	defer s.mu.Lock()
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// next returns when the next message becomes visible.
func (q *queue) next(now time.Time) (at time.Time, ok bool) {
	for _, m := range q.messages {
		if !m.visible(now) && (!ok || m.visibleAt.Before(at)) {
			at, ok = m.visibleAt, true
		}
	}
	return at, ok
}

// take receives up to limit messages. Messages that were received too often go to the
// dead-letter queue. A message of a FIFO queue waits until the earlier ones of its
// group are deleted.
func (s *Server) take(q *queue, in request, limit int, visibility time.Duration, now time.Time) []received {
	q.expire(now)
	policy, redriven := q.redrive()
	fifo := q.fifo()
	blocked := make(map[string]bool) // groups
	var (
		out  []received
		keep []*message
	)
	for i, m := range q.messages {
		if len(out) == limit {
			keep = append(keep, q.messages[i:]...)
			break
		}
		switch {
		case fifo && blocked[m.group]:
		case !m.visible(now):
			blocked[m.group] = true
		case redriven && m.receives >= policy.max && s.byARN(policy.target) != nil:
			dead := s.byARN(policy.target)
			m.system["DeadLetterQueueSourceArn"] = q.arn()
			dead.messages = append(dead.messages, m)
			s.wake()
			continue
		default:
			m.receives++
			m.visibleAt, m.lastReceived = now.Add(visibility), now
			if m.receives == 1 {
				m.firstReceived = now
			}
			out = append(out, q.received(m, in))
		}
		keep = append(keep, m)
	}
	q.messages = keep
	return out
}

func (s *Server) deleteMessage(in request) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, s.delete(q, in.ReceiptHandle)
}

func (s *Server) deleteMessageBatch(in request) (any, error) {
	return s.batch(in, "DeleteMessageBatch", func(q *queue, e entry) (any, error) {
		return batchDone{e.Id}, s.delete(q, e.ReceiptHandle)
	})
}

type batchDone struct{ Id string }

// delete deletes a message. A handle that is not of the latest receive deletes
// nothing, without an error. On a FIFO queue a handle whose visibility has ended is an
// error.
func (s *Server) delete(q *queue, handle string) error {
	m, latest, err := q.byHandle(handle)
	if err != nil || m == nil {
		return err
	}
	if q.fifo() && (!latest || m.visible(time.Now())) {
		return invalid("Value %s for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.", handle)
	}
	if !latest {
		return nil
	}
	for i := range q.messages {
		if q.messages[i] == m {
			q.messages = append(q.messages[:i:i], q.messages[i+1:]...)
			break
		}
	}
	s.wake() // the next message of its group can be received
	return nil
}

func (s *Server) changeVisibility(in request) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, s.extend(q, in.entry)
}

func (s *Server) changeVisibilityBatch(in request) (any, error) {
	return s.batch(in, "ChangeMessageVisibilityBatch", func(q *queue, e entry) (any, error) {
		return batchDone{e.Id}, s.extend(q, e)
	})
}

// extend sets how long from now a message stays invisible.
func (s *Server) extend(q *queue, e entry) error {
	if e.VisibilityTimeout == nil {
		return refuse("MissingParameter", "The request must contain the parameter VisibilityTimeout.")
	}
	v := *e.VisibilityTimeout
	if v < 0 || v > maxVisibility {
		return invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: VisibilityTimeout must be an integer between 0 and %d.", v, maxVisibility)
	}
	m, latest, err := q.byHandle(e.ReceiptHandle)
	if err != nil {
		return err
	}
	now := time.Now()
	if m == nil || !latest {
		return invalid("Value %s for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.", e.ReceiptHandle)
	}
	if !m.inFlight(now) {
		return refuse("AWS.SimpleQueueService.MessageNotInflight", "The specified message isn't in flight.")
	}
	until := now.Add(time.Duration(v) * time.Second)
	if until.After(m.lastReceived.Add(heldFor)) {
		return invalid("Value %d for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message is beyond the limit [%d seconds]", v, maxVisibility)
	}
	m.visibleAt = until
	s.wake()
	return nil
}
