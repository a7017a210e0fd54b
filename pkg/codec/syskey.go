package codec

import "encoding/binary"

// Keys that hold numbers. They are written in hex so that stock tools print them readably, in fixed
// width so that they sort as the numbers do, and at fixed places so that a commit can patch them
// in.
const (
	// CommitKeyLen is the length of a commit record's key: c/<16 hex> 0x00. It has no version
	// suffix: the digits are the version.
	CommitKeyLen = SystemPrefixLen + 16 + 1
	// CommitKeyVersionOffset is where PatchHex16 puts the version of a commit key.
	CommitKeyVersionOffset = SystemPrefixLen
	// MaxSequence is the greatest commit number of a scope and sequence number of an event: twelve
	// hex digits. At a million a second they last for nine years.
	MaxSequence = 1<<48 - 1
	// MaxJournalParts is the greatest number of parts of one journal record.
	MaxJournalParts = 1 << 16

	sequenceDigits = 12
	partDigits     = 4
)

// PatchHex16 overwrites the first 16 bytes of b with v in hex.
func PatchHex16(b []byte, v uint64) { putHex(b[:16], v) }

// PatchHex12 overwrites the first 12 bytes of b with v in hex. REQUIRES: v <= MaxSequence.
func PatchHex12(b []byte, v uint64) { putHex(b[:sequenceDigits], v) }

// UserKeyOffset is where the user key begins in the keys of a scope; there PatchHex12 puts the
// number of a journal or event key.
func UserKeyOffset(s Scope) int {
	if s == SystemScope {
		return SystemPrefixLen
	}
	return ScopePrefixLen
}

// AppendCommitKey appends the key of the record of a commit: c/<version, 16 hex digits> 0x00.
func AppendCommitKey(dst []byte, version uint64) []byte {
	dst = KeyPrefix(dst, SystemScope, Commits)
	dst = appendHex(dst, version, 16)
	return append(dst, keySentinel)
}

// DecodeCommitKey returns the version that a commit record's key names. Errors: ErrCorrupt.
func DecodeCommitKey(b []byte) (uint64, error) {
	if len(b) != CommitKeyLen || b[0] != byte(Commits) || b[1] != '/' ||
		b[CommitKeyLen-1] != keySentinel {
		return 0, corrupt("commit key", 0, "expected c/<16 hex digits> 0x00, found %q", clip(b))
	}
	version, ok := parseHex(b[CommitKeyVersionOffset : CommitKeyLen-1])
	if !ok || version == 0 {
		return 0, corrupt("commit key", CommitKeyVersionOffset,
			"expected a version in lower-case hex, not 0, found %q", clip(b))
	}
	return version, nil
}

// AppendJournalKey appends the key of one part of a scope's journal record, with a version suffix
// of zeros that PatchVersion must fill before the key is used:
//
//	<prefix> <number, 12 hex digits> 0x00 <version> 0x09            part 0
//	<prefix> <number> . <part, 4 hex digits> 0x00 <version> 0x09    the other parts
//
// REQUIRES: s <= MaxScope, number <= MaxSequence, 0 <= part < MaxJournalParts.
func AppendJournalKey(dst []byte, s Scope, number uint64, part int) []byte {
	dst = KeyPrefix(dst, s, Journal)
	dst = appendHex(dst, number, sequenceDigits)
	if part > 0 {
		dst = append(dst, '.')
		dst = appendHex(dst, uint64(part), partDigits)
	}
	return appendVersionRoom(dst)
}

// DecodeJournalUserKey takes the user key of a journal record apart. Errors: ErrCorrupt.
func DecodeJournalUserKey(user []byte) (number uint64, part int, err error) {
	const long = sequenceDigits + 1 + partDigits
	if len(user) != sequenceDigits && (len(user) != long || user[sequenceDigits] != '.') {
		return 0, 0, corrupt("journal key", 0, "expected 12 hex digits, or these, a dot and 4 "+
			"more, found %q", clip(user))
	}
	number, ok := parseHex(user[:sequenceDigits])
	if !ok {
		return 0, 0, corrupt("journal key", 0, "expected lower-case hex, found %q", clip(user))
	}
	if len(user) == sequenceDigits {
		return number, 0, nil
	}
	p, ok := parseHex(user[sequenceDigits+1:])
	if !ok || p == 0 {
		return 0, 0, corrupt("journal key", sequenceDigits+1,
			"expected a part in lower-case hex, not 0, found %q", user[sequenceDigits+1:])
	}
	return number, int(p), nil
}

// AppendEventKey appends the key of an event, with a version suffix of zeros that PatchVersion must
// fill before the key is used. REQUIRES: s <= MaxScope, seq <= MaxSequence.
func AppendEventKey(dst []byte, s Scope, seq uint64) []byte {
	dst = KeyPrefix(dst, s, Events)
	dst = appendHex(dst, seq, sequenceDigits)
	return appendVersionRoom(dst)
}

func appendVersionRoom(dst []byte) []byte {
	dst = append(dst, keySentinel)
	return append(binary.BigEndian.AppendUint64(dst, 0), versionMarker)
}

