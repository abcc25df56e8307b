// Package pipeline is the domain of bucketsum and the router that runs it.
//
// A message arrives from a queue and is decoded into [Event]s. A [Handler] handles each event.
// Middleware decides what happens to the message:
//
//	observe → poison → continue → decode → limit → retry → for each event: dedupe → recover → handler
//
// The package knows no technology: buckets, queues and wire formats are behind the ports in
// ports.go, and adapters implement these. Messages and the router are Watermill's.
//
// A message is acknowledged for one of five reasons: its work is done; it was dead-lettered with its
// reason; the store proves that there is nothing to do; another message asks for the rest of its
// work; or its events ask for no work. Every other message goes back to the queue.
package pipeline
