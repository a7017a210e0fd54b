package backendtest

import (
	"cmp"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// history is the dumb twin: a list of everything that was ever written, in commit order, and
// questions that are answered by walking it from the start. It shares no idea with an authority,
// and none with package model. Not safe for concurrent use.
type history struct {
	cells map[cell][]entry // oldest first
	logs  map[codec.Scope][]codec.EventDigest
	nums  map[codec.Scope]uint64
	made  map[codec.Scope][]made // a scope's commits
	time  int64                  // the latest that was told or committed at
}

// cell is one key.
type cell struct {
	scope     codec.Scope
	primitive codec.Primitive
	key       string
}

func compareCells(x, y cell) int {
	return cmp.Or(cmp.Compare(x.scope, y.scope), cmp.Compare(x.primitive, y.primitive),
		cmp.Compare(x.key, y.key))
}

// made is a commit as one scope sees it.
type made struct {
	version uint64
	changes []codec.Change
}

// entry is one version of a cell.
type entry struct {
	backend.Record
	swept bool // left by Expire: no write for validation and CAS
}

func newHistory(time int64) *history {
	return &history{cells: map[cell][]entry{}, logs: map[codec.Scope][]codec.EventDigest{},
		nums: map[codec.Scope]uint64{}, made: map[codec.Scope][]made{}, time: time}
}

// at is the record of a cell at a version.
func (h *history) at(c cell, version uint64) backend.Record {
	var found backend.Record
	for _, e := range h.cells[c] {
		if e.Version <= version {
			found = e.Record
		}
	}
	return found
}

// written is the version of the last write at or below a version, sweeps not counted.
func (h *history) written(c cell, version uint64) uint64 {
	var found uint64
	for _, e := range h.cells[c] {
		if e.Version <= version && !e.swept {
			found = e.Version
		}
	}
	return found
}

// live are the records of a range that exist at a version, in the order of the range.
func (h *history) live(s codec.Scope, p codec.Primitive, r backend.Range, at uint64) []pair {
	var pairs []pair
	for _, c := range h.within(s, p, r) {
		if record := h.at(c, at); record.Exists() {
			pairs = append(pairs, pair{c.key, record})
		}
	}
	if r.Reverse {
		slices.Reverse(pairs)
	}
	return pairs
}

// within are the cells of a range that were ever written, in key order.
func (h *history) within(s codec.Scope, p codec.Primitive, r backend.Range) []cell {
	var found []cell
	for c := range h.cells {
		if c.scope == s && c.primitive == p && c.key >= r.Start && (r.End == "" || c.key < r.End) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, compareCells)
	return found
}

// conflicts are all reasons to refuse a request right now, in key order.
func (h *history) conflicts(r *backend.Request) []backend.Conflict {
	var found []backend.Conflict
	check := func(c cell, expected uint64, cas bool) {
		if now := h.written(c, beyond); now != expected {
			found = append(found, backend.Conflict{Scope: c.scope, Primitive: c.primitive,
				Key: c.key, Expected: expected, Found: now, CAS: cas})
		}
	}
	for _, x := range r.Reads {
		check(cell{x.Scope.Number, x.Primitive, x.Key}, x.Stamp, false)
	}
	for _, x := range r.Conditions {
		check(cell{x.Scope.Number, x.Primitive, x.Key}, x.Expected, true)
	}
	for _, x := range r.Ranges {
		for _, c := range h.within(x.Scope.Number, x.Primitive, x.Range) {
			check(c, h.written(c, r.Pin.Version()), false)
		}
	}
	slices.SortFunc(found, func(x, y backend.Conflict) int {
		return compareCells(cell{x.Scope, x.Primitive, x.Key}, cell{y.Scope, y.Primitive, y.Key})
	})
	return slices.Compact(found)
}

// effect is what a request does if it is committed at a time.
type effect struct {
	existed int
	writes  []backend.Write // those that have something to do
	changes []cellChange    // in key order
}

type cellChange struct {
	cell
	op codec.ChangeOp
}

// effect predicts a commit. It changes nothing.
func (h *history) effect(r *backend.Request, now int64) effect {
	var e effect
	for _, w := range r.Writes {
		c := cell{w.Scope.Number, w.Primitive, w.Key}
		old := h.at(c, beyond)
		expired := old.Expiry != 0 && now >= old.Expiry
		op := codec.ChangePut
		switch w.Op {
		case backend.Delete:
			if !old.Exists() || expired {
				continue
			}
			op = codec.ChangeDelete
			e.existed++
		case backend.Expire:
			if !old.Exists() || !expired || h.written(c, beyond) != w.Stamp {
				continue
			}
			op = codec.ChangeExpire
		}
		e.writes = append(e.writes, w)
		e.changes = append(e.changes, cellChange{c, op})
	}
	next := map[codec.Scope]uint64{}
	for _, a := range r.Appends {
		s := a.Scope.Number
		seq := uint64(len(h.logs[s])) + next[s]
		next[s]++
		e.changes = append(e.changes,
			cellChange{cell{s, codec.Events, codec.EventUserKey(seq)}, codec.ChangeAppend})
	}
	slices.SortFunc(e.changes, func(x, y cellChange) int { return compareCells(x.cell, y.cell) })
	return e
}

// scopes are the changes as Tail tells them: without index entries.
func (h *history) scopes(e effect) []backend.ScopeChanges {
	var all []backend.ScopeChanges
	for _, c := range e.changes {
		if c.primitive.IsIndex() {
			continue
		}
		if n := len(all); n == 0 || all[n-1].Scope != c.scope {
			all = append(all, backend.ScopeChanges{Scope: c.scope, Number: h.nums[c.scope] + 1})
		}
		last := &all[len(all)-1]
		last.Changes = append(last.Changes,
			codec.Change{Primitive: c.primitive, Op: c.op, Key: c.key})
	}
	return all
}

// apply commits what was predicted, and returns what its appends became.
func (h *history) apply(
	r *backend.Request, e effect, version uint64, now int64,
) []backend.Appended {
	for _, s := range h.scopes(e) {
		h.nums[s.Scope] = s.Number
		h.made[s.Scope] = append(h.made[s.Scope], made{version, s.Changes})
	}
	for _, w := range e.writes {
		c := cell{w.Scope.Number, w.Primitive, w.Key}
		record := backend.Record{Version: version, Stamp: version}
		switch w.Op {
		case backend.Put:
			record.Value, record.Expiry = w.Value, w.Expiry
		case backend.Delete:
			record.Deleted = true
		case backend.Expire:
			record.Deleted, record.Stamp = true, h.written(c, beyond)
		}
		h.cells[c] = append(h.cells[c], entry{record, w.Op == backend.Expire})
	}
	var appended []backend.Appended
	for _, a := range r.Appends {
		appended = append(appended, h.append(a, version, now))
	}
	h.time = now
	return appended
}

func (h *history) append(a backend.Append, version uint64, now int64) backend.Appended {
	log := h.logs[a.Scope.Number]
	seq := uint64(len(log))
	event := codec.EventRecord{Time: now, Type: a.Type, Payload: a.Payload}
	if seq > 0 {
		event.Previous = log[seq-1]
	}
	event.Hash = codec.EventHash(event.Previous, seq, now, a.Type, a.Digest)
	h.logs[a.Scope.Number] = append(log, event.Hash)
	// Types in the checks are valid, so there is no error; without a value the comparison fails.
	value, _ := codec.AppendEventRecord(nil, event)
	c := cell{a.Scope.Number, codec.Events, codec.EventUserKey(seq)}
	h.cells[c] = append(h.cells[c],
		entry{Record: backend.Record{Version: version, Stamp: version, Value: value}})
	return backend.Appended{Sequence: seq, Hash: event.Hash}
}
