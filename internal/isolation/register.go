package isolation

import (
	"cmp"
	"slices"
	"sort"
)

// chainRegisters orders the writes of registers by the versions of their commits.
func (c *checker) chainRegisters() {
	for i := range c.reads { // first: whom they saw may have a version by that only
		r := &c.reads[i]
		if r.op.Kind != ReadList && r.value != 0 {
			c.judgeValue(r)
		}
	}
	for _, x := range c.sorted() {
		if !x.list {
			c.chainRegister(x)
		}
	}
}

func (c *checker) judgeValue(r *read) {
	w, ok := c.writer(r, r.value)
	switch {
	case !ok:
		r.void = true
	case !w.last:
		c.direct(G1b, []int{r.txn, w.txn}, "%s read %s as %d, and %s, which wrote it, wrote it anew",
			c.name(r.txn), r.key, r.value, c.name(w.txn))
		r.void = true
	case r.op.Told && !r.scan && r.op.Version != c.versions[w.txn]:
		c.direct(BadVersion, []int{r.txn, w.txn}, "%s read %s as %d with version %d, which %s wrote",
			c.name(r.txn), r.key, r.value, r.op.Version, c.name(w.txn))
	}
}

func (c *checker) chainRegister(x *chain) {
	c.lineage(x.key.Scope, func(scope string, upTo uint64) {
		y := c.keys[Key{scope, x.key.Name}]
		if y == nil {
			return
		}
		for _, i := range slices.Compact(slices.Clone(y.writers)) {
			if c.wrote[i] && c.versions[i] <= upTo {
				x.states = append(x.states, state{txn: i, value: c.lastValue(i, y.key)})
			}
		}
	})
	slices.SortStableFunc(x.states, func(a, b state) int {
		return cmp.Compare(c.versions[a.txn], c.versions[b.txn])
	})
	for n := range x.states {
		version := c.versions[x.states[n].txn]
		switch {
		case version == 0:
			c.direct(BadVersion, []int{x.states[n].txn}, "%s wrote %s without a version",
				c.name(x.states[n].txn), x.key)
		case n > 0 && version == c.versions[x.states[n-1].txn]:
			c.direct(BadVersion, []int{x.states[n-1].txn, x.states[n].txn},
				"%s and %s wrote %s with one version",
				c.name(x.states[n-1].txn), c.name(x.states[n].txn), x.key)
		}
	}
	// A delete of what is absent has no effect.
	kept := x.states[:0]
	for _, s := range x.states {
		if s.value != 0 || len(kept) > 0 && kept[len(kept)-1].value != 0 {
			kept = append(kept, s)
		}
	}
	x.states = kept
}

// lastValue is what a transaction leaves in a register.
func (c *checker) lastValue(txn int, k Key) (v int64) {
	for j := range c.h.Txns[txn].Ops {
		if op := &c.h.Txns[txn].Ops[j]; op.Key == k && (op.Kind == Write || op.Kind == Remove) {
			v = op.Value
		}
	}
	return v
}

// position finds the state that a read saw: the number of states up to it. An absence without a
// version may be one of several: the one that the snapshot had to see or, if that has a value, the
// one before; without a snapshot only the first, and only if there is no other.
func (c *checker) position(x *chain, r *read) (at int, ok bool) {
	switch {
	case r.void:
		return 0, false
	case x.list:
		at = sort.Search(len(x.states), func(i int) bool { return x.states[i].count > len(r.list) })
		return at, true
	case r.value != 0:
		at = slices.IndexFunc(x.states, func(s state) bool { return s.value == r.value }) + 1
		return at, at > 0
	case r.op.Told && r.op.Version != 0:
		at = sort.Search(len(x.states), func(i int) bool {
			return c.versions[x.states[i].txn] >= r.op.Version
		})
		if at == len(x.states) || x.states[at].value != 0 ||
			c.versions[x.states[at].txn] != r.op.Version {
			c.direct(BadVersion, []int{r.txn}, "%s found %s absent with version %d, which no delete has",
				c.name(r.txn), x.key, r.op.Version)
			return 0, false
		}
		return at + 1, true
	case r.op.Told:
		return 0, true // it never existed
	}
	return c.absent(x, r.txn)
}

// absent is position for a key that was absent, nobody knows since when.
func (c *checker) absent(x *chain, txn int) (at int, ok bool) {
	t := &c.h.Txns[txn]
	if !t.Pinned {
		return 0, !slices.ContainsFunc(x.states, func(s state) bool { return s.value == 0 })
	}
	at = sort.Search(len(x.states), func(i int) bool {
		return c.versions[x.states[i].txn] > t.Snapshot
	})
	for at > 0 && x.states[at-1].value != 0 {
		at--
	}
	return at, true
}
