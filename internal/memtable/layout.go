package memtable

import (
	"sync/atomic"
	"unsafe"
)

// Words of an entry. The record that came with the entry lies right behind its key.
//
//	0  offset of the newest record             changes: atomic
//	1  stamp of the newest record, or dead     changes: atomic
//	2  scope id 40 | primitive 8 | key length 16
//	3  serial in the scope's order
//	4  key bytes, zero-padded to a word
const (
	entryHead   = 0
	entryStamp  = 1
	entryIdent  = 2
	entrySerial = 3
	entryKey    = 4

	// dead takes the stamp's place in an entry that was moved or evicted.
	dead = ^uint64(0)

	maxKeyLen = 1<<16 - 1
)

// Words of a record. One that was appended to an existing entry has a word before it, at which its
// item starts: recordMark and the offset of the entry.
//
//	0  version
//	1  offset of the next older record 48 | flags 6 | value length 10
//	-  value length, if the 10 bits say longLen
//	-  expiry, if flagExpiry
//	-  stamp, if flagStamp; for flagNever the version at which the store was asked
//	-  value bytes, zero-padded to a word
const (
	recordVersion = 0
	recordMeta    = 1
	recordTail    = 2

	recordMark = 1 << 63

	flagDeleted   = 1 << 48
	flagElsewhere = 1 << 49
	flagExpiry    = 1 << 50
	flagStamp     = 1 << 51
	flagCut       = 1 << 52 // last of its chain, but older versions may exist in the store
	flagNever     = 1 << 53 // known not to exist; version is 0

	lenShift = 54
	longLen  = 1<<10 - 1
)

func ident(scope uint64, p byte, keyLen int) uint64 {
	return scope<<24 | uint64(p)<<16 | uint64(keyLen)
}

func identScope(id uint64) uint64   { return id >> 24 }
func identPrimitive(id uint64) byte { return byte(id >> 16) }
func identKeyLen(id uint64) int     { return int(id & maxKeyLen) }

func wordsOf(n int) int { return (n + 7) / 8 }

// entrySize is the length in words of an entry without its record.
func entrySize(id uint64) int { return entryKey + wordsOf(identKeyLen(id)) }

// keyOf is the key of an entry, in place.
func keyOf(e []uint64) string {
	n := identKeyLen(e[entryIdent])
	if n == 0 {
		return ""
	}
	k := e[entryKey : entryKey+wordsOf(n)]
	return unsafe.String((*byte)(unsafe.Pointer(&k[0])), n)
}

// bytesAt views words as n bytes.
func bytesAt(w []uint64, n int) []byte {
	if n == 0 {
		return []byte{}
	}
	w = w[:wordsOf(n)]
	return unsafe.Slice((*byte)(unsafe.Pointer(&w[0])), n)
}

// recordLen is the length in words of a record, taken from its meta word.
func recordLen(r []uint64) int {
	m := r[recordMeta]
	n, size := int(m>>lenShift), recordTail
	if n == longLen {
		n = int(r[recordTail])
		size++
	}
	if m&flagExpiry != 0 {
		size++
	}
	if m&(flagStamp|flagNever) != 0 {
		size++
	}
	return size + wordsOf(n)
}

// shape is a record about to be written: its meta word without the older offset, and its length.
type shape struct {
	meta  uint64
	words int
}

func shapeOf(r *Record) shape {
	if r.Version == 0 {
		return shape{meta: flagNever, words: recordTail + 1}
	}
	s := shape{words: recordTail}
	n := len(r.Value)
	if r.Deleted {
		s.meta |= flagDeleted
		n = 0
	}
	if r.Elsewhere {
		s.meta |= flagElsewhere
		n = 0
	}
	if n >= longLen {
		s.meta |= longLen << lenShift
		s.words++
	} else {
		s.meta |= uint64(n) << lenShift
	}
	if r.Expiry != 0 {
		s.meta |= flagExpiry
		s.words++
	}
	if r.Stamp != r.Version {
		s.meta |= flagStamp
		s.words++
	}
	s.words += wordsOf(n)
	return s
}

