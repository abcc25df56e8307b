// Package pipeline is the domain of bucketsum and the router that drives it.
//
// A message arrives from a queue, is decoded into [Event]s, and each event is
// given to one [Handler]. Middleware decides what becomes of the message:
//
//	observe → poison → continue → decode → retry → for each event: dedupe → recover → handler
//
// The package knows no technology: buckets, queues and wire formats are behind
// the ports in ports.go and are implemented under adapters. Messages and
// routers are Watermill's.
//
// A message is acknowledged for one of five reasons only: its work is done, it
// was dead-lettered with its reason, it is superseded (a newer event or nobody
// needs it), another message asks for the rest of its work, or it is a kind of
// event that asks for no work. Everything else
// goes back to the queue.
package pipeline
