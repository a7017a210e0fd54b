// Package trace is the trace primitive: the spans of a run, what the agent did, when, why, and at
// what price.
//
// A span has a type (a tool call, a decision, a query, a thought, an error, or a custom one), a
// start and, once it has ended, an end. It may lie under a parent, so that the spans of a run form
// trees. The names of what it carries follow OpenTelemetry's semantic conventions for generative
// AI; docs/tracing.md has the table.
//
// Traces has one implementation for all three forms of a scope: run.Traces() commits every call by
// itself, tx.Traces() works inside a transaction, view.Traces() is read-only.
//
// # Times
//
// Times have nanoseconds and no zone: they come back in UTC. Where the caller gives none it is the
// authority's clock that is asked, and inside a transaction that clock stands still: all spans that
// a transaction starts without a time of their own have one start, and keep their order by the ids
// that were generated for them.
//
// # Stored form
//
// A span lies under its id, as primitive codec.Traces, as a Map in the encoding of values. What it
// does not have is left out, so the smallest span has two entries:
//
//	type              the type, a String
//	name, error       Strings
//	parent            the id of the parent span, a String
//	start_unix_nano   Int, always there
//	end_unix_nano     Int; missing as long as the span is open
//	tags              Array of Strings, sorted, each once
//	cost_nano_usd     Int, 1e-9 US dollars
//	attributes        Map: the caller's
//	error.type, gen_ai.…  what has a name in the conventions has that name here
//
// Other entries, which a later version may write, are passed over and stay when a span is changed.
//
// Four indexes hold entries, as primitive codec.Traces.Index(). Their keys are tuples that end in
// start time and id, so that every index is in the order of time; their values are Null:
//
//	"parent" parent start id     one per span; the parent of a root is the empty string
//	"start"  start id            one per span
//	"tag"    tag start id        one per tag
//	"type"   type start id       one per span
//
// They are written in the transaction that writes the span, are never asked for what a span holds,
// and can be made again from the spans: see Traces.VerifyIndexes.
package trace
