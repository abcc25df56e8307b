package queue

import (
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
)

// SettleTime is what a consumer gets to nack a message after its context was
// cancelled by Close, and what the broker gets to be told.
const SettleTime = time.Second

// Settled waits until the message is acked or nacked and reports whether it was
// acked. It waits no longer than a closing subscriber does, until overdue is
// closed: then it calls giveUp, which cancels the message's context, and a moment
// later takes silence for a nack.
func Settled(m *message.Message, overdue <-chan struct{}, giveUp func()) (acked bool) {
	select {
	case <-m.Acked():
		return true
	case <-m.Nacked():
		return false
	case <-overdue:
	}
	giveUp()
	grace := time.NewTimer(SettleTime)
	defer grace.Stop()
	select {
	case <-m.Acked():
		return true
	case <-m.Nacked():
	case <-grace.C:
	}
	return false
}
