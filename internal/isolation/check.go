package isolation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Report is what Check found.
type Report struct {
	Txns, Committed, Aborted, Unknown int
	Ops                               int
	// WW, WR, RW and Phantoms count the dependencies between different transactions.
	WW, WR, RW, Phantoms int
	// Anomalies are at most a few dozen: one of those that overlap.
	Anomalies []Anomaly
}

// String is a summary in a few lines, anomalies included.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "transactions %d (committed %d, aborted %d, unknown %d), operations %d\n",
		r.Txns, r.Committed, r.Aborted, r.Unknown, r.Ops)
	fmt.Fprintf(&b, "edges ww %d, wr %d, rw %d, phantom %d; anomalies %d",
		r.WW, r.WR, r.RW, r.Phantoms, len(r.Anomalies))
	for _, a := range r.Anomalies {
		b.WriteString("\n\n" + a.String())
	}
	return b.String()
}

// mostDirect bounds the anomalies of each direct class that are told.
const mostDirect = 5

// Check judges a history. Its cost is about linear in the operations, elements that were read, and
// keys that scans went over. It changes nothing, and keeps nothing of h.
func Check(h *History) *Report {
	c := &checker{
		h: h, rep: &Report{Txns: len(h.Txns)}, parents: map[string]Fork{},
		writes: map[written]write{}, keys: map[Key]*chain{}, told: map[Class]int{},
		versions: make([]uint64, len(h.Txns)), wrote: make([]bool, len(h.Txns)),
	}
	for _, f := range h.Forks {
		c.parents[f.Child] = f
	}
	c.collectWrites()
	c.collectReads()
	c.chainLists()
	c.chainRegisters()
	c.graph = newGraph(h, c.versions, c.wrote)
	c.dependencies()
	c.rep.Anomalies = append(c.rep.Anomalies, c.graph.anomalies()...)
	return c.rep
}

// checker is the state of one Check.
type checker struct {
	h       *History
	rep     *Report
	parents map[string]Fork // by child
	writes  map[written]write
	keys    map[Key]*chain
	graph   *graph

	versions []uint64 // of commits, by transaction: also those that only reads tell
	wrote    []bool   // by transaction: it took effect
	told     map[Class]int
	reads    []read
	scans    []scanned
}

// written finds the write of a value. Scopes that are forks of one another share values.
type written struct {
	root, name string
	value      int64
}

type write struct {
	txn   int
	scope string
	last  bool // the transaction's last to this key
	own   int  // elements that it has appended to this key before
}

// read is what a transaction saw of one key outside of its own writes.
type read struct {
	txn   int
	key   Key
	op    *Op
	value int64
	list  []int64
	scan  bool
	void  bool // it is an anomaly already, and tells nothing about the order
}

// scanned is a range that a transaction went over; seen are the names that need no look: found, or
// covered by its own writes.
type scanned struct {
	txn  int
	op   *Op
	seen map[string]bool
}

func (c *checker) root(scope string) string {
	for {
		f, ok := c.parents[scope]
		if !ok {
			return scope
		}
		scope = f.Parent
	}
}

func (c *checker) chain(k Key) *chain {
	x := c.keys[k]
	if x == nil {
		x = &chain{key: k}
		c.keys[k] = x
	}
	return x
}

// sorted are the keys that somebody used, in order: reports do not depend on that of a map.
func (c *checker) sorted() []*chain {
	return slices.SortedFunc(maps.Values(c.keys), func(a, b *chain) int {
		return compare(a.key, b.key)
	})
}

func compare(a, b Key) int {
	return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name))
}

func sortedKeys[V any](m map[Key]V) []Key { return slices.SortedFunc(maps.Keys(m), compare) }

// name is a transaction in a report.
func (c *checker) name(i int) string { return nameOf(c.h, i, c.versions[i]) }

func nameOf(h *History, i int, version uint64) string {
	t := &h.Txns[i]
	text := fmt.Sprintf("T%d (client %d, %s", i, t.Client, t.Outcome)
	if t.Pinned {
		text += fmt.Sprintf(", snapshot %d", t.Snapshot)
	}
	if version != 0 {
		text += fmt.Sprintf(", version %d", version)
	}
	return text + ")"
}

// direct notes an anomaly that needs no cycle.
func (c *checker) direct(class Class, txns []int, format string, args ...any) {
	a := Anomaly{Class: class, Txns: txns, Text: "  " + fmt.Sprintf(format, args...)}
	same := func(b Anomaly) bool { return a.Class == b.Class && a.Text == b.Text }
	if c.told[class] < mostDirect && !slices.ContainsFunc(c.rep.Anomalies, same) {
		c.told[class]++
		c.rep.Anomalies = append(c.rep.Anomalies, a)
	}
}

// collectWrites finds out who wrote what, and what took effect for sure.
func (c *checker) collectWrites() {
	for i := range c.h.Txns {
		t := &c.h.Txns[i]
		c.versions[i] = t.Version
		c.rep.Ops += len(t.Ops)
		switch t.Outcome {
		case Committed:
			c.rep.Committed++
		case Aborted:
			c.rep.Aborted++
		case Unknown:
			c.rep.Unknown++
		}
		last := map[Key]written{}
		appended := map[Key]int{}
		for j := range t.Ops {
			op := &t.Ops[j]
			if op.Kind != Append && op.Kind != Write && op.Kind != Remove {
				continue
			}
			c.chain(op.Key).writers = append(c.chain(op.Key).writers, i)
			if before, ok := last[op.Key]; ok {
				w := c.writes[before]
				w.last = false
				c.writes[before] = w
			}
			if op.Kind == Remove {
				delete(last, op.Key)
				continue
			}
			id := written{c.root(op.Key.Scope), op.Key.Name, op.Value}
			if w, twice := c.writes[id]; twice || op.Value == 0 {
				c.direct(Duplicate, []int{w.txn, i}, "%s and %s write %d to %s: values must be unique",
					c.name(w.txn), c.name(i), op.Value, op.Key)
				continue
			}
			c.writes[id] = write{txn: i, scope: op.Key.Scope, last: true, own: appended[op.Key]}
			last[op.Key] = id
			appended[op.Key]++
		}
		// Deletes that found nothing have no effect and no version.
		c.wrote[i] = t.Outcome == Committed && (t.Version != 0 || len(last) > 0)
	}
}
