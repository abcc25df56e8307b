package sqstest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"time"
)

// deduplication is how long a FIFO queue recognises duplicates of a message.
const deduplication = 5 * time.Minute

// sendResult is the answer to the sender of a message.
type sendResult struct {
	Id                           string `json:",omitempty"` // in a batch
	MessageId                    string
	MD5OfMessageBody             string
	MD5OfMessageAttributes       string `json:",omitempty"`
	MD5OfMessageSystemAttributes string `json:",omitempty"`
	SequenceNumber               string `json:",omitempty"`
}

func (s *Server) sendMessage(in request) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return s.send(q, in.entry)
}

func (s *Server) sendMessageBatch(in request) (any, error) {
	size := 0
	for _, e := range in.Entries {
		size += len(e.MessageBody)
	}
	if size > 1<<20 {
		return nil, refuse("AWS.SimpleQueueService.BatchRequestTooLong", "Batch requests cannot be longer than %d bytes.", 1<<20)
	}
	return s.batch(in, "SendMessageBatch", func(q *queue, e entry) (any, error) { return s.send(q, e) })
}

func (s *Server) send(q *queue, e entry) (sendResult, error) {
	if err := q.checkContent(e); err != nil {
		return sendResult{}, err
	}
	now := time.Now()
	delay := q.seconds("DelaySeconds")
	if e.DelaySeconds != nil {
		if *e.DelaySeconds < 0 || *e.DelaySeconds > 900 || q.fifo() && *e.DelaySeconds > 0 {
			return sendResult{}, invalid("Value %d for parameter DelaySeconds is invalid.", *e.DelaySeconds)
		}
		delay = time.Duration(*e.DelaySeconds) * time.Second
	}
	m := &message{
		id: s.newID(), body: e.MessageBody, attributes: maps.Clone(e.MessageAttributes),
		system: make(map[string]string), group: e.MessageGroupId,
		sentAt: now, visibleAt: now.Add(delay),
	}
	result := sendResult{
		Id: e.Id, MessageId: m.id,
		MD5OfMessageBody:             hexMD5(e.MessageBody),
		MD5OfMessageAttributes:       attributesMD5(e.MessageAttributes),
		MD5OfMessageSystemAttributes: attributesMD5(e.MessageSystemAttributes),
	}
	if h := e.MessageSystemAttributes["AWSTraceHeader"].StringValue; h != nil {
		m.system["AWSTraceHeader"] = *h
	}
	if m.group != "" {
		m.system["MessageGroupId"] = m.group
	}
	if q.fifo() {
		earlier, err := s.sequence(q, m, e, now)
		if err != nil {
			return sendResult{}, err
		}
		result.SequenceNumber = m.system["SequenceNumber"]
		if earlier != nil { // accepted, and not sent again
			result.MessageId, result.SequenceNumber = earlier.id, earlier.sequence
			return result, nil
		}
	}
	q.messages = append(q.messages, m)
	s.wake()
	return result, nil
}

// sequence gives a message of a FIFO queue its number. If the message is a
// duplicate, it returns the first one.
func (s *Server) sequence(q *queue, m *message, e entry, now time.Time) (*sent, error) {
	if e.MessageGroupId == "" {
		return nil, refuse("MissingParameter", "The request must contain the parameter MessageGroupId.")
	}
	id := e.MessageDeduplicationId
	if id == "" {
		if q.attributes["ContentBasedDeduplication"] != "true" {
			return nil, invalid("The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly")
		}
		sum := sha256.Sum256([]byte(e.MessageBody))
		id = hex.EncodeToString(sum[:])
	}
	key := id
	if q.attributes["DeduplicationScope"] == "messageGroup" {
		key = e.MessageGroupId + "\x00" + id
	}
	if earlier, ok := q.sent[key]; ok && now.Sub(earlier.at) < deduplication {
		return &earlier, nil
	}
	m.system["MessageDeduplicationId"] = id
	m.system["SequenceNumber"] = fmt.Sprintf("%020d", s.nextSerial())
	q.sent[key] = sent{at: now, id: m.id, sequence: m.system["SequenceNumber"]}
	return nil, nil
}

func (s *Server) newID() string {
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", s.nextSerial())
}

var entryID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// batchFailure is an entry of a batch that failed.
type batchFailure struct {
	Id          string
	SenderFault bool
	Code        string
	Message     string
}

// batch runs an action for each entry of a batch. Each entry succeeds or fails by
// itself.
func (s *Server) batch(in request, action string, do func(*queue, entry) (any, error)) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	const prefix = "AWS.SimpleQueueService."
	if len(in.Entries) == 0 {
		return nil, refuse(prefix+"EmptyBatchRequest", "There should be at least one entry in the request.")
	}
	if len(in.Entries) > 10 {
		return nil, refuse(prefix+"TooManyEntriesInBatchRequest", "Maximum number of entries per request are 10. You have sent %d.", len(in.Entries))
	}
	seen := make(map[string]bool)
	for _, e := range in.Entries {
		if !entryID.MatchString(e.Id) {
			return nil, refuse(prefix+"InvalidBatchEntryId", "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.")
		}
		if seen[e.Id] {
			return nil, refuse(prefix+"BatchEntryIdsNotDistinct", "Id %s repeated.", e.Id)
		}
		seen[e.Id] = true
	}
	out := struct {
		Successful []any
		Failed     []batchFailure
	}{[]any{}, []batchFailure{}}
	hit, fault := s.entryFaults(action)
	for i, e := range in.Entries {
		result, err := any(nil), fault
		if i >= hit {
			result, err = do(q, e)
		}
		if err != nil {
			a := err.(*apiError) // the server has no other errors
			out.Failed = append(out.Failed, batchFailure{Id: e.Id, SenderFault: a.Status < 500, Code: a.Code, Message: a.Message})
			continue
		}
		out.Successful = append(out.Successful, result)
	}
	return out, nil
}
