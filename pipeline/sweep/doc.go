// Package sweep works through the objects that a bucket already has: it makes sure that each one has its
// record (backfill), checks content against records (verify), or reads the records (manifest).
//
// A pass is described by a [Plan], which is kept as an object. It is cut into shards, which are ranges of
// positions. A shard is run by the same code in this process, by a worker that received it in a message, or by
// one of N processes that share the ranges of the plan. It yields one [Row] for each object, in the order of
// positions.
//
// The rows of a shard are kept as a report, an object that is written once and never replaced. Its name follows
// from the shard. A report may cover only the beginning of its shard; its header then has the shards that follow.
// So the shards of a pass form trees, whose roots are the ranges of the plan, and the reports alone decide
// what is done: a shard that runs twice finds the report of the first run and continues with the shards that this
// one names. To resume a pass is to walk through its reports.
package sweep
