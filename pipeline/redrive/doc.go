// Package redrive sends dead letters back to their queue, or deletes them. It says what lies among the
// dead letters, grouped by reason.
//
// [Run] receives every message of a queue once. A message that matches is sent first and deleted after: a
// run that is killed loses none, and may send one twice. What does not match is held back
// until the end, so that it is not delivered again meanwhile, and then given back unchanged.
//
// Dead letters are untrusted. A run decodes them only to group and to match them, and what it keeps of them is
// bounded.
package redrive