// putRecord writes a record that nobody can see yet. since is used for flagNever only.
func putRecord(w []uint64, s shape, r *Record, older, since uint64) {
	w[recordVersion] = r.Version
	w[recordMeta] = s.meta | older
	i := recordTail
	n := int(s.meta >> lenShift)
	if n == longLen {
		n = len(r.Value)
		w[i] = uint64(n)
		i++
	}
	if s.meta&flagExpiry != 0 {
		w[i] = uint64(r.Expiry)
		i++
	}
	if s.meta&flagStamp != 0 {
		w[i] = r.Stamp
		i++
	}
	if s.meta&flagNever != 0 {
		w[i] = since
		i++
	}
	if n > 0 {
		copy(bytesAt(w[i:], n), r.Value)
	}
}

// decode fills dst from a record; the value stays in place. It does not read flagNever's word.
func decode(w []uint64, dst *Record) {
	m := w[recordMeta]
	*dst = Record{
		Version:   w[recordVersion],
		Stamp:     w[recordVersion],
		Deleted:   m&flagDeleted != 0,
		Elsewhere: m&flagElsewhere != 0,
	}
	i, n := recordTail, int(m>>lenShift)
	if n == longLen {
		n = int(w[i])
		i++
	}
	if m&(flagExpiry|flagStamp) != 0 {
		if m&flagExpiry != 0 {
			dst.Expiry = int64(w[i])
			i++
		}
		if m&flagStamp != 0 {
			dst.Stamp = w[i]
			i++
		}
	}
	if m&(flagDeleted|flagElsewhere|flagNever) == 0 {
		dst.Value = bytesAt(w[i:], n)
	}
}

const (
	// notPlain are the meta bits of records that say more than version and value.
	notPlain = flagDeleted | flagElsewhere | flagExpiry | flagStamp | flagNever

	maxPlainMeta = longLen << lenShift // at or above it the value's length is a word of its own
)

// plain is read for what most reads meet: the newest record is visible, and nothing but a version
// and a short value. It saves a hot get a seventh of its time. Any goroutine.
func (a *arena) plain(e []uint64, entry, at uint64) (version uint64, value []byte, ok bool) {
	off := atomic.LoadUint64(&e[entryHead])
	var r []uint64
	if off>>a.shift == entry>>a.shift {
		r = e[off-entry:]
	} else if r = a.at(off); r == nil {
		return 0, nil, false
	}
	m := r[recordMeta]
	if r[recordVersion] > at || m&notPlain != 0 || m >= maxPlainMeta {
		return 0, nil, false
	}
	return r[recordVersion], bytesAt(r[recordTail:], int(m>>lenShift)), true
}

// maxHops bounds a walk down a version chain: beyond it the store is cheaper than more misses.
const maxHops = 32

// read finds the newest record of an entry at or below a version. stale means that the newest
// record's segment was given back after the head was loaded: the caller looks the key up again.
// Any goroutine.
func (a *arena) read(e []uint64, entry, at uint64, dst *Record) (ans Answer, stale bool) {
	off := atomic.LoadUint64(&e[entryHead])
	var r []uint64
	if off>>a.shift == entry>>a.shift {
		r = e[off-entry:] // in one segment a record lies behind its entry
	} else if r = a.at(off); r == nil {
		return Unknown, true
	}
	for hop := 1; ; hop++ {
		m := r[recordMeta]
		if r[recordVersion] <= at {
			if m&flagNever != 0 && at < r[recordTail] {
				return Unknown, false
			}
			decode(r, dst)
			return Found, false
		}
		off = m & offsetMask
		if off == 0 {
			if m&flagCut != 0 {
				return Unknown, false
			}
			return Absent, false
		}
		if r = a.at(off); r == nil || hop == maxHops {
			return Unknown, false
		}
	}
}

// isDead reports whether an entry was moved or evicted. Writer.
func isDead(e []uint64) bool { return atomic.LoadUint64(&e[entryStamp]) == dead }
