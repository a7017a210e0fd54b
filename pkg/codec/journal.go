package codec

import (
	"encoding/binary"
	"fmt"
	"math"
)

// ChangeOp says what a commit did to a key. On-disk: never renumber, never reuse.
type ChangeOp uint8

// The operations.
const (
	ChangePut    ChangeOp = 1 // a value was written
	ChangeDelete ChangeOp = 2 // a tombstone was written
	ChangeExpire ChangeOp = 3 // a tombstone was written for a value that had expired
	ChangeAppend ChangeOp = 4 // an event was appended; the key is its sequence number
)

// String is the operation in lower case.
func (op ChangeOp) String() string {
	switch op {
	case ChangePut:
		return "put"
	case ChangeDelete:
		return "delete"
	case ChangeExpire:
		return "expire"
	case ChangeAppend:
		return "append"
	default:
		return fmt.Sprintf("ChangeOp(%d)", uint8(op))
	}
}

// Change is one key that a commit wrote.
type Change struct {
	// Primitive is the letter that the key is under.
	Primitive Primitive
	// Op says what was done to it.
	Op ChangeOp
	// Key is the user key.
	Key string
}

// JournalRecord is what one commit changed in one scope. It lies under AppendJournalKey, at the
// commit's version; a long one lies there in parts.
type JournalRecord struct {
	// Number is the commit number in the scope; it comes from the key.
	Number uint64
	// Parts is how many parts the record has. Only the first part tells; in the others it is 0.
	Parts int
	// Changes are the changes, of one part or of all of them, in the writer's order (key order).
	Changes []Change
	// Time is the time of the commit in Unix nanoseconds, the same as in the commit's record, so
	// that whoever walks a journal need not look there. Timed tells whether it is known: the first
	// part has it, unless it was written before there was such a field.
	Time  int64
	Timed bool
	// Origin says where the commit was made first, if it was imported. In the first part only.
	Origin Origin
}

// Origin is the version and time that a commit had in the database in which it was made, before it
// was imported into this one. The zero Origin says that it was made here.
type Origin struct {
	Version uint64
	Time    int64 // Unix nanoseconds
}

// MaxJournalPart is the greatest size of one part of a journal record in bytes, as long as no
// single key is longer.
const MaxJournalPart = 1 << 20

// Fields of a journal record. On-disk: never renumber, never reuse.
const (
	// journalParts is in the first part only, and left out if 1.
	journalParts = 1
	// journalChanges of the first or only part, journalMore of the others: flat, keys as byte
	// strings. An unsigned integer op<<8 | letter stands before the first key, and wherever it
	// changes.
	journalChanges = 2
	journalMore    = 3
	// The origin: an unsigned integer and an integer, both or none. They must be understood, because
	// expiry in the past is judged by it.
	journalOriginVersion = 4
	journalOriginTime    = 5
	// journalTime is a byte string of 8 bytes: at a fixed place, the end, to be patched in. It may
	// be ignored.
	journalTime = -1
)

// journalTimeSize is what the field takes; journalTimeKey is its number in CBOR.
const (
	journalTimeSize = 1 + 1 + 8
	journalTimeKey  = majorNeg | (-1 - journalTime)
)

// AppendJournalRecord appends a journal record of one part, or the first part (Parts > 1), or a
// later one (Parts 0). The number is left to the key. It allocates only if dst is too small.
// REQUIRES: the operations and primitives are valid.
func AppendJournalRecord(dst []byte, r JournalRecord) []byte {
	field, fields := byte(journalChanges), byte(1)
	if r.Timed {
		fields++
	}
	if r.Origin.Version != 0 {
		fields += 2
	}
	switch {
	case r.Parts > 1:
		dst = appendField(append(dst, majorMap|(fields+1)), journalParts)
		dst = appendHead(dst, majorUint, uint64(r.Parts))
	case r.Parts == 1:
		dst = append(dst, majorMap|fields)
	default:
		dst = append(dst, majorMap|fields)
		field = journalMore
	}
	items, last := len(r.Changes), uint64(0)
	for _, c := range r.Changes {
		if token := c.token(); token != last {
			last = token
			items++
		}
	}
	dst = appendHead(appendField(dst, field), majorArray, uint64(items))
	last = 0
	for _, c := range r.Changes {
		if token := c.token(); token != last {
			last = token
			dst = appendHead(dst, majorUint, token)
		}
		dst = append(appendHead(dst, majorBytes, uint64(len(c.Key))), c.Key...)
	}
	if r.Origin.Version != 0 {
		dst = appendHead(appendField(dst, journalOriginVersion), majorUint, r.Origin.Version)
		dst = appendCBORInt(appendField(dst, journalOriginTime), r.Origin.Time)
	}
	if r.Timed {
		dst = append(dst, journalTimeKey, majorBytes|8)
		dst = binary.BigEndian.AppendUint64(dst, uint64(r.Time))
	}
	return dst
}

// PatchJournalTime overwrites the time in an encoded journal record in place.
// REQUIRES: the record is Timed.
func PatchJournalTime(record []byte, time int64) {
	binary.BigEndian.PutUint64(record[len(record)-8:], uint64(time))
}

// token is what stands before a run of keys. It is never 0.
func (c Change) token() uint64 { return uint64(c.Op)<<8 | uint64(c.Primitive) }

