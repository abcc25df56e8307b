// Package sim is a deterministic simulator: several workers run the program's own code (pipeline.Run with all its middleware,
// the engine of pipeline/queue, handlers.New, the Store of adapters/blobstore) over models of S3 and SQS, under random
// schedules and faults, while users change objects. One seed and the commit replay a run.
//
// # How a run works
//
// A run is a bubble of testing/synctest, so that time is fake. A seed first draws a [Profile]: how many workers, keys and
// operations there are, how the workers are configured, and which faults can happen how often.
//
// Every call of a worker into a model waits in the kernel (kernel.go). When all goroutines wait, for the kernel or for
// time, the kernel sorts the calls by worker, kind, key and delivery, and draws when each reaches its model. Then it
// takes one step: it answers one call that is due, with or without a fault; or it lets something else happen first: a
// worker crashes, freezes or drains, a user changes the object that the call is about. If nothing is due, time passes.
// Each step has a line in the history.
//
// At a crash a request of the worker has reached its model or not, and nothing that the worker does afterwards has any
// effect. A frozen worker sees no answers, and its heartbeats do not arrive; requests that it had sent do.
// A request whose context ends has happened or not when its caller learns that; it does not happen later.
//
// The checker (invariants.go) looks at each write when a worker makes it. When users are done, faults are turned off and
// every worker runs; when the queue is empty, the checker looks at every key (final.go), and the workers are drained.
//
// Nothing that a seed does not decide has an influence: not the clock, not the order of goroutines or of maps, not UUIDs,
// not the jitter of waits (backoff.SetSource). TestReplay compares the histories of runs and processes.
//
// # What it does not cover
//
// The drivers of technologies, HTTP, telemetry, sweeps, records in tags or in a bucket of their own, layouts other than
// the default one, archived objects, folders. Objects are smaller than the ranges that are read side by side, and MD5
// has no lanes. A request never happens after its caller has given it up. The claims of a store
// are those of objects that were uploaded in one part. Users do not delete or overwrite records of bucketsum.
//
// Porcupine is not used: the models apply one call at a time, so that the history of a record's key is linearizable by
// construction, and the checker sees each write with the state that it replaces.
package sim
