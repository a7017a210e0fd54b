package memtable

import (
	"slices"
	"strings"
)

// leafOf makes a leaf of keys in order.
func leafOf(items []keyed) *leaf {
	first, last := items[0].key, items[len(items)-1].key
	l := makeLeaf(strings.Clone(first[:sharedPrefix(first, last)]), len(items))
	for i, it := range items {
		l.deciding[i] = deciding(it.key, len(l.prefix))
		l.serials[i] = it.serial
	}
	l.sorted.Store(uint32(len(items)))
	return l
}

func sharedPrefix(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// rebuild replaces a leaf that cannot take a key in place by one or two that hold it as well; bound
// is the lower bound of the second. last says that no leaf follows: if the key is then also the
// greatest, the full leaf stays and a new one begins. Writer.
func (tr *tree) rebuild(l *leaf, serial uint32, key string, last bool) (a, b *leaf, bound string) {
	if !strings.HasPrefix(key, l.prefix) {
		return tr.rebuildByKey(l, serial, key)
	}
	n := l.ordered(tr.t, tr.o, &tr.places)
	at := l.search(tr.t, tr.o, tr.places[:n], key)
	if n >= leafMax && at == n && last {
		b = leafOf([]keyed{{key, serial}})
		return l, b, separator(tr.o.key(tr.t, l.serials[tr.places[n-1]]), key)
	}
	if n+1 <= leafMax {
		return l.copy(tr.places[:n], at, serial, key), nil, ""
	}
	mid := n / 2
	left, right := tr.places[:mid], tr.places[mid:n]
	below := tr.o.key(tr.t, l.serials[tr.places[mid-1]])
	above := tr.o.key(tr.t, l.serials[tr.places[mid]])
	if at <= mid && key < above {
		a, b = l.copy(left, at, serial, key), l.copy(right, -1, 0, "")
		below = max(below, key)
	} else {
		a, b = l.copy(left, -1, 0, ""), l.copy(right, at-mid, serial, key)
		above = min(above, key)
	}
	return tr.narrow(a), tr.narrow(b), separator(below, above)
}

// copy makes a leaf of the keys at some places, and of one more at position at unless that is -1.
func (l *leaf) copy(places []uint16, at int, serial uint32, key string) *leaf {
	n := len(places)
	if at >= 0 {
		n++
	}
	c := makeLeaf(l.prefix, n)
	w := 0
	for i, place := range places {
		if i == at {
			w++
		}
		c.deciding[w] = l.deciding[place]
		c.serials[w] = l.serials[place]
		w++
	}
	if at >= 0 {
		c.deciding[at] = deciding(key, len(l.prefix))
		c.serials[at] = serial
	}
	c.sorted.Store(uint32(n))
	return c
}

// narrow gives a fresh leaf whose keys agree in half of their deciding bytes a longer prefix. It
// has to look at every key, which is worth it a few times in the life of a leaf.
func (tr *tree) narrow(l *leaf) *leaf {
	n := int(l.sorted.Load())
	if (l.deciding[0]^l.deciding[n-1])>>32 != 0 {
		return l
	}
	return leafOf(tr.items(l, n))
}

// items collects the keys of a leaf's sorted list.
func (tr *tree) items(l *leaf, n int) []keyed {
	items := make([]keyed, 0, n+1)
	for _, serial := range l.serials[:n] {
		items = append(items, keyed{tr.o.key(tr.t, serial), serial})
	}
	return items
}

// rebuildByKey is rebuild for a key that does not share the leaf's prefix. It looks at every key.
func (tr *tree) rebuildByKey(l *leaf, serial uint32, key string) (a, b *leaf, bound string) {
	n := l.ordered(tr.t, tr.o, &tr.places)
	items := make([]keyed, 0, n+1)
	for _, place := range tr.places[:n] {
		items = append(items, keyed{tr.o.key(tr.t, l.serials[place]), l.serials[place]})
	}
	at, _ := slices.BinarySearchFunc(items, key, func(k keyed, key string) int {
		return strings.Compare(k.key, key)
	})
	items = slices.Insert(items, at, keyed{key, serial})
	if len(items) <= leafMax {
		return leafOf(items), nil, ""
	}
	mid := len(items) / 2
	if at == len(items)-1 && at <= leafMax {
		mid = at
	}
	return leafOf(items[:mid]), leafOf(items[mid:]), separator(items[mid-1].key, items[mid].key)
}

// separator is the shortest string that is above one key and not above the next, in memory of its
// own: a bound must not keep a segment alive.
func separator(below, above string) string {
	return strings.Clone(above[:sharedPrefix(below, above)+1])
}
