package memtable

import (
	"math/bits"
	"sync/atomic"
)

// serials maps the serial numbers of an order's entries to their offsets, so that an entry can be
// moved by one store and everything ordered can speak of serials. Chunks of 16, 32... 512 entries,
// then 1024 each; they never move, so readers need no lock.
//
// A freed serial holds freeSerial and the next free one. Freed serials are handed out again; by
// then the scope is not complete any more, so no tree and no scan relies on them.
type serials struct {
	dir  atomic.Pointer[[][]uint64]
	n    atomic.Uint32 // serials in use or freed
	held *atomic.Int64

	// The writer's:
	chunks [][]uint64
	free   uint32 // head of the list of freed serials, plus 1
}

const freeSerial = 1 << 63

// place splits a serial into chunk and index.
func (s *serials) place(serial uint32) (chunk, i int) {
	v := int(serial) + 16
	if v < 1024 {
		chunk = bits.Len(uint(v)) - 5
		return chunk, v - 16<<chunk
	}
	return 5 + v>>10, v & 1023
}

// offset returns where the entry of a serial is, 0 if the serial is free. Any goroutine.
func (s *serials) offset(serial uint32) uint64 {
	chunk, i := s.place(serial)
	off := atomic.LoadUint64(&(*s.dir.Load())[chunk][i])
	if off&freeSerial != 0 {
		return 0
	}
	return off
}

// offsets is offset for many serials at once.
func (s *serials) offsets(serials []uint32, offs []uint64) {
	dir := *s.dir.Load()
	for i, serial := range serials {
		chunk, at := s.place(serial)
		off := atomic.LoadUint64(&dir[chunk][at])
		if off&freeSerial != 0 {
			off = 0
		}
		offs[i] = off
	}
}

// set leads a serial to an entry. Writer.
func (s *serials) set(serial uint32, off uint64) {
	chunk, i := s.place(serial)
	atomic.StoreUint64(&s.chunks[chunk][i], off)
}

// reserve hands out a serial. It becomes visible to readers with publish. Writer.
func (s *serials) reserve() uint32 {
	if s.free != 0 {
		serial := s.free - 1
		chunk, i := s.place(serial)
		s.free = uint32(s.chunks[chunk][i])
		return serial
	}
	serial := s.n.Load()
	chunk, _ := s.place(serial)
	if chunk == len(s.chunks) {
		size := 16 << min(chunk, 6)
		s.chunks = append(s.chunks, make([]uint64, size))
		dir := s.chunks
		s.dir.Store(&dir)
		s.held.Add(int64(size)*8 + 24)
	}
	return serial
}

// publish makes a reserved serial visible. Writer.
func (s *serials) publish(serial uint32, off uint64) {
	s.set(serial, off)
	if serial == s.n.Load() {
		s.n.Store(serial + 1)
	}
}

// release frees a serial. Writer.
func (s *serials) release(serial uint32) {
	s.set(serial, freeSerial|uint64(s.free))
	s.free = serial + 1
}

// bytes is what the serials account for.
func (s *serials) bytes() (n int64) {
	for _, c := range s.chunks {
		n += int64(len(c))*8 + 24
	}
	return n
}
