package isolation

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// chain is the order of the states of one key: states[0] comes after nothing at all. What a fork
// inherits stands before its own.
type chain struct {
	key     Key
	states  []state
	writers []int // transactions that write this key, in the order of the history
	list    bool
	longest []int64 // of a list: the longest that was read
	reader  int     // who read it: an index of checker.reads
	// loose come behind all states, nobody knows in which order: they were never seen.
	loose []int
}

// state is what a transaction left behind.
type state struct {
	txn   int
	value int64 // of a register, 0: removed
	count int   // of a list: its length up to here
}

// lineage calls fn for a scope and each that it inherits from, with the greatest version of it that
// the scope shows.
func (c *checker) lineage(scope string, fn func(scope string, upTo uint64)) {
	for upTo := uint64(math.MaxUint64); ; {
		fn(scope, upTo)
		f, ok := c.parents[scope]
		if !ok {
			return
		}
		scope, upTo = f.Parent, min(upTo, f.At)
	}
}

// shows tells whether a scope may show what a transaction wrote in another one.
func (c *checker) shows(scope, wroteIn string, version uint64) bool {
	found := false
	c.lineage(scope, func(s string, upTo uint64) {
		found = found || s == wroteIn && version <= upTo
	})
	return found
}

// writer finds who wrote a value that was read, and judges whether it may be seen there at all.
func (c *checker) writer(r *read, value int64) (write, bool) {
	w, ok := c.writes[written{c.root(r.key.Scope), r.key.Name, value}]
	if !ok {
		c.direct(Garbage, []int{r.txn}, "%s read %d in %s", c.name(r.txn), value, r.key)
		return w, false
	}
	switch t := &c.h.Txns[w.txn]; {
	case w.txn == r.txn:
		c.direct(Internal, []int{r.txn}, "%s read %d in %s before it wrote it",
			c.name(r.txn), value, r.key)
		return w, false
	case t.Outcome == Aborted:
		c.direct(G1a, []int{r.txn, w.txn}, "%s read %d in %s, which %s wrote",
			c.name(r.txn), value, r.key, c.name(w.txn))
		return w, false
	case t.Outcome == Unknown:
		c.wrote[w.txn] = true
		if r.op.Told && c.versions[w.txn] == 0 {
			c.versions[w.txn] = r.op.Version
		}
	}
	if w.scope != r.key.Scope && !c.shows(r.key.Scope, w.scope, c.versions[w.txn]) {
		c.direct(ForkLeak, []int{r.txn, w.txn}, "%s read %d in %s, which %s wrote in %s",
			c.name(r.txn), value, r.key, c.name(w.txn), w.scope)
		return w, false
	}
	return w, true
}

// chainLists orders the appends: those that were read as they were read, then the others.
func (c *checker) chainLists() {
	for i := range c.reads {
		r := &c.reads[i]
		x := c.chain(r.key)
		if r.op.Kind == ReadList {
			x.list = true
			if len(r.list) > len(x.longest) {
				x.longest, x.reader = r.list, i
			}
		}
	}
	for i := range c.h.Txns {
		for j := range c.h.Txns[i].Ops {
			if op := &c.h.Txns[i].Ops[j]; op.Kind == Append {
				c.chain(op.Key).list = true
			}
		}
	}
	for i := range c.reads { // whom they saw is judged before the chains say who was seen
		if r := &c.reads[i]; r.op.Kind == ReadList && len(r.list) > 0 {
			c.judgeList(r)
		}
	}
	for _, x := range c.sorted() {
		if x.list {
			c.chainList(x)
		}
	}
}

// judgeList looks at the end of a list: what lies before it is the business of the longest.
func (c *checker) judgeList(r *read) {
	x := c.chain(r.key)
	if !slices.Equal(r.list, x.longest[:len(r.list)]) {
		c.direct(Incompatible, []int{r.txn}, "%s read %s as %s, which is no beginning of %s",
			c.name(r.txn), r.key, elements(r.list), elements(x.longest))
		r.void = true
		return
	}
	end := r.list[len(r.list)-1]
	if w, ok := c.writer(r, end); ok && !w.last {
		c.direct(G1b, []int{r.txn, w.txn}, "%s read %s as %s, and %s, which wrote %d, wrote more",
			c.name(r.txn), r.key, elements(r.list), c.name(w.txn), end)
	}
}

func (c *checker) chainList(x *chain) {
	seen := make(map[int64]bool, len(x.longest))
	for n, v := range x.longest {
		reader := &c.reads[x.reader]
		if seen[v] {
			c.direct(Duplicate, []int{reader.txn}, "%s read %d twice in %s: %s",
				c.name(reader.txn), v, x.key, elements(x.longest))
			break
		}
		seen[v] = true
		if w, ok := c.writer(reader, v); ok {
			x.extend(w.txn, n+1)
		}
	}
	// Who was never seen comes behind: in the order of the versions, if they are known.
	rest, known := c.unseen(x, seen), true
	for _, i := range rest {
		known = known && c.versions[i] != 0
	}
	if !known {
		x.loose = rest
		return
	}
	slices.SortStableFunc(rest, func(a, b int) int {
		return cmp.Compare(c.versions[a], c.versions[b])
	})
	for n, i := range rest {
		x.extend(i, len(x.longest)+n+1)
	}
}

// unseen are the committed transactions that appended to a list, or to what it inherits, and whose
// elements are not in it.
func (c *checker) unseen(x *chain, seen map[int64]bool) (txns []int) {
	c.lineage(x.key.Scope, func(scope string, upTo uint64) {
		y := c.keys[Key{scope, x.key.Name}]
		if y == nil {
			return
		}
		for _, i := range slices.Compact(slices.Clone(y.writers)) {
			if c.h.Txns[i].Outcome == Committed && c.versions[i] <= upTo && !c.allSeen(i, y.key, seen) {
				txns = append(txns, i)
			}
		}
	})
	return txns
}

// extend adds a state; elements that one transaction appended in a row are one.
func (x *chain) extend(txn, count int) {
	if n := len(x.states); n > 0 && x.states[n-1].txn == txn {
		x.states[n-1].count = count
		return
	}
	x.states = append(x.states, state{txn: txn, count: count})
}

func (c *checker) allSeen(txn int, k Key, seen map[int64]bool) bool {
	for j := range c.h.Txns[txn].Ops {
		op := &c.h.Txns[txn].Ops[j]
		if op.Kind == Append && op.Key == k && !seen[op.Value] {
			return false
		}
	}
	return true
}

// elements prints a list, of a long one the ends.
func elements(list []int64) string {
	text := func(part []int64) string { return strings.Trim(fmt.Sprint(part), "[]") }
	if len(list) > 12 {
		return fmt.Sprintf("[%s ... %s]", text(list[:4]), text(list[len(list)-6:]))
	}
	return "[" + text(list) + "]"
}

func value(v int64) string {
	if v == 0 {
		return "absent"
	}
	return fmt.Sprint(v)
}

// shown is the state of a key for reports.
func (x *chain) shown(at int) string {
	switch {
	case at == 0 && x.list:
		return "empty"
	case at == 0:
		return "absent"
	case x.list:
		return elements(x.longest[:min(x.states[at-1].count, len(x.longest))])
	}
	return value(x.states[at-1].value)
}
