package vector

import (
	"sync/atomic"
	"unsafe"

	"github.com/inmem-db/inmem/pkg/vector/internal/kernel"
)

// A two-hop walk compares accepted nodes only: where a neighbour is none, it takes the neighbours
// of that. Where few are accepted it goes over thirty lists for each node that it expands, so what
// counts is that a list is in the cache when its turn comes, and that a link costs a look at a bit.

const (
	// judged is how many nodes a filter is judged by.
	judged = 200
	// ahead is how many lists are asked for before the one that is gone over.
	ahead = 8
)

// openAll begins with all that is allowed. Nodes that this walk does not see are among them.
func (b *beam) openAll() {
	if cap(b.open) < len(b.seen) {
		b.open = make([]uint64, cap(b.seen))
	}
	b.open = b.open[:len(b.seen)]
	if b.o.Allowed == nil {
		for i := range b.open {
			b.open[i] = ^uint64(0)
		}
		return
	}
	n := copy(b.open, b.o.Allowed.words)
	clear(b.open[n:])
}

// beyond gathers the accepted neighbours of the nodes in via, which it empties.
func (b *beam) beyond() {
	for _, node := range b.via[:min(ahead, len(b.via))] {
		b.askLinks(node)
	}
	for i, node := range b.via {
		if i+ahead < len(b.via) {
			b.askLinks(b.via[i+ahead])
		}
		list := b.nodes.links(node, 0)
		for i := range list {
			next := atomic.LoadUint32(&list[i])
			if next == noLink {
				break
			}
			if next < b.slots && b.open[next>>6]>>(next&63)&1 != 0 {
				b.gatherOpen(next)
			}
		}
	}
	b.via = b.via[:0]
}

// gatherOpen gathers a node that is allowed, unless it was gathered before or is not visible.
func (b *beam) gatherOpen(node uint32) {
	b.open[node>>6] &^= 1 << (node & 63)
	if b.seen[node>>6]>>(node&63)&1 == 0 && b.accepts(node) {
		b.see(node)
		b.gather(node)
	}
}

// around is the share of accepted nodes among those around the entries of level 0: their
// neighbours, and the neighbours of these as far as it takes. It compares none.
func (b *beam) around() float64 {
	b.start(0, 0)
	asked, passed := 0, 0
	b.via = append(b.via, b.entries...)
	for _, node := range b.via {
		b.see(node)
		b.askLinks(node)
	}
	for i := 0; i < len(b.via) && asked < judged; i++ {
		list := b.nodes.links(b.via[i], 0)
		for at := range list {
			next := atomic.LoadUint32(&list[at])
			if next == noLink {
				break
			}
			if next < b.slots && b.see(next) {
				asked++
				b.via = append(b.via, next)
				if b.accepts(next) {
					passed++
				}
			}
		}
		if i+ahead < len(b.via) {
			b.askLinks(b.via[i+ahead])
		}
	}
	b.via = b.via[:0]
	return float64(passed) / float64(max(asked, 1))
}

// askLinks asks the CPU for the links of a node of level 0.
func (b *beam) askLinks(node uint32) {
	list := b.nodes.links(node, 0)
	first, half := unsafe.Pointer(&list[0]), unsafe.Pointer(&list[len(list)/2])
	last := unsafe.Pointer(&list[len(list)-1])
	kernel.Prefetch4(first, half, last, last, 1)
}
