// Package isolation judges histories of concurrent transactions: it builds the graph of who
// depends on whom, and looks for cycles in it that the isolation of the transactions forbids.
//
// A History is what clients wrote down: what each transaction read and wrote, how it ended, and the
// versions that the database told. Two kinds of data tell enough to know the order of all writes:
// lists to which unique elements are appended (a list that was read is the order of its appends),
// and registers with unique values (the commit versions of their writers are the order).
//
// Every transaction has two places in the graph, its snapshot and its commit:
//
//	ww   a commit replaced what another commit wrote         commit   -> commit
//	wr   a snapshot has what a commit wrote                  commit   -> snapshot
//	rw   a commit replaced what another transaction read     commit   -> commit, since the read is
//	     validated: nothing comes between it and the reader's commit
//	rw   the same, but the key was not found by a scan       snapshot -> commit (Snapshot), for
//	     (a phantom)                                         phantoms are allowed; commit -> commit
//	                                                         (Serializable)
//	time one transaction ended before the other one began    commit   -> snapshot
//	version as the database numbered snapshots and commits
//
// A transaction that wrote nothing has its snapshot only, and so has one that was aborted: what it
// read must be right all the same. A cycle means that no order of the commits explains what was
// seen. So both levels are one graph, and a history may mix them. Snapshot is stronger here than
// what is usually called so: keys that were read are validated, only phantoms get through.
//
// The package is pure: it knows no database.
package isolation

import "fmt"

// Level is what the commit of a transaction validates.
type Level uint8

const (
	// Snapshot validates keys that were read or that a scan has returned.
	Snapshot Level = iota
	// Serializable validates scanned ranges, too.
	Serializable
)

// Outcome is how a transaction ended, as far as its client knows.
type Outcome uint8

const (
	// Committed transactions took effect.
	Committed Outcome = iota
	// Aborted ones had no effect, and nobody may see what they wrote.
	Aborted
	// Unknown ones count as committed if somebody saw what they wrote.
	Unknown
)

func (o Outcome) String() string {
	return [...]string{"committed", "aborted", "unknown"}[o]
}

// Key is the name of a list or register in a scope. A name is used for one of both, in all scopes.
type Key struct {
	Scope, Name string
}

func (k Key) String() string {
	if k.Scope == "" {
		return k.Name
	}
	return k.Scope + "/" + k.Name
}

// OpKind says what an operation does.
type OpKind uint8

const (
	// Append adds Value at the end of the list Key.
	Append OpKind = iota
	// ReadList read the list Key as List.
	ReadList
	// Write sets the register Key to Value.
	Write
	// Remove deletes the register Key; where it is absent that has no effect.
	Remove
	// Read found Value in the register Key, 0 for absence.
	Read
	// Scan went over the registers of Key.Scope from Key.Name up to End and returned Found.
	Scan
)

// Op is one operation of a transaction, in the order in which it made them. The zero value of a
// field means that the operation has none of it.
type Op struct {
	Kind OpKind
	Key  Key
	// Value is not 0 and unique among all that is ever written to this name.
	Value int64
	List  []int64
	// Version is that of the last write of what was read, if the database told it (Told); 0 for what
	// never existed, and for the transaction's own writes.
	Version uint64
	Told    bool
	// End is the first name behind a scan; "" for none. A scan that stopped early ends there.
	End   string
	Found []Found
}

// Found is one register that a scan returned.
type Found struct {
	Name  string
	Value int64
}

// Txn is one attempt of a transaction.
type Txn struct {
	Client  int // who ran it: for the report
	Level   Level
	Outcome Outcome
	// Snapshot is the version that it read from, if Pinned. Version is that of its commit, 0 if it
	// wrote nothing or the version is not known. Registers need the versions of committed writers.
	Snapshot uint64
	Pinned   bool
	Version  uint64
	// Began and Ended are moments of one clock of all clients, before the first and after the last
	// call of the transaction; 0: not known.
	Began, Ended int64
	Ops          []Op
}

// Fork says that a scope began as another one was at a version. The versions of all committed
// writers of a history with forks must be known.
type Fork struct {
	Parent, Child string
	At            uint64
}

// History is what was seen. Transactions are in any order; a report names them by their index.
type History struct {
	Txns  []Txn
	Forks []Fork
}

// Class names an anomaly, by the names of Adya where there is one.
type Class string

// The classes, direct ones first: they are found without a cycle.
const (
	G1a          Class = "G1a (aborted read)"
	G1b          Class = "G1b (intermediate read)"
	Internal     Class = "internal (a transaction does not see its own writes)"
	Incompatible Class = "incompatible orders of one list"
	Duplicate    Class = "an element twice"
	Garbage      Class = "a value that nobody wrote"
	BadVersion   Class = "a version that cannot be"
	ForkLeak     Class = "a fork shows what its parent wrote later"

	G0         Class = "G0 (dirty write)"
	G1c        Class = "G1c (circular information flow)"
	LostUpdate Class = "lost update"
	GSingle    Class = "G-single (read skew)"
	G2Item     Class = "G2-item (write skew)"
	G2         Class = "G2 (phantom)"
	Order      Class = "versions against real time"
)

// Anomaly is one thing that must not be.
type Anomaly struct {
	Class Class
	// Txns are the indexes of the transactions that take part, in the order of the cycle.
	Txns []int
	// ByTime and ByVersion tell that the cycle needs real time or the versions that the database told:
	// each client for itself could not have noticed.
	ByTime, ByVersion bool
	// Text tells all of it, in several lines.
	Text string
}

func (a Anomaly) String() string {
	how := ""
	if a.ByTime {
		how += ", seen by real time"
	}
	if a.ByVersion {
		how += ", seen by versions"
	}
	return fmt.Sprintf("%s%s\n%s", a.Class, how, a.Text)
}
