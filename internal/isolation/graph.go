package isolation

import (
	"cmp"
	"slices"
	"sort"
)

// graph has two nodes per transaction, its snapshot and its commit, and helpers that keep the
// number of edges linear: a chain of moments, which every end leads to and every beginning comes
// from, and a chain of versions.
type graph struct {
	h        *History
	versions []uint64
	wrote    []bool
	out      [][]edge // by node
}

// kind is why something comes before something else.
type kind uint8

const (
	inner   kind = iota // the snapshot of a transaction and its commit
	ww                  // see the package comment
	wr                  //
	rw                  //
	moment              // real time
	version             // as the database numbered them
	kinds
)

type edge struct {
	to      int32
	kind    kind
	phantom bool
	x       *chain // of ww, wr and rw: the key
	at      int    // and the states of it that were there before
}

func snapshotOf(txn int) int { return 2 * txn }
func commitOf(txn int) int   { return 2*txn + 1 }

func newGraph(h *History, versions []uint64, wrote []bool) *graph {
	g := &graph{h: h, versions: versions, wrote: wrote, out: make([][]edge, 2*len(h.Txns))}
	for i := range h.Txns {
		if wrote[i] {
			g.add(edge{kind: inner}, snapshotOf(i), commitOf(i))
		}
	}
	g.addMoments()
	g.addVersions()
	return g
}

func (g *graph) add(e edge, from, to int) {
	e.to = int32(to)
	g.out[from] = append(g.out[from], e)
}

func (g *graph) node() int {
	g.out = append(g.out, nil)
	return len(g.out) - 1
}

// transaction is the one that a node belongs to; helpers belong to none.
func (g *graph) transaction(node int) (int, bool) { return node / 2, node/2 < len(g.h.Txns) }

// last is the last node of a transaction.
func (g *graph) last(txn int) int {
	if g.wrote[txn] {
		return commitOf(txn)
	}
	return snapshotOf(txn)
}

// addMoments adds real time: whatever a client knew to have ended comes before what begins later.
func (g *graph) addMoments() {
	ends := g.ordered(func(t *Txn) bool { return t.Ended != 0 && t.Outcome != Unknown },
		func(i int) uint64 { return uint64(g.h.Txns[i].Ended) })
	first := len(g.out)
	for n, i := range ends {
		at := g.node()
		g.add(edge{kind: moment}, g.last(i), at)
		if n > 0 {
			g.add(edge{kind: moment}, at-1, at)
		}
	}
	for i := range g.h.Txns {
		began := g.h.Txns[i].Began
		if began == 0 {
			continue
		}
		behind := sort.Search(len(ends), func(n int) bool { return g.h.Txns[ends[n]].Ended >= began })
		if behind > 0 {
			g.add(edge{kind: moment}, first+behind-1, snapshotOf(i))
		}
	}
}

// addVersions adds the order of the versions: a snapshot has all commits up to it, and none above.
func (g *graph) addVersions() {
	commits := g.ordered(func(*Txn) bool { return true }, func(i int) uint64 { return g.versions[i] })
	commits = slices.DeleteFunc(commits, func(i int) bool { return g.versions[i] == 0 || !g.wrote[i] })
	first := len(g.out)
	for n, i := range commits { // each has a helper before it
		at := g.node()
		g.add(edge{kind: version}, at, commitOf(i))
		if n > 0 {
			g.add(edge{kind: version}, at-1, at)
			g.add(edge{kind: version}, commitOf(commits[n-1]), at)
		}
	}
	for i := range g.h.Txns {
		t := &g.h.Txns[i]
		if !t.Pinned {
			continue
		}
		above := sort.Search(len(commits), func(n int) bool {
			return g.versions[commits[n]] > t.Snapshot
		})
		if above > 0 {
			g.add(edge{kind: version}, commitOf(commits[above-1]), snapshotOf(i))
		}
		if above < len(commits) {
			g.add(edge{kind: version}, snapshotOf(i), first+above)
		}
	}
}

// ordered are the transactions that are wanted, by a number.
func (g *graph) ordered(want func(*Txn) bool, by func(i int) uint64) []int {
	var list []int
	for i := range g.h.Txns {
		if want(&g.h.Txns[i]) {
			list = append(list, i)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(by(a), by(b)) })
	return list
}
