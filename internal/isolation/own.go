package isolation

import (
	"slices"
)

// collectReads holds what transactions saw of their own writes to these, and keeps the rest.
func (c *checker) collectReads() {
	for i := range c.h.Txns {
		own := ownWrites{values: map[Key]int64{}, lists: map[Key][]int64{}}
		for j := range c.h.Txns[i].Ops {
			c.collect(i, &c.h.Txns[i].Ops[j], &own)
		}
	}
}

// ownWrites are those of one transaction so far.
type ownWrites struct {
	values map[Key]int64 // 0: removed
	lists  map[Key][]int64
}

func (c *checker) collect(i int, op *Op, own *ownWrites) {
	switch op.Kind {
	case Append:
		own.lists[op.Key] = append(own.lists[op.Key], op.Value)
	case Write:
		own.values[op.Key] = op.Value
	case Remove:
		own.values[op.Key] = 0
	case ReadList:
		mine := own.lists[op.Key]
		n := len(op.List) - len(mine)
		if n < 0 || !slices.Equal(op.List[n:], mine) {
			c.direct(Internal, []int{i}, "%s read %s as %s after it had appended %s",
				c.name(i), op.Key, elements(op.List), elements(mine))
			return
		}
		c.keep(read{txn: i, key: op.Key, op: op, list: op.List[:n]})
	case Read:
		if mine, ok := own.values[op.Key]; ok {
			c.ownValue(i, op.Key, mine, op.Value)
			return
		}
		c.keep(read{txn: i, key: op.Key, op: op, value: op.Value})
	case Scan:
		c.collectScan(i, op, own)
	}
}

func (c *checker) ownValue(i int, k Key, wrote, read int64) {
	if wrote != read {
		c.direct(Internal, []int{i}, "%s read %s as %s after it had written %s",
			c.name(i), k, value(read), value(wrote))
	}
}

func (c *checker) keep(r read) {
	c.chain(r.key)
	c.reads = append(c.reads, r)
}

func (c *checker) collectScan(i int, op *Op, own *ownWrites) {
	s := scanned{txn: i, op: op, seen: make(map[string]bool, len(op.Found))}
	for _, f := range op.Found {
		k := Key{op.Key.Scope, f.Name}
		if !op.covers(k) || s.seen[f.Name] {
			c.direct(Garbage, []int{i}, "%s scanned %s up to %q and got %s, outside of it or twice",
				c.name(i), op.Key, op.End, k)
			continue
		}
		s.seen[f.Name] = true
		if mine, ok := own.values[k]; ok {
			c.ownValue(i, k, mine, f.Value)
			continue
		}
		c.keep(read{txn: i, key: k, op: op, value: f.Value, scan: true})
	}
	for _, k := range sortedKeys(own.values) {
		if op.covers(k) && !s.seen[k.Name] {
			c.ownValue(i, k, own.values[k], 0)
			s.seen[k.Name] = true
		}
	}
	c.scans = append(c.scans, s)
}

// covers tells whether a scan goes over a key.
func (o *Op) covers(k Key) bool {
	return k.Scope == o.Key.Scope && k.Name >= o.Key.Name && (o.End == "" || k.Name < o.End)
}