// EventUserKey is the user key of the event with a sequence number: 12 hex digits.
// REQUIRES: seq <= MaxSequence.
func EventUserKey(seq uint64) string {
	var b [sequenceDigits]byte
	putHex(b[:], seq)
	return string(b[:])
}

// DecodeEventUserKey returns the sequence number of an event's user key. Errors: ErrCorrupt.
func DecodeEventUserKey(user string) (uint64, error) {
	seq, ok := parseHex(user)
	if !ok || len(user) != sequenceDigits {
		return 0, corrupt("event key", 0, "expected 12 lower-case hex digits, found %q",
			clip([]byte(user)))
	}
	return seq, nil
}

// sharedMark begins the user keys of the records of shared namespaces. No id as text begins so.
const sharedMark = '@'

// SharedKey is the user key, under ScopeRecords, of the record of a shared namespace: @ and a tuple
// of three strings, of which those behind the last one that matters are empty.
func SharedKey(tenant, app, agent string) string {
	t := append(make(Tuple, 0, 1+3*3+len(tenant)+len(app)+len(agent)), sharedMark)
	return aliasString(t.AppendString(tenant).AppendString(app).AppendString(agent))
}

// DecodeSharedKey takes apart what SharedKey made. Errors: ErrCorrupt.
func DecodeSharedKey(user string) (tenant, app, agent string, err error) {
	if user == "" || user[0] != sharedMark {
		return "", "", "", corrupt("scope key", 0, "expected @ in %q", clip([]byte(user)))
	}
	elements, err := DecodeTuple([]byte(user[1:]))
	if err != nil {
		return "", "", "", err
	}
	if len(elements) != 3 || elements[0].Kind != ElementString ||
		elements[1].Kind != ElementString || elements[2].Kind != ElementString {
		return "", "", "", corrupt("scope key", 1, "expected three strings in %q",
			clip([]byte(user)))
	}
	return elements[0].Text, elements[1].Text, elements[2].Text, nil
}

// GraveUserKey is the user key, under Graveyard, of a scope whose record is gone and whose keys are
// not yet: 10 hex digits. REQUIRES: s <= MaxScope.
func GraveUserKey(s Scope) string {
	var b [scopeDigits]byte
	putHex(b[:], uint64(s))
	return string(b[:])
}

// DecodeGraveUserKey returns the scope that a key of the graveyard names. Errors: ErrCorrupt.
func DecodeGraveUserKey(user string) (Scope, error) {
	n, ok := parseHex(user)
	if !ok || len(user) != scopeDigits || n == 0 {
		return 0, corrupt("grave key", 0, "expected 10 lower-case hex digits, not 0, found %q",
			clip([]byte(user)))
	}
	return Scope(n), nil
}

const (
	expiryScopeAt = 16 + 1
	expiryKindAt  = expiryScopeAt + scopeDigits + 1
	expiryKeyAt   = expiryKindAt + 2
)

// ExpiryUserKey is the user key, in the system scope under Expiries, of the index entry of a key
// that expires: <deadline, 16 hex digits>/<scope, 10 hex digits>/<letter>/<user key>. The entry
// lies at the version of the write that set the deadline. Entries sort by deadline, in Unix
// nanoseconds; one before 1970 counts as 1970. REQUIRES: s <= MaxScope, p is a letter, key is
// within its limit.
func ExpiryUserKey(deadline int64, s Scope, p Primitive, key string) string {
	b := make([]byte, 0, expiryKeyAt+len(key))
	b = appendHex(b, uint64(max(deadline, 0)), 16)
	b = append(b, '/')
	b = appendHex(b, uint64(s), scopeDigits)
	b = append(b, '/', byte(p), '/')
	b = append(b, key...)
	return aliasString(b)
}

// DecodeExpiryUserKey takes apart what ExpiryUserKey made. The key aliases user. Errors:
// ErrCorrupt.
func DecodeExpiryUserKey(
	user string,
) (deadline int64, s Scope, p Primitive, key string, err error) {
	fail := func(at int, expected string) (int64, Scope, Primitive, string, error) {
		return 0, 0, 0, "", corrupt("expiry key", at, "expected %s in %q", expected,
			clip([]byte(user)))
	}
	if len(user) < expiryKeyAt || user[expiryScopeAt-1] != '/' || user[expiryKindAt-1] != '/' ||
		user[expiryKeyAt-1] != '/' {
		return fail(0, "<deadline>/<scope>/<letter>/")
	}
	d, ok := parseHex(user[:16])
	if !ok || d>>63 != 0 {
		return fail(0, "a deadline in lower-case hex")
	}
	number, ok := parseHex(user[expiryScopeAt : expiryKindAt-1])
	if !ok {
		return fail(expiryScopeAt, "a scope number in lower-case hex")
	}
	s, p, key = Scope(number), Primitive(user[expiryKindAt]), user[expiryKeyAt:]
	if !validPrimitive(s, p) {
		return fail(expiryKindAt, "a primitive")
	}
	if len(key) > keyLimit(s, p) || len(user) > MaxInternalKeySize {
		return fail(expiryKeyAt, "a user key within its limit")
	}
	return int64(d), s, p, key, nil
}
