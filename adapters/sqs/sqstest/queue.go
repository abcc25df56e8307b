package sqstest

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// queue is one queue. Server.mu guards it.
type queue struct {
	name       string
	generation int // differs from that of an earlier queue of the same name
	created    time.Time
	purged     time.Time
	attributes map[string]string // those that can be set
	messages   []*message        // in order
	sent       map[string]sent   // by group and deduplication ID; FIFO only
}

// sent is what a FIFO queue keeps of a message to recognise its duplicates.
type sent struct {
	at       time.Time
	id       string
	sequence string
}

// settable are the attributes that a caller can set, and their defaults.
var settable = map[string]string{
	"DelaySeconds":                  "0",
	"MaximumMessageSize":            "1048576",
	"MessageRetentionPeriod":        "345600",
	"ReceiveMessageWaitTimeSeconds": "0",
	"VisibilityTimeout":             "30",
	"Policy":                        "",
	"RedrivePolicy":                 "",
	"RedriveAllowPolicy":            "",
	"KmsMasterKeyId":                "",
	"KmsDataKeyReusePeriodSeconds":  "",
	"SqsManagedSseEnabled":          "",
	"FifoQueue":                     "",
	"ContentBasedDeduplication":     "",
	"DeduplicationScope":            "",
	"FifoThroughputLimit":           "",
}

func (q *queue) arn() string { return "arn:aws:sqs:" + region + ":" + account + ":" + q.name }

func (q *queue) fifo() bool { return q.attributes["FifoQueue"] == "true" }

// number returns an attribute that is a count of seconds or bytes.
func (q *queue) number(name string) int {
	v := q.attributes[name]
	if v == "" {
		v = settable[name]
	}
	n, _ := strconv.Atoi(v) // checked when it was set
	return n
}

func (q *queue) seconds(name string) time.Duration {
	return time.Duration(q.number(name)) * time.Second
}

// redrive is a queue's policy for messages that fail.
type redrive struct {
	target string // ARN
	max    int
}

func (q *queue) redrive() (redrive, bool) {
	raw := q.attributes["RedrivePolicy"]
	if raw == "" {
		return redrive{}, false
	}
	r, err := parseRedrive(raw)
	return r, err == nil
}

func parseRedrive(raw string) (redrive, error) {
	var p struct {
		DeadLetterTargetArn string      `json:"deadLetterTargetArn"`
		MaxReceiveCount     json.Number `json:"maxReceiveCount"` // people write it as a string, too
	}
	err := json.Unmarshal([]byte(raw), &p)
	max, countErr := strconv.Atoi(p.MaxReceiveCount.String())
	if err != nil || countErr != nil || max < 1 || max > 1000 || p.DeadLetterTargetArn == "" {
		return redrive{}, invalid("Value %s for parameter RedrivePolicy is invalid.", raw)
	}
	return redrive{target: p.DeadLetterTargetArn, max: max}, nil
}

func (s *Server) byARN(arn string) *queue {
	name := arn[strings.LastIndexByte(arn, ':')+1:]
	if q := s.queues[name]; q != nil && q.arn() == arn {
		return q
	}
	return nil
}

