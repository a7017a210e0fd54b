// Package vectors is the vector primitive: collections of vectors with metadata in a run, and the
// search for those that are nearest to a query.
//
// A vector is data like any other. It is there when its transaction is, and gone when it is not; a
// search inside a transaction sees what the transaction wrote; a search on a view of the past finds
// what it would have found then; a fork searches what its parent had, and goes its own way from
// there.
//
// Vectors has one implementation for all three forms of a scope: run.Vectors(name) commits every
// call by itself, tx.Vectors(name) works inside a transaction, view.Vectors(name) is read-only.
//
// # Stored form
//
// Collections and rows lie under codec.Vectors: the record of a collection under the tuple of its
// name, its rows right behind it, in the order of their ids; see codec.VectorCollection and
// codec.VectorRow. The rows are the truth. Whatever index there is, is derived from them and
// decides how quickly a search answers, not what is there: a row that was committed is found, a row
// that was deleted is not.
//
// # Conflicts
//
// A row is written blindly: of two that upsert one id the later one stays, and neither conflicts.
// Every upsert names the version of the collection's record, though, so none ever lands in a
// collection that was dropped meanwhile, nor in another one of the same name. Inside a transaction
// every operation on a collection has read its record: creating and dropping the collection
// conflict with it, nothing else that happens there does.
//
// A search has read the rows that it returned, and in a Serializable transaction the whole
// collection: then no upsert that it would have had to see gets past it.
//
// # Scores
//
// A higher score is always better: cosine of the angle (0 for a vector of zeros), dot product, or
// negated squared Euclidean distance. Hits are in the order of scores, those of equal score in the
// order of ids, so the answer to a query is the same every time. Vectors are stored as they are
// given, bit by bit; nothing is normalised.
package vectors
