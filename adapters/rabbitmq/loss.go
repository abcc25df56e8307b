package rabbitmq

import (
	"errors"
	"log/slog"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// noType is a queue type that no server has.
const noType = "bucketsum-asks"

// warnOfLoss logs what a queue can lose of what it has confirmed. AMQP cannot ask for a queue's
// settings. But a server compares a declaration with a queue that exists, and its refusal names the
// first difference. The type in this declaration exists nowhere, so that it is refused in any case and
// creates nothing. received says that the queue is received from, and so that others send to it.
func warnOfLoss(conn *amqp.Connection, name string, received bool, log *slog.Logger) {
	defer bounded(conn)()
	ch, err := conn.Channel() // the refusal closes it
	if err != nil {
		return // the next call reports it
	}
	defer ch.Close()
	_, err = ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": noType})
	log = log.With("queue", name)
	var fault *amqp.Error
	if !errors.As(err, &fault) || fault.Code != amqp.PreconditionFailed {
		log.Debug("cannot look at the queue's type", "err", err) // for example without the permission to configure
		return
	}
	// The code is the same for all differences, so the text has to decide between warnings.
	switch why := fault.Reason; {
	case strings.Contains(why, "'durable'"):
		log.Warn("queue is not durable: it is lost with all of its messages when the server stops; make a durable quorum queue")
	case strings.Contains(why, "'auto_delete'"):
		log.Warn("queue is deleted with all of its messages when its last consumer goes; make a queue without auto-delete")
	case strings.Contains(why, "current is 'quorum'"), strings.Contains(why, "current is 'stream'"):
	case received && strings.Contains(why, "'x-queue-type'"):
		log.Warn("queue is classic: it loses messages that their sender marks as transient when the server stops, and does not count deliveries; a quorum queue keeps and counts them")
	}
}
