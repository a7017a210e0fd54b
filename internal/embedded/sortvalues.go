package embedded

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// valueSorter brings the records of a load into the order of their keys. Pebble's memtable finds
// the place of a key from that of the key before it: for neighbours that is a few steps, and for a
// key anywhere in a large memtable some dozen misses of the cache.
type valueSorter struct {
	records []sortedRecord
}

// sortedRecord is where a record of a batch lies, from at to end, and its key.
type sortedRecord struct {
	deciding              uint64 // the 8 bytes behind what all keys of the load share
	at, end, key, keySize uint32
}

// sortFrom is how many records are worth it.
const sortFrom = 16

// appendSorted appends the records of src to dst in the order of their keys. Those of one key keep
// theirs: what comes later overwrites. If it meets a record that it does not know, it leaves the
// order as it is, which is always right.
func (s *valueSorter) appendSorted(dst, src []byte) []byte {
	if !s.parse(src) || len(s.records) < sortFrom {
		return append(dst, src...)
	}
	shared := s.shared(src)
	for i := range s.records {
		r := &s.records[i]
		r.deciding = firstBytes(r.keyIn(src)[shared:])
	}
	slices.SortFunc(s.records, func(a, b sortedRecord) int {
		if a.deciding != b.deciding {
			return cmp.Compare(a.deciding, b.deciding)
		}
		if c := bytes.Compare(a.keyIn(src)[shared:], b.keyIn(src)[shared:]); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at)
	})
	for i := range s.records {
		dst = append(dst, src[s.records[i].at:s.records[i].end]...)
	}
	return dst
}

func (r *sortedRecord) keyIn(src []byte) []byte { return src[r.key : r.key+r.keySize] }

// parse finds the records.
func (s *valueSorter) parse(src []byte) bool {
	s.records = s.records[:0]
	for at := 0; at < len(src); {
		kind := pebble.InternalKeyKind(src[at])
		size, n := binary.Uvarint(src[at+1:])
		key := at + 1 + n
		end := key + int(size)
		switch kind {
		case pebble.InternalKeyKindSet:
			size, n := binary.Uvarint(src[end:])
			end += n + int(size)
		case pebble.InternalKeyKindDelete:
		default:
			return false
		}
		s.records = append(s.records, sortedRecord{
			at: uint32(at), end: uint32(end), key: uint32(key), keySize: uint32(size),
		})
		at = end
	}
	return true
}

// shared is how many bytes at the beginning all keys have in common.
func (s *valueSorter) shared(src []byte) int {
	first := s.records[0].keyIn(src)
	n := len(first)
	for i := range s.records[1:] {
		key := s.records[1+i].keyIn(src)
		n = min(n, len(key))
		if !bytes.Equal(first[:n], key[:n]) {
			for i := range n {
				if first[i] != key[i] {
					n = i
					break
				}
			}
		}
	}
	return n
}

// firstBytes is the first 8 bytes as a number that orders like them.
func firstBytes(b []byte) (v uint64) {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	for i := range b {
		v |= uint64(b[i]) << (56 - 8*i)
	}
	return v
}