func (s *Server) createQueue(in request) (any, error) {
	name := in.QueueName
	if err := checkName(name); err != nil {
		return nil, err
	}
	if err := s.checkAttributes(in.Attributes); err != nil {
		return nil, err
	}
	if fifo := in.Attributes["FifoQueue"] == "true"; fifo != strings.HasSuffix(name, ".fifo") {
		return nil, invalid("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix.")
	}
	if q := s.queues[name]; q != nil {
		for k, v := range in.Attributes {
			if have := q.attributes[k]; have != v && (have != "" || v != settable[k]) {
				return nil, refuse("QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute %s", k)
			}
		}
		return map[string]string{"QueueUrl": QueueURL(name)}, nil
	}
	now := time.Now()
	if at, ok := s.deleted[name]; ok && now.Sub(at) < time.Minute {
		return nil, refuse("AWS.SimpleQueueService.QueueDeletedRecently",
			"You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	}
	q := &queue{
		name: name, generation: s.nextSerial(), created: now,
		attributes: make(map[string]string), sent: make(map[string]sent),
	}
	maps.Copy(q.attributes, in.Attributes)
	s.queues[name] = q
	return map[string]string{"QueueUrl": QueueURL(name)}, nil
}

func checkName(name string) error {
	base := strings.TrimSuffix(name, ".fifo")
	bad := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	}
	if base == "" || len(name) > 80 || strings.ContainsFunc(base, bad) {
		return invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	return nil
}

// checkAttributes checks the attributes that a caller sets.
func (s *Server) checkAttributes(attributes map[string]string) error {
	bounds := map[string][2]int{
		"DelaySeconds":                  {0, 900},
		"MaximumMessageSize":            {1024, 1 << 20},
		"MessageRetentionPeriod":        {60, 1209600},
		"ReceiveMessageWaitTimeSeconds": {0, 20},
		"VisibilityTimeout":             {0, maxVisibility},
	}
	for k, v := range attributes {
		if _, ok := settable[k]; !ok {
			return refuse("InvalidAttributeName", "Unknown Attribute %s.", k)
		}
		if b, ok := bounds[k]; ok {
			if n, err := strconv.Atoi(v); err != nil || n < b[0] || n > b[1] {
				return refuse("InvalidAttributeValue", "Invalid value for the parameter %s.", k)
			}
		}
		if k == "RedrivePolicy" && v != "" {
			r, err := parseRedrive(v)
			if err != nil {
				return err
			}
			if s.byARN(r.target) == nil {
				return invalid("Value %s for parameter RedrivePolicy is invalid. Reason: Dead letter target does not exist.", v)
			}
		}
	}
	return nil
}

func (s *Server) setQueueAttributes(in request) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := s.checkAttributes(in.Attributes); err != nil {
		return nil, err
	}
	maps.Copy(q.attributes, in.Attributes)
	return nil, nil
}

func (s *Server) deleteQueue(in request) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	delete(s.queues, q.name)
	s.deleted[q.name] = time.Now()
	s.wake()
	return nil, nil
}

func (s *Server) getQueueURL(in request) (any, error) {
	if s.queues[in.QueueName] == nil {
		return nil, noQueue()
	}
	return map[string]string{"QueueUrl": QueueURL(in.QueueName)}, nil
}

func (s *Server) listQueues(in request) (any, error) {
	urls := []string{}
	for name := range s.queues {
		if strings.HasPrefix(name, in.QueueNamePrefix) {
			urls = append(urls, QueueURL(name))
		}
	}
	slices.Sort(urls)
	return map[string]any{"QueueUrls": urls}, nil
}

func (s *Server) getQueueAttributes(in request) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string)
	for k, v := range settable {
		if v != "" {
			all[k] = v
		}
	}
	maps.Copy(all, q.attributes)
	visible, inFlight, delayed := q.counts(time.Now())
	created := strconv.FormatInt(q.created.Unix(), 10)
	maps.Copy(all, map[string]string{
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(inFlight),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"CreatedTimestamp":                      created,
		"LastModifiedTimestamp":                 created,
		"QueueArn":                              q.arn(),
	})
	out := make(map[string]string)
	for _, name := range in.AttributeNames {
		if name == "All" {
			out = all
			break
		}
		v, known := all[name]
		if _, can := settable[name]; !known && !can {
			return nil, refuse("InvalidAttributeName", "Unknown Attribute %s.", name)
		}
		if known {
			out[name] = v
		}
	}
	maps.DeleteFunc(out, func(_, v string) bool { return v == "" })
	return map[string]any{"Attributes": out}, nil
}

func (s *Server) purgeQueue(in request) (any, error) {
	q, err := s.queue(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if !q.purged.IsZero() && now.Sub(q.purged) < time.Minute {
		return nil, refuse("AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on %s is allowed every 60 seconds.", q.name)
	}
	q.purged, q.messages = now, nil
	return nil, nil
}

// counts returns how many messages can be received, are in flight, and are not
// due yet.
func (q *queue) counts(now time.Time) (visible, inFlight, delayed int) {
	q.expire(now)
	for _, m := range q.messages {
		switch {
		case m.inFlight(now):
			inFlight++
		case m.visible(now):
			visible++
		default:
			delayed++
		}
	}
	return visible, inFlight, delayed
}

// expire drops the messages that are older than the retention period.
func (q *queue) expire(now time.Time) {
	keep := q.seconds("MessageRetentionPeriod")
	q.messages = slices.DeleteFunc(q.messages, func(m *message) bool { return now.Sub(m.sentAt) >= keep })
}
