package codec

import "encoding/binary"

// StateTag is what the bytes begin with over which the hash of a state is taken; behind it come the
// items of the state, in the order of their letters and keys. On-disk: exported runs carry such
// hashes.
const StateTag = "in-mem state 1"

// AppendStateItem appends one item of a state: what a key holds, with its deadline in Unix
// nanoseconds, 0 for none.
//
//	letter <1b>, length of the key <4b>, key, deadline <8b>, length of the value <4b>, value
//
// REQUIRES: key and value are within their limits.
func AppendStateItem(dst []byte, p Primitive, key string, deadline int64, value []byte) []byte {
	dst = append(dst, byte(p))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(key)))
	dst = append(dst, key...)
	dst = binary.BigEndian.AppendUint64(dst, uint64(deadline))
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(value)))
	return append(dst, value...)
}
