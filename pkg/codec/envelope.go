package codec

import "encoding/binary"

// The flags in the first byte of every stored value. On-disk: never renumber, never reuse.
const (
	flagTombstone = 1 << 0
	flagExpiry    = 1 << 1
	flagOrigin    = 1 << 2
	// Reserved: a reader that meets one of these must refuse the value.
	flagChecksum    = 1 << 3
	flagCompression = 3 << 4 // two bits: which one
	flagEncrypted   = 1 << 6
	flagExternal    = 1 << 7

	knownFlags = flagTombstone | flagExpiry | flagOrigin
)

// Envelope is what surrounds every stored value, whatever the key.
//
//	+-------+------------------+------------------+---------+
//	| flags | expiry           | origin           | payload |
//	| 1     | 8, if flag 0x02  | 8, if flag 0x04  | rest    |
//	+-------+------------------+------------------+---------+
type Envelope struct {
	// Tombstone marks a deleted key: no payload, no expiry.
	Tombstone bool
	// Expiry is the absolute deadline in Unix nanoseconds, 0 for none.
	Expiry int64
	// Origin is set in the tombstone that the sweeper leaves for an expired key: the version of the
	// last write, which is the version that validation and CAS go on seeing. Else 0.
	Origin uint64
	// Payload is the encoded value, or record.
	Payload []byte
}

// AppendEnvelope appends a stored value. Of a tombstone it writes only Origin, of a value only
// Expiry and Payload. It allocates only if dst is too small.
func AppendEnvelope(dst []byte, e Envelope) []byte {
	switch {
	case e.Tombstone && e.Origin == 0:
		return append(dst, flagTombstone)
	case e.Tombstone:
		dst = append(dst, flagTombstone|flagOrigin)
		return binary.BigEndian.AppendUint64(dst, e.Origin)
	case e.Expiry == 0:
		dst = append(dst, 0)
	default:
		dst = append(dst, flagExpiry)
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.Expiry))
	}
	return append(dst, e.Payload...)
}

// DecodeEnvelope takes a stored value apart. The payload aliases b. It accepts exactly what
// AppendEnvelope makes. Errors: ErrFormat for a flag that this version does not know, ErrCorrupt.
func DecodeEnvelope(b []byte) (Envelope, error) {
	if len(b) == 0 {
		return Envelope{}, corrupt("envelope", 0, "it is empty")
	}
	if b[0] == 0 {
		return Envelope{Payload: b[1:]}, nil
	}
	return decodeFlagged(b)
}

func decodeFlagged(b []byte) (Envelope, error) {
	switch flags := b[0]; {
	case flags&^byte(knownFlags) != 0:
		return Envelope{}, unknownFlags(flags)
	case flags == flagTombstone:
		if len(b) != 1 {
			return Envelope{}, corrupt("envelope", 1, "%d bytes after a tombstone", len(b)-1)
		}
		return Envelope{Tombstone: true}, nil
	case flags == flagTombstone|flagOrigin:
		if len(b) != 9 {
			return Envelope{}, corrupt("envelope", 1, "%d bytes after the flags of an expired key,"+
				" expected 8", len(b)-1)
		}
		origin := binary.BigEndian.Uint64(b[1:])
		if origin == 0 {
			return Envelope{}, corrupt("envelope", 1, "origin 0 written out")
		}
		return Envelope{Tombstone: true, Origin: origin}, nil
	case flags == flagExpiry:
		if len(b) < 9 {
			return Envelope{}, corrupt("envelope", 1, "%d bytes left for an expiry, expected 8",
				len(b)-1)
		}
		expiry := int64(binary.BigEndian.Uint64(b[1:]))
		if expiry == 0 {
			return Envelope{}, corrupt("envelope", 1, "expiry 0 written out")
		}
		return Envelope{Expiry: expiry, Payload: b[9:]}, nil
	default:
		return Envelope{}, corrupt("envelope", 0, "flags 0x%02x contradict each other", flags)
	}
}
