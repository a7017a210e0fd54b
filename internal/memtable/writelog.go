package memtable

import (
	"sync/atomic"
)

// writeLog remembers who wrote what, oldest first, for as long as a phantom check may ask. The
// records of a scope are linked backwards, so a check walks only the writes of its scope.
//
// Record, 3 words: version | position of the scope's record before it | primitive 8, serial 32.
// Positions count from 1 and are never reused. The log is cut at the front by whole chunks.
type writeLog struct {
	chunks [][]uint64
	first  uint64 // position of the first record of chunks[0], less 1
	next   uint64 // records ever added
}

const (
	logRecord = 3
	logChunk  = 1024 // records
)

func (l *writeLog) add(held *atomic.Int64, version, before uint64, p byte, serial uint32) uint64 {
	i := l.next - l.first
	if i == uint64(len(l.chunks)*logChunk) {
		l.chunks = append(l.chunks, make([]uint64, logChunk*logRecord))
		held.Add(logChunk * logRecord * 8)
	}
	w := l.chunks[i/logChunk][i%logChunk*logRecord:]
	w[0], w[1], w[2] = version, before, uint64(p)<<32|uint64(serial)
	l.next++
	return l.next
}

// at returns the record at a position, or nil when it was forgotten.
func (l *writeLog) at(position uint64) []uint64 {
	if position <= l.first {
		return nil
	}
	i := position - 1 - l.first
	return l.chunks[i/logChunk][i%logChunk*logRecord:]
}

// Forget tells that WritesSince will not be asked about versions below horizon, and gives the
// log's memory up to there back. Cost: amortised, one step per thousand writes, and some work on
// dropped scopes. Evict does the same. Writer.
func (t *Table) Forget(horizon uint64) {
	t.reap(reapBatch)
	l := &t.log
	n := 0
	for n < len(l.chunks) && l.next-l.first >= logChunk &&
		l.chunks[n][(logChunk-1)*logRecord] <= horizon {
		n++
		l.first += logChunk
	}
	if n > 0 {
		clear(l.chunks[:n])
		l.chunks = l.chunks[n:]
		t.held.Add(int64(-n * logChunk * logRecord * 8))
	}
}

// WritesSince yields every key of [start, end) whose newest write is newer than version, with the
// stamp of that write, newest first, each key once; end "" means no bound. Puts and deletes are
// writes; expiry tombstones and admissions are not. It is complete for every version that is not
// below the horizon of the last Evict or Forget. Cost: the writes of the scope since version. The
// keys alias the arena as values do. Writer.
func (s *Scope) WritesSince(version uint64, p byte, start, end string,
	yield func(key string, stamp uint64) bool) {
	o := s.order(p)
	if o == nil || s.lastWrite.Load() <= version {
		return
	}
	for position := s.lastLog; ; {
		w := s.t.log.at(position)
		if w == nil || w[0] <= version {
			return
		}
		position = w[1]
		if byte(w[2]>>32) != p {
			continue
		}
		e := s.t.arena.at(o.offset(uint32(w[2])))
		if e == nil || e[entryStamp] != w[0] {
			continue // the key has a newer write, which was met before
		}
		key := keyOf(e)
		if key < start || end != "" && key >= end {
			continue
		}
		if !yield(key, w[0]) {
			return
		}
	}
}
