package memtable

import (
	"slices"
	"sort"
	"sync/atomic"
)

// tree orders the tail of an order: root -> groups -> leaves. Keys are never taken out of it.
//
// A level's list of children is immutable; a child may be replaced in place by another that covers
// the same keys. A split replaces the level above by a longer one. So a reader may keep a leaf that
// was replaced meanwhile: it holds all keys that were published before the reader loaded it. To go
// on, a reader descends again from the root with the bound of the leaf it has finished.
type tree struct {
	t     *Table
	o     *order
	root  atomic.Pointer[level[level[leaf]]]
	bytes int64 // the writer's

	places [leafMax + leafMax/8]uint16 // the writer's, for rebuilds
}

// level is an inner node: child i covers the keys from bounds[i] to below bounds[i+1].
type level[T any] struct {
	bounds []string // bounds[0] is the level's own lower bound
	kids   []atomic.Pointer[T]
}

const groupMax = 64

// keyed is a key on its way into a leaf.
type keyed struct {
	key    string
	serial uint32
}

// newTree makes a tree of keys in order.
func newTree(t *Table, o *order, items []keyed) *tree {
	tr := &tree{t: t, o: o}
	var leaves []*leaf
	var bounds []string
	last := ""
	for left := (len(items) + leafMax - 1) / (leafMax * 7 / 8); len(items) > 0; left-- {
		n := min(len(items)/max(left, 1), leafMax)
		bound := ""
		if len(leaves) > 0 {
			bound = separator(last, items[0].key)
		}
		l := leafOf(items[:n])
		leaves, bounds = append(leaves, l), append(bounds, bound)
		tr.account(l.bytes() + int64(len(bound)) + 48)
		last = items[n-1].key
		items = items[n:]
	}
	g := newLevel(bounds, leaves)
	tr.root.Store(newLevel([]string{""}, []*level[leaf]{g}))
	return tr
}

func newLevel[T any](bounds []string, kids []*T) *level[T] {
	l := &level[T]{bounds: bounds, kids: make([]atomic.Pointer[T], len(kids))}
	for i, k := range kids {
		l.kids[i].Store(k)
	}
	return l
}

// child is the number of the child that covers key.
func (l *level[T]) child(key string) int {
	return sort.Search(len(l.bounds)-1, func(i int) bool { return l.bounds[i+1] > key })
}

// childBelow is the number of the child that covers the keys right below bound, which is above the
// level's own lower bound.
func (l *level[T]) childBelow(bound string) int {
	return sort.Search(len(l.bounds)-1, func(i int) bool { return l.bounds[i+1] >= bound })
}

// bound is the upper bound of child i, given the level's own ("": none).
func (l *level[T]) bound(i int, own string) string {
	if i+1 < len(l.bounds) {
		return l.bounds[i+1]
	}
	return own
}

// leafAt returns the leaf that covers key with its bounds; upper "" is none. Any goroutine.
func (tr *tree) leafAt(key string) (l *leaf, lower, upper string) {
	r := tr.root.Load()
	gi := r.child(key)
	g := r.kids[gi].Load()
	i := g.child(key)
	return g.kids[i].Load(), g.bounds[i], g.bound(i, r.bound(gi, ""))
}

// leafBelow returns the leaf that covers the keys right below bound, or the last leaf for "", with
// its lower bound. Any goroutine.
func (tr *tree) leafBelow(bound string) (l *leaf, lower string) {
	r := tr.root.Load()
	gi := len(r.kids) - 1
	if bound != "" {
		gi = r.childBelow(bound)
	}
	g := r.kids[gi].Load()
	i := len(g.kids) - 1
	if bound != "" {
		i = g.childBelow(bound)
	}
	return g.kids[i].Load(), g.bounds[i]
}

// insert adds a key that is not in the tree. Cost: a descent and an append; one leaf copied in
// leafMax/8 insertions, one group in some hundred. Writer.
func (tr *tree) insert(serial uint32, key string) {
	r := tr.root.Load()
	gi := r.child(key)
	g := r.kids[gi].Load()
	i := g.child(key)
	l := g.kids[i].Load()
	if l.add(tr.t, tr.o, serial, key) {
		return
	}
	a, b, bound := tr.rebuild(l, serial, key, gi == len(r.kids)-1 && i == len(g.kids)-1)
	if a != l {
		tr.account(a.bytes() - l.bytes())
	}
	if b == nil {
		g.kids[i].Store(a)
		return
	}
	tr.account(b.bytes() + int64(len(bound)) + 48)
	g = g.split(i, a, b, bound)
	if len(g.kids) <= groupMax {
		r.kids[gi].Store(g)
		return
	}
	at := len(g.kids) / 2
	if i == groupMax-1 {
		at = groupMax // rising keys leave full groups behind
	}
	left, right := g.cut(at)
	tr.root.Store(r.split(gi, left, right, right.bounds[0]))
}

// split returns a copy of the level with child i replaced by a and b.
func (l *level[T]) split(i int, a, b *T, bound string) *level[T] {
	n := &level[T]{
		bounds: slices.Insert(slices.Clone(l.bounds), i+1, bound),
		kids:   make([]atomic.Pointer[T], len(l.kids)+1),
	}
	for k := range l.kids {
		if k <= i {
			n.kids[k].Store(l.kids[k].Load())
		} else {
			n.kids[k+1].Store(l.kids[k].Load())
		}
	}
	n.kids[i].Store(a)
	n.kids[i+1].Store(b)
	return n
}

// cut divides a level before child at.
func (l *level[T]) cut(at int) (a, b *level[T]) {
	part := func(from, to int) *level[T] {
		n := &level[T]{
			bounds: slices.Clone(l.bounds[from:to]),
			kids:   make([]atomic.Pointer[T], to-from),
		}
		for k := range n.kids {
			n.kids[k].Store(l.kids[from+k].Load())
		}
		return n
	}
	return part(0, at), part(at, len(l.kids))
}

func (tr *tree) account(n int64) {
	tr.bytes += n
	tr.t.held.Add(n)
}
