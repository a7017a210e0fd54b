package memtable

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// verify walks the whole table and checks what must hold between two calls of the writer.
func verify(t require.TestingT, tb *Table) {
	live := map[uint64]int{} // by segment number
	perScope := map[uint64]int64{}
	var keys, held int64
	for n := range tb.index.shards {
		sh := &tb.index.shards[n]
		used := 0
		for i := range sh.cur.Load().lines {
			b := &sh.cur.Load().lines[i]
			for slot := 0; slot < bucketSlots; slot++ {
				if b[0]>>(8*slot)&0xFF == 0 {
					continue
				}
				used++
				off := b[1+slot] & offsetMask
				e := tb.arena.at(off)
				require.NotNil(t, e, "index leads to a dropped segment")
				require.False(t, isDead(e), "index leads to a dead entry")
				s := tb.scope(e)
				require.NotNil(t, s)
				o := s.order(identPrimitive(e[entryIdent]))
				require.Equal(t, off, o.offset(uint32(e[entrySerial])))
				perScope[s.id]++
				size := tb.recordItem(e, off, e[entryHead])
				live[off>>tb.arena.shift] += entrySize(e[entryIdent])
				live[e[entryHead]>>tb.arena.shift] += size
			}
		}
		require.Equal(t, used, sh.used)
		keys += int64(used)
		if sh.limit > 0 {
			held += sh.cur.Load().bytes()
		}
	}
	require.Equal(t, keys, tb.Keys())
	count := 0
	d := tb.arena.dir.Load()
	for i := range d.slots {
		if g := d.slots[i].Load(); g != nil {
			count++
			require.Equal(t, live[g.number], g.live, "live words of segment %d", g.number)
			if g != tb.arena.head {
				require.Positive(t, g.live, "an empty segment was kept")
			}
			held += g.bytes()
		}
	}
	require.Equal(t, count, tb.arena.count)
	held += int64(len(tb.log.chunks)) * logChunk * logRecord * 8
	scopes := slices.Clone(tb.doomed)
	for _, s := range tb.scopes {
		scopes = append(scopes, s)
	}
	for _, s := range scopes {
		require.Equal(t, perScope[s.id], s.Keys())
		held += scopeBytes
		for _, o := range *s.orders.Load() {
			held += orderBytes + o.bytes() + o.guide.Load().bytes()
			if tr := o.tree.Load(); tr != nil {
				held += tr.bytes
				verifyTree(t, tr)
			}
		}
	}
	require.Equal(t, held, tb.Bytes())
}

// verifyTree checks that a tree holds its order's tail, in order and within the bounds.
func verifyTree(t require.TestingT, tr *tree) {
	var serials []uint32
	last, first := "", true
	r := tr.root.Load()
	for gi := range r.kids {
		g := r.kids[gi].Load()
		require.Equal(t, r.bounds[gi], g.bounds[0])
		require.LessOrEqual(t, len(g.kids), groupMax)
		for i := range g.kids {
			l := g.kids[i].Load()
			var places [leafMax + leafMax/8]uint16
			for _, p := range places[:l.ordered(tr.t, tr.o, &places)] {
				key := tr.o.key(tr.t, l.serials[p])
				require.True(t, first || key > last, "%q after %q", key, last)
				require.GreaterOrEqual(t, key, g.bounds[i])
				if upper := g.bound(i, r.bound(gi, "")); upper != "" {
					require.Less(t, key, upper)
				}
				last, first = key, false
				serials = append(serials, l.serials[p])
			}
		}
	}
	slices.Sort(serials)
	base := tr.o.base.Load()
	require.Len(t, serials, int(tr.o.n.Load()-base))
	for i, serial := range serials {
		require.Equal(t, base+uint32(i), serial)
	}
}

func TestVerifySeesAnEmptyTable(t *testing.T) {
	tb := New(Options{})
	verify(t, tb)
	require.Zero(t, tb.Bytes())
	require.Zero(t, tb.Keys())
}
