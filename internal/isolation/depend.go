package isolation

import (
	"slices"
)

// dependencies puts what the chains tell into the graph.
func (c *checker) dependencies() {
	chains := c.sorted()
	names := map[string][]*chain{} // registers by scope, in the order of their names
	for _, x := range chains {
		for n := 1; n < len(x.states); n++ {
			c.edge(edge{kind: ww, x: x, at: n}, x.states[n-1].txn, x.states[n].txn)
		}
		for _, i := range x.loose {
			if n := len(x.states); n > 0 {
				c.edge(edge{kind: ww, x: x, at: n}, x.states[n-1].txn, i)
			}
		}
		if !x.list {
			names[x.key.Scope] = append(names[x.key.Scope], x)
		}
	}
	for i := range c.reads {
		r := &c.reads[i]
		x := c.keys[r.key]
		if at, ok := c.position(x, r); ok {
			c.readEdges(x, r.txn, at, false)
		}
	}
	for i := range c.scans {
		c.scanEdges(&c.scans[i], names[c.scans[i].op.Key.Scope])
	}
}

// readEdges adds the edges of a read that saw the first at states of a key.
func (c *checker) readEdges(x *chain, txn, at int, phantom bool) {
	e := edge{kind: rw, x: x, at: at, phantom: phantom}
	if at > 0 {
		c.edge(edge{kind: wr, x: x, at: at}, x.states[at-1].txn, txn)
	}
	switch {
	case at < len(x.states) && x.states[at].txn != txn:
		c.edge(e, txn, x.states[at].txn)
	case at+1 < len(x.states): // its own write comes next: the one behind depends on that
	default:
		for _, i := range x.loose {
			c.edge(e, txn, i)
		}
	}
}

// scanEdges reads every key that a scan went over and did not find as absent.
func (c *checker) scanEdges(s *scanned, chains []*chain) {
	from, _ := slices.BinarySearchFunc(chains, s.op.Key.Name, func(x *chain, name string) int {
		return compare(Key{Name: x.key.Name}, Key{Name: name})
	})
	for _, x := range chains[from:] {
		if !s.op.covers(x.key) {
			break
		}
		if s.seen[x.key.Name] {
			continue
		}
		if at, ok := c.absent(x, s.txn); ok {
			c.readEdges(x, s.txn, at, true)
		}
	}
}

// edge counts a dependency and puts it into the graph.
func (c *checker) edge(e edge, from, to int) {
	if from == to {
		return
	}
	switch {
	case e.kind == ww:
		c.rep.WW++
	case e.kind == wr:
		c.rep.WR++
	case e.phantom:
		c.rep.Phantoms++
	default:
		c.rep.RW++
	}
	source, target := commitOf(from), commitOf(to)
	switch {
	case e.kind == wr:
		target = snapshotOf(to)
	case e.kind == rw && (!c.wrote[from] || e.phantom && c.h.Txns[from].Level == Snapshot):
		source = snapshotOf(from)
	}
	c.graph.add(e, source, target)
}
