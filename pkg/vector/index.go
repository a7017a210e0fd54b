package vector

import (
	"context"
	"io"
)

// Index holds versions of vectors in slots and finds the nearest ones to a query, as of a version.
//
// Add, Kill, Restore, Compact and Find are for one writer (they take a lock, so that a mistake
// there cannot break anything); Link for one goroutine in the background; everything else for any
// number of goroutines at once, beside those, without waiting for them. A search sees every row
// whose Add, and every death whose Kill, had returned when it began.
//
// The same calls of Add, Kill and Link in the same order give the same index and the same answers
// on one machine. A search beside a Link that is under way may differ in which rows of a graph it
// finds, never in what is visible or allowed.
type Index interface {
	// Add appends a version of a vector: visible from version born on, until it is killed. vec is
	// copied. The rows may come in any order of versions. The index does not look for another slot of
	// the same id: kill the old one with the version of the new one, in any order, before either
	// version is searched.
	//
	// Errors, after which nothing has changed: those of CheckVector; codec.ErrTooLarge for an id
	// longer than 65,533 bytes or when slots run out. Cost: about a microsecond for a few hundred
	// dimensions, whatever the size: the graph is not touched.
	Add(id string, vec []float32, born uint64) (Slot, error)

	// Kill ends a version of a vector: it is not seen from version died on. Killing what is dead sets
	// the version again. The slot stays a place in the graph until Rebuild. Error:
	// codec.ErrInvalidArgument for a slot that is not there or a version that is none.
	Kill(slot Slot, died uint64) error

	// Restore puts the float32 vector of a slot, as it was given to Add, into memory: after a snapshot
	// was read, so that searches need not fetch it. Errors: codec.ErrInvalidArgument for a slot that
	// is not there, and those of CheckVector. A compact index ignores it.
	Restore(slot Slot, vec []float32) error

	// Compact makes the index a compact one, for good, as if it had been made with Config.Compact:
	// the float32 rows leave memory, and those that a search ranks are fetched. Error:
	// codec.ErrInvalidArgument for an index without Config.Fetch.
	Compact() error

	// Find returns the slot of an id that was added last, if it lives. The first call makes a table of
	// all slots (about 8 bytes each), which Add keeps from then on.
	Find(id string) (Slot, bool)

	// Link takes up to n slots of the tail into the graph, in their order, and returns how many: 0
	// when none are left, and for an index that wants no graph (see Kind). One goroutine at a time (a
	// second one waits), beside any number of searches and the writer, none of which it holds up. It
	// ends early with the context's error. Cost: about a third of a millisecond per slot at 100,000
	// slots of a few hundred dimensions.
	Link(ctx context.Context, n int) (linked int, err error)

	// Search appends the best hits of a query to dst and returns it, best first, ties by id: min(K,
	// rows that are visible and allowed) of them, whatever the strategy. Scores are those of the
	// float32 rows. With a dst that is large enough a search allocates nothing.
	//
	// A flat index gives the true nearest rows; so does every search whose SearchInfo says Exact. A
	// zero query under Cosine or Dot has score 0 with all rows and is answered by their ids.
	//
	// Errors, with dst as it was: those of CheckVector for the query; codec.ErrInvalidArgument for K
	// below 1, a negative Ef, or a Strategy that is none; what Fetch returned.
	Search(dst []Hit, q []float32, o SearchOptions) ([]Hit, SearchInfo, error)

	// ID returns the id of a slot, "" for one that is not there. It costs nothing: the text is the
	// index's own, and keeps its memory as long as the text is kept; clone what is kept for long.
	ID(slot Slot) string

	// Life returns the versions between which a slot is seen: born <= version < died. died is the
	// greatest uint64 while it lives; both are 0 for a slot that is not there.
	Life(slot Slot) (born, died uint64)

	// Slots returns how many slots there are, dead ones included.
	Slots() int

	// Live returns how many slots have not been killed.
	Live() int

	// Tail returns how many slots await Link: 0 for an index that wants no graph (yet).
	Tail() int

	// Rebuild returns a new index of the rows that are seen at version horizon or later, without
	// what died before: nothing linked yet, nothing shared with the old one but Config. moved tells
	// the new slot of each old one, NoSlot for what is gone. Rows that come or die meanwhile may or
	// may not be in it as such: call it while the writer rests. It ends early with the context's
	// error. Worth its cost when Live is below 70 % of Slots.
	Rebuild(ctx context.Context, horizon uint64) (fresh Index, moved []Slot, err error)

	// Snapshot freezes the index as it is, and names the version that it includes: call it while
	// everything up to that version is applied and nothing after it. Writing what it returns may
	// take place later and beside anything; slots that come, die or are linked meanwhile do not
	// change it. Links, codes, ids and versions are written, about Slots * (Dim + 8*M + 40) bytes
	// in blocks of at most 4 MB with a checksum each, and no float32 rows. Same history, same bytes.
	// See ReadSnapshot.
	Snapshot(version uint64) io.WriterTo

	// Bytes returns the memory that the index takes, float32 rows included, within a few per cent.
	Bytes() int64

	// Config returns what the index was made with, defaults filled in.
	Config() Config
}

// Strategy is a way to answer a search.
type Strategy uint8

// The strategies.
const (
	// Auto lets the planner choose; see SearchInfo.Why for what it did.
	Auto Strategy = 0
	// Scan looks at every row that is visible and allowed: exact.
	Scan Strategy = 1
	// Walk goes over the graph and keeps the rows that are allowed.
	Walk Strategy = 2
	// TwoHop goes over allowed rows only, over the neighbours of those that are not. It is quick
	// and good where what is allowed is spread evenly, and bad where it is not.
	TwoHop Strategy = 3
)

// String returns "auto", "scan", "walk" or "two-hop".
func (s Strategy) String() string {
	switch s {
	case Auto:
		return "auto"
	case Scan:
		return "scan"
	case Walk:
		return "walk"
	case TwoHop:
		return "two-hop"
	}
	return "unknown"
}

// SearchOptions says what to look for. K is needed.
type SearchOptions struct {
	K int // hits wanted, at least 1; more than there are rows is no error

	// At is the version of the view: a slot is seen if born <= At < died.
	At uint64
	// Ef is the width of the walk: more finds more of the true neighbours and takes longer. 0 is
	// what reaches recall 0.95 with room to spare; less than K means K.
	Ef int
	// Allowed are the slots that may be hits; nil allows all. It must not change during the search.
	Allowed *Bitmap
	// Strategy asks for one way. An index without a graph scans whatever is asked for, and so does
	// one that would otherwise return fewer hits than there are.
	Strategy Strategy

	_ struct{}
}

// Hit is one result of a search.
type Hit struct {
	Slot  Slot    // see Index.ID
	Score float32 // higher is better; see Metric
}

// SearchInfo explains how a search was answered.
type SearchInfo struct {
	Strategy Strategy // the one that gave the answer
	Why      string   // why that one, in a few words
	Exact    bool     // the hits are the true nearest ones: every row was considered
	Rows     int      // rows whose code was compared
	Ranked   int      // rows whose float32 vector was compared
	Tail     int      // rows not yet linked, scanned beside the graph
}
