package sqstest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"
)

const (
	account = "123456789012"
	region  = "us-east-1"
)

// Server is an SQS with its queues. Safe for concurrent use.
type Server struct {
	mu      sync.Mutex
	queues  map[string]*queue    // by name
	deleted map[string]time.Time // when the queue of a name was deleted
	tasks   []*moveTask
	rate    int // of tasks that name none
	faults  []*Fault
	calls   map[string]int // by action
	serial  int            // makes identifiers
	changed chan struct{}  // closed and replaced when a message may have become receivable
}

// NewServer returns a server without queues.
func NewServer() *Server {
	return &Server{
		queues:  make(map[string]*queue),
		deleted: make(map[string]time.Time),
		calls:   make(map[string]int),
		changed: make(chan struct{}),
	}
}

// QueueURL returns the URL of the queue of a name.
func QueueURL(name string) string {
	return "https://sqs." + region + ".amazonaws.com/" + account + "/" + name
}

// Calls returns the number of calls of an action, failed ones included; "" counts the
// calls of all actions.
func (s *Server) Calls(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if action != "" {
		return s.calls[action]
	}
	n := 0
	for _, calls := range s.calls {
		n += calls
	}
	return n
}

// RoundTrip answers a request in the goroutine of its caller. Messages that it received
// for a request that was cancelled meanwhile go back to the queue: a message in flight
// always has a receiver.
func (s *Server) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		defer r.Body.Close()
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	a := s.answer(r.Context(), r.Header.Get("X-Amz-Target"), body)
	if err := r.Context().Err(); err != nil {
		s.takeBack(body, a.body)
		return nil, err
	}
	return &http.Response{
		Status:     http.StatusText(a.status),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header(),
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := s.answer(r.Context(), r.Header.Get("X-Amz-Target"), body)
	for k, v := range a.header() {
		w.Header()[k] = v
	}
	w.WriteHeader(a.status)
	w.Write(a.body) // an error says that the client has left
}

// answer is the answer to one request.
type answer struct {
	status int
	code   string // of an error, as clients of the older protocol know it
	fault  string // whose fault it is: Sender or Receiver
	body   []byte
}

func (a answer) header() http.Header {
	h := http.Header{
		"Content-Type":     {"application/x-amz-json-1.0"},
		"X-Amzn-Requestid": {"00000000-0000-0000-0000-000000000000"},
	}
	if a.code != "" {
		h.Set("X-Amzn-Query-Error", a.code+";"+a.fault)
	}
	return h
}

func (s *Server) answer(ctx context.Context, target string, body []byte) answer {
	out, err := s.do(ctx, target, body)
	if err == nil {
		if out == nil {
			out = struct{}{}
		}
		encoded, err := json.Marshal(out)
		if err == nil {
			return answer{status: http.StatusOK, body: encoded}
		}
		return refusal(err)
	}
	if errors.Is(err, errSilent) {
		<-ctx.Done()
	}
	return refusal(err)
}

func refusal(err error) answer {
	e := &apiError{Code: "InternalFailure", Message: err.Error(), Status: http.StatusInternalServerError}
	errors.As(err, &e)
	a := answer{status: e.Status, code: e.Code, fault: "Sender"}
	if a.status == 0 {
		a.status = http.StatusBadRequest
	}
	if a.status >= 500 {
		a.fault = "Receiver"
	}
	shape := e.Code[strings.LastIndexByte(e.Code, '.')+1:]
	if shape == "NonExistentQueue" {
		shape = "QueueDoesNotExist"
	}
	// An error consists of strings, which always encode.
	a.body, _ = json.Marshal(map[string]string{"__type": "com.amazonaws.sqs#" + shape, "message": e.Message})
	return a
}

// apiError is an error as SQS reports it.
type apiError struct {
	Code    string
	Message string
	Status  int // 0: 400
}

func (e *apiError) Error() string { return e.Code + ": " + e.Message }

func refuse(code, format string, args ...any) error {
	return &apiError{Code: code, Message: fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) error {
	return refuse("InvalidParameterValue", format, args...)
}

// do runs one action.
func (s *Server) do(ctx context.Context, target string, body []byte) (any, error) {
	action, ok := strings.CutPrefix(target, "AmazonSQS.")
	if !ok {
		return nil, refuse("InvalidAction", "The action or operation requested is invalid: %q", target)
	}
	var in request
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, refuse("SerializationException", "%v", err)
	}
	if action == "ReceiveMessage" {
		return s.receive(ctx, in)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(action); err != nil {
		return nil, err
	}
	act, ok := actions[action]
	if !ok {
		return nil, refuse("InvalidAction", "The action or operation requested is invalid: %q", action)
	}
	return act(s, in)
}

// begin is the start of every action. The caller holds s.mu.
func (s *Server) begin(action string) error {
	s.calls[action]++
	now := time.Now()
	s.move(now)
	return s.faultOf(action, now)
}

var actions = map[string]func(*Server, request) (any, error){
	"CreateQueue":                  (*Server).createQueue,
	"DeleteQueue":                  (*Server).deleteQueue,
	"GetQueueUrl":                  (*Server).getQueueURL,
	"ListQueues":                   (*Server).listQueues,
	"GetQueueAttributes":           (*Server).getQueueAttributes,
	"SetQueueAttributes":           (*Server).setQueueAttributes,
	"PurgeQueue":                   (*Server).purgeQueue,
	"SendMessage":                  (*Server).sendMessage,
	"SendMessageBatch":             (*Server).sendMessageBatch,
	"DeleteMessage":                (*Server).deleteMessage,
	"DeleteMessageBatch":           (*Server).deleteMessageBatch,
	"ChangeMessageVisibility":      (*Server).changeVisibility,
	"ChangeMessageVisibilityBatch": (*Server).changeVisibilityBatch,
	"StartMessageMoveTask":         (*Server).startMove,
	"ListMessageMoveTasks":         (*Server).listMoves,
	"CancelMessageMoveTask":        (*Server).cancelMove,
}

// request has the members of every input.
type request struct {
	entry
	QueueUrl                    string
	QueueName                   string
	QueueNamePrefix             string
	Attributes                  map[string]string
	AttributeNames              []string
	MessageAttributeNames       []string
	MessageSystemAttributeNames []string
	MaxNumberOfMessages         *int
	WaitTimeSeconds             *int
	Entries                     []entry

	SourceArn, DestinationArn    string
	TaskHandle                   string
	MaxNumberOfMessagesPerSecond int
	MaxResults                   int
}

// entry has the members of one entry of every batch.
type entry struct {
	Id                      string
	MessageBody             string
	MessageAttributes       map[string]attribute
	MessageSystemAttributes map[string]attribute
	DelaySeconds            *int
	MessageGroupId          string
	MessageDeduplicationId  string
	ReceiptHandle           string
	VisibilityTimeout       *int
}

// queue returns the queue of a URL, whose host does not matter: clients reach the
// server through another endpoint.
func (s *Server) queue(url string) (*queue, error) {
	if url == "" {
		return nil, refuse("MissingParameter", "The request must contain the parameter QueueUrl.")
	}
	q := s.queues[path.Base(url)]
	if q == nil {
		return nil, noQueue()
	}
	return q, nil
}

func noQueue() error {
	return refuse("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
}

// wake makes waiting receives look again.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) nextSerial() int {
	s.serial++
	return s.serial
}
