package vector

import "slices"

// How wide a walk must be to find the true neighbours depends on the rows: where they lie near a
// space of few dimensions a hundred nodes do, where they are spread in all directions it takes a
// thousand. So it is measured on the rows themselves. Now and then, more rarely as the graph grows,
// a slot that is about to be linked is searched for as if it were a query: by a scan of the codes,
// and by walks of growing width. What that tells of the last gaugeSamples slots is the width of a
// search that asks for none.
//
// It depends on the rows and their order alone, like the graph, and costs about a hundredth of
// linking.
const (
	gaugeFrom    = 1000 // slots below which nothing is measured
	gaugeSamples = 64   // slots that count
	gaugeLeast   = 24   // slots that must have been measured before they count
	gaugeStep    = 100  // one slot in so many as there are is measured
	gaugeDepth   = 10   // neighbours that are searched for

	// gaugeAim is the recall that is aimed at: rows are easier to find than queries, and 640
	// neighbours are a sample.
	gaugeAim = 0.98
)

// gaugeWidths are the widths that are tried.
var gaugeWidths = [...]int{128, 256, 512, 1024, 2048}

// gauge is what was measured; under graph.mu.
type gauge struct {
	next  uint32 // slot to be measured
	count uint32 // slots measured so far
	// found is how many neighbours were found by width, of the last slots: slot i of those measured
	// is in row i % gaugeSamples.
	found [gaugeSamples][len(gaugeWidths)]uint8
}

// due tells whether a slot is to be measured, and chooses the next one.
func (g *gauge) due(slot Slot) bool {
	if uint32(slot) < max(g.next, gaugeFrom) {
		return false
	}
	g.next = uint32(slot) + max(uint32(slot)/gaugeStep, gaugeSamples/4)
	return true
}

// width is the width that reaches gaugeAim, between the two that were tried around it.
func (g *gauge) width() int {
	n := int(min(g.count, gaugeSamples))
	if n < gaugeLeast {
		return defaultEf
	}
	before := 0.0
	for i, width := range gaugeWidths {
		sum := 0
		for _, found := range g.found[:n] {
			sum += int(found[i])
		}
		recall := float64(sum) / float64(n*gaugeDepth)
		if recall >= gaugeAim {
			if i == 0 {
				return width
			}
			less := gaugeWidths[i-1]
			return less + int(float64(width-less)*(gaugeAim-before)/(recall-before))
		}
		before = recall
	}
	return 2 * gaugeWidths[len(gaugeWidths)-1]
}

// measure searches for the slot that the linker has begun with.
func (l *linker) measure(top uint64) {
	b := &l.beam
	extend := l.self.extend
	l.self.extend = 0 // a query has none
	least := l.nearestCodes()
	row := &l.gauge.found[l.gauge.count%gaugeSamples]
	found := 0
	for i, width := range gaugeWidths {
		if found < gaugeDepth {
			b.descend(top, 0)
			b.walk(0, width)
			found = 0
			for _, key := range b.best {
				if found < gaugeDepth && estimateOf(key) >= least {
					found++
				}
			}
		}
		row[i] = uint8(found)
	}
	l.gauge.count++
	l.self.extend = extend
}

// nearestCodes is the estimate of the last of the nearest nodes, by a scan. Twins are no nodes.
func (l *linker) nearestCodes() float32 {
	b := &l.beam
	l.nearest = l.nearest[:0]
	var codes [4][]int8
	for from := uint32(0); from < b.slots; from += 4 {
		c, row := b.rows.at(Slot(from)) // four slots lie in one chunk
		n := min(b.slots-from, 4)
		for i := range codes {
			codes[i] = c.code(row+min(uint32(i), n-1), b.dim)
		}
		dots := DotInt84(l.self.q.code, codes[0], codes[1], codes[2], codes[3])
		for i := range n {
			e := l.self.estimate(dots[i], &c.meta[row+i])
			if len(l.nearest) == gaugeDepth && e <= l.nearest[0] {
				continue
			}
			if _, twin := b.nodes.owner(from + i); !twin {
				l.nearest = pushLow(l.nearest, gaugeDepth, e)
			}
		}
	}
	return slices.Min(l.nearest)
}

// gauged is the width of a walk that reaches recall 0.95 with room to spare, as far as is known.
func (g *graph) gauged() int { return max(int(g.width.Load()), defaultEf) }

// setWidth publishes what was measured.
func (g *graph) setWidth() { g.width.Store(uint32(g.link.gauge.width())) }

// write appends what was measured to a snapshot.
func (g *gauge) write(b *blockWriter) {
	b.u32(g.next)
	b.u32(g.count)
	for i := range g.found {
		b.bytes(g.found[i][:])
	}
}

// read is the inverse.
func (g *gauge) read(b *blockReader) {
	g.next, g.count = b.u32(), b.u32()
	for i := range g.found {
		b.bytes(g.found[i][:])
		for _, found := range g.found[i] {
			if found > gaugeDepth {
				b.fail("%d of %d neighbours were found", found, gaugeDepth)
			}
		}
	}
}
