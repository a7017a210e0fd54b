package codec

import (
	"crypto/sha256"
	"encoding/binary"
	"unicode/utf8"
)

// EventDigest is a SHA-256: of a payload, or of an event and thereby of all before it.
type EventDigest [sha256.Size]byte

// EventRecord is the value of one event of a log. The first three fields have fixed places, because
// they are only known at the commit's place in the order, and are patched into the finished record:
//
//	+---------+----------+---------+-----------------+----------------+
//	| time    | previous | hash    | type            | payload        |
//	| 8, BE   | 32       | 32      | CBOR text       | CBOR, the rest |
//	+---------+----------+---------+-----------------+----------------+
type EventRecord struct {
	// Time is the commit time in Unix nanoseconds.
	Time int64
	// Previous is the hash of the event before, zero for the first of a log.
	Previous EventDigest
	// Hash is EventHash of this event.
	Hash EventDigest
	// Type is what kind of event it is; UTF-8, not empty.
	Type string
	// Payload is the encoded value.
	Payload []byte
}

const (
	eventPreviousAt = 8
	eventHashAt     = eventPreviousAt + sha256.Size
	eventTypeAt     = eventHashAt + sha256.Size
)

// AppendEventRecord appends an event. Errors: ErrInvalidArgument for a type that is empty or not
// UTF-8; ErrTooLarge for one longer than MaxEventType or a payload over MaxValueSize. dst comes
// back unchanged then. It allocates only if dst is too small.
func AppendEventRecord(dst []byte, r EventRecord) ([]byte, error) {
	if r.Type == "" || !utf8.ValidString(r.Type) {
		return dst, invalid("event type %q is empty or not UTF-8", clip([]byte(r.Type)))
	}
	if len(r.Type) > MaxEventType {
		return dst, tooLarge("event type", len(r.Type), MaxEventType)
	}
	if len(r.Payload) > MaxValueSize+maxHead {
		return dst, tooLarge("value", len(r.Payload), MaxValueSize)
	}
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Time))
	dst = append(dst, r.Previous[:]...)
	dst = append(dst, r.Hash[:]...)
	dst = append(appendHead(dst, majorText, uint64(len(r.Type))), r.Type...)
	return append(dst, r.Payload...), nil
}

// PatchEvent overwrites the time and hashes of an encoded event in place.
// REQUIRES: b begins with what AppendEventRecord made.
func PatchEvent(b []byte, time int64, previous, hash EventDigest) {
	_ = b[eventTypeAt]
	binary.BigEndian.PutUint64(b, uint64(time))
	copy(b[eventPreviousAt:], previous[:])
	copy(b[eventHashAt:], hash[:])
}

// DecodeEventRecord decodes an event. Type and payload alias b; neither the payload nor the hash is
// checked. Errors: ErrCorrupt.
func DecodeEventRecord(b []byte) (EventRecord, error) {
	const what = "event record"
	if len(b) <= eventTypeAt {
		return EventRecord{}, corrupt(what, len(b), "%d bytes, expected more than %d", len(b),
			eventTypeAt)
	}
	n, start, ok := readHead(b, eventTypeAt)
	if !ok || b[eventTypeAt]&majorMask != majorText {
		return EventRecord{}, corrupt(what, eventTypeAt, "head 0x%02x, expected a text",
			b[eventTypeAt])
	}
	if n == 0 || n > MaxEventType || n > uint64(len(b)-start) {
		return EventRecord{}, corrupt(what, eventTypeAt, "type of %d bytes, expected 1 to %d", n,
			min(MaxEventType, len(b)-start))
	}
	end := start + int(n)
	if !utf8.Valid(b[start:end]) {
		return EventRecord{}, corrupt(what, start, "type is not UTF-8")
	}
	if len(b)-end > MaxValueSize+maxHead {
		return EventRecord{}, corrupt(what, end, "payload of %d bytes, limit %d", len(b)-end,
			MaxValueSize)
	}
	return EventRecord{
		Time:     int64(binary.BigEndian.Uint64(b)),
		Previous: EventDigest(b[eventPreviousAt:eventHashAt]),
		Hash:     EventDigest(b[eventHashAt:eventTypeAt]),
		Type:     aliasString(b[start:end]),
		Payload:  b[end:],
	}, nil
}

// PayloadDigest is the SHA-256 of an encoded payload. It is the costly part of an event's hash, and
// does not depend on the event's place.
func PayloadDigest(payload []byte) EventDigest { return sha256.Sum256(payload) }

// EventHash is the hash that an event carries: the SHA-256 over its five fields, each after its
// length in 4 bytes, all integers big-endian:
//
//	00000020 previous  00000008 seq  00000008 time  <len> type  00000020 payload digest
func EventHash(
	previous EventDigest, seq uint64, time int64, typ string, payload EventDigest,
) EventDigest {
	var room [192]byte // enough for types up to 92 bytes without an allocation
	b := binary.BigEndian.AppendUint32(room[:0], sha256.Size)
	b = append(b, previous[:]...)
	b = binary.BigEndian.AppendUint32(b, 8)
	b = binary.BigEndian.AppendUint64(b, seq)
	b = binary.BigEndian.AppendUint32(b, 8)
	b = binary.BigEndian.AppendUint64(b, uint64(time))
	b = binary.BigEndian.AppendUint32(b, uint32(len(typ)))
	b = append(b, typ...)
	b = binary.BigEndian.AppendUint32(b, sha256.Size)
	b = append(b, payload[:]...)
	return sha256.Sum256(b)
}

// MaxEventType bounds the type of an event, in bytes, so that its index key always fits.
const MaxEventType = 1 << 10

// EventTypeKey is the user key, under Events.Index(), of the index entry that finds an event by its
// type: the type as a tuple of one string, then the sequence number in 12 hex digits. So the events
// of one type lie together, in the order of the log. REQUIRES: seq <= MaxSequence.
func EventTypeKey(typ string, seq uint64) string {
	b := make(Tuple, 0, len(typ)+3+sequenceDigits).AppendString(typ)
	return aliasString(appendHex(b, seq, sequenceDigits))
}

// AppendEventTypeKey appends the engine key of EventTypeKey, with a version suffix of zeros that
// PatchVersion must fill before the key is used; PatchHex12 puts another sequence number at
// EventTypeSequenceOffset from its end. It allocates only if dst is too small.
// REQUIRES: s <= MaxScope, seq <= MaxSequence.
func AppendEventTypeKey(dst []byte, s Scope, typ string, seq uint64) []byte {
	dst = Tuple(KeyPrefix(dst, s, Events.Index())).AppendString(typ)
	return appendVersionRoom(appendHex(dst, seq, sequenceDigits))
}

// EventTypeSequenceOffset is how far before the end of AppendEventTypeKey's key, and of
// AppendEventKey's, the sequence number begins.
const EventTypeSequenceOffset = sequenceDigits + 1 + VersionSuffixLen

// EventTypePrefix is what the index keys of all events of a type begin with, and no others.
func EventTypePrefix(typ string) string { return string(Tuple(nil).AppendString(typ)) }

// DecodeEventTypeKey takes apart what EventTypeKey made. Errors: ErrCorrupt.
func DecodeEventTypeKey(user string) (typ string, seq uint64, err error) {
	e, rest, err := NextElement([]byte(user))
	if err != nil {
		return "", 0, err
	}
	if e.Kind != ElementString {
		return "", 0, corrupt("event index key", 0, "expected a type, found %q", clip([]byte(user)))
	}
	seq, err = DecodeEventUserKey(string(rest))
	return e.Text, seq, err
}