// cost is at most what a change takes.
func (c Change) cost() int { return 3 + headSize(uint64(len(c.Key))) + len(c.Key) }

// journalOverhead is at most what a part takes beside its changes.
const journalOverhead = 1 + 1 + maxHead + 1 + maxHead + 2*(1+maxHead) + journalTimeSize

// JournalParts encodes the changes of one commit in one scope, in as many parts as it takes to keep
// each at MaxJournalPart or below. There is at least one, and never an empty one of several. Part i
// belongs under AppendJournalKey(..., i). Part 0 has room for the time: PatchJournalTime must fill
// it. REQUIRES: at most MaxJournalParts come out.
func JournalParts(changes []Change, origin Origin) [][]byte {
	var chunks [][]Change
	var sizes []int
	start, size := 0, journalOverhead
	for i, c := range changes {
		cost := c.cost()
		if i > start && size+cost > MaxJournalPart {
			chunks, sizes = append(chunks, changes[start:i]), append(sizes, size)
			start, size = i, journalOverhead
		}
		size += cost
	}
	if chunks == nil {
		one := JournalRecord{Parts: 1, Changes: changes, Timed: true, Origin: origin}
		return [][]byte{AppendJournalRecord(make([]byte, 0, size), one)}
	}
	chunks, sizes = append(chunks, changes[start:]), append(sizes, size)
	parts := make([][]byte, len(chunks))
	for i, chunk := range chunks {
		r := JournalRecord{Changes: chunk}
		if i == 0 {
			r.Parts, r.Timed, r.Origin = len(chunks), true, origin
		}
		parts[i] = AppendJournalRecord(make([]byte, 0, sizes[i]), r)
	}
	return parts
}

// DecodeJournalRecord decodes one part of the journal record with this commit number. The keys
// alias b. Errors: ErrCorrupt, ErrFormat for a field that must be understood and is not.
func DecodeJournalRecord(number uint64, b []byte) (JournalRecord, error) {
	return DecodeJournalRecordInto(number, b, nil)
}

// DecodeJournalRecordInto is DecodeJournalRecord that puts the changes into room, from its
// beginning, and allocates only if there is too little.
func DecodeJournalRecordInto(number uint64, b []byte, room []Change) (JournalRecord, error) {
	r := newReader("journal record", b)
	j, err := readJournalRecord(number, &r, room[:0])
	if err != nil {
		return JournalRecord{}, err
	}
	return j, nil
}

func readJournalRecord(number uint64, r *reader, room []Change) (JournalRecord, error) {
	j := JournalRecord{Number: number}
	r.known = 1 << (-1 - journalTime)
	var hasChanges, hasOrigin bool
	for r.next() {
		switch r.key {
		case journalParts:
			if j.Parts = int(r.uint(MaxJournalParts)); j.Parts < 2 {
				r.fail("%d parts written out", j.Parts)
			}
		case journalChanges:
			j.Changes, hasChanges = readChanges(r, room), true
			j.Parts = max(j.Parts, 1)
		case journalMore:
			if hasChanges || j.Parts != 0 {
				r.fail("the fields of a first part and of a later one together")
			}
			j.Changes, hasChanges = readChanges(r, room), true
		case journalOriginVersion:
			j.Origin.Version = r.positive(math.MaxUint64)
		case journalOriginTime:
			j.Origin.Time, hasOrigin = r.int(), true
		case journalTime:
			if b := r.bytes(); len(b) == 8 {
				j.Time, j.Timed = int64(binary.BigEndian.Uint64(b)), true
			} else {
				r.fail("a time of %d bytes, expected 8", len(b))
			}
		default:
			r.unknown()
		}
	}
	r.require(hasChanges, "changes")
	if hasOrigin != (j.Origin.Version != 0) || hasOrigin && j.Parts == 0 {
		r.fail("half an origin, or one in a later part")
	}
	return j, r.done()
}

func readChanges(r *reader, changes []Change) []Change {
	n := r.head(majorArray, 1)
	if r.err != nil || n == 0 {
		return nil
	}
	// A claimed length is bounded by the input's, but a change is much larger than a byte; so the
	// slice begins small and grows with what is really there.
	if cap(changes) < min(n, 64) {
		changes = make([]Change, 0, min(n, 64))
	}
	var last uint64
	var c Change
	for i := 0; i < n && r.err == nil; i++ {
		if r.at < len(r.b) && r.b[r.at]&majorMask == majorUint {
			if last, c = readToken(r, last); r.err != nil {
				break
			}
			if i++; i == n {
				r.fail("an operation without a key")
				break
			}
		}
		if last == 0 {
			r.fail("a key without an operation")
			break
		}
		c.Key = aliasString(r.bytes())
		changes = append(changes, c)
	}
	return changes
}

func readToken(r *reader, last uint64) (uint64, Change) {
	token := r.uint(1<<16 - 1)
	c := Change{Op: ChangeOp(token >> 8), Primitive: Primitive(token)}
	if r.err == nil && (token == last || c.Op < ChangePut || c.Op > ChangeAppend ||
		!validPrimitive(MaxScope, c.Primitive)) {
		r.fail("operation and letter 0x%04x unknown, or written out twice", token)
	}
	return token, c
}
