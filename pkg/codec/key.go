package codec

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// Scope is the number of a scope: a run, a shared namespace, or the system scope. Numbers are given
// out once and never again. Keys are ordered by it.
type Scope uint64

const (
	// SystemScope holds the database's own records.
	SystemScope Scope = 0
	// MaxScope is the greatest scope number: ten hex digits.
	MaxScope Scope = 1<<40 - 1
)

// Primitive is the letter in a key that says whose it is. Every ASCII letter is a valid primitive;
// an upper-case one holds the index entries of its lower-case twin.
type Primitive byte

// The primitives of runs and shared namespaces. On-disk: never renumber, never reuse.
const (
	KV      Primitive = 'k'
	Events  Primitive = 'e'
	Cells   Primitive = 'c'
	Traces  Primitive = 't'
	Vectors Primitive = 'v'
	Journal Primitive = 'j' // one record per commit of the scope; the system scope has one too

	Machines   Primitive = 'm' // state machines, each under the name of the cell that it governs
	Extensions Primitive = 'u' // keys of primitives that users build, each under a name of its own
	Horizons   Primitive = 'h' // one record: what retention has removed, see HorizonKey
)

// The primitives of the system scope. On-disk: never renumber, never reuse. The letter r is taken:
// it begins the keys of all other scopes.
const (
	ScopeRecords Primitive = 's' // s/<uuid>: a run's record; s/@<tuple>: a shared namespace's
	RunIndex     Primitive = 'S' // index entries of scope records: runs by status, tag, parent...
	Commits      Primitive = 'c' // c/<version>: one record per commit
	Meta         Primitive = 'm' // counters and the like
	Expiries     Primitive = 'x' // keys by deadline, see ExpiryUserKey
	Graveyard    Primitive = 'g' // g/<scope>: scopes whose record is gone and whose keys are not yet
)

// Index is the primitive that holds the index entries of p.
func (p Primitive) Index() Primitive { return p &^ 0x20 }

// IsIndex reports whether p holds index entries.
func (p Primitive) IsIndex() bool { return p >= 'A' && p <= 'Z' }

// String is the letter.
func (p Primitive) String() string { return string(rune(p)) }

const (
	// SystemPrefixLen and ScopePrefixLen are the lengths of KeyPrefix: where the user key begins in
	// a key of the system scope, and of every other scope.
	SystemPrefixLen = 2
	ScopePrefixLen  = 15
	// VersionSuffixLen is the number of bytes that AppendVersion appends.
	VersionSuffixLen = 9

	keySentinel   = 0x00 // between user key and version
	versionMarker = 0x09 // last byte of a key with a version: the length of the suffix
	scopeDigits   = 10
)

// AppendKey appends the engine key of a user key, without a version:
//
//	system scope     <letter> / <user key> 0x00
//	other scopes     r / <scope, 10 hex digits> / <letter> / <user key> 0x00
//
// The user key is any bytes, also none. Errors: ErrTooLarge, and ErrInvalidArgument for a scope
// number or primitive that no key can have; dst comes back unchanged then.
func AppendKey(dst []byte, s Scope, p Primitive, user string) ([]byte, error) {
	if err := checkKeyParts(s, p, len(user)); err != nil {
		return dst, err
	}
	dst = KeyPrefix(dst, s, p)
	dst = append(dst, user...)
	return append(dst, keySentinel), nil
}

func checkKeyParts(s Scope, p Primitive, size int) error {
	if s > MaxScope {
		return invalid("scope number %d is over %d", uint64(s), uint64(MaxScope))
	}
	if !validPrimitive(s, p) {
		return invalid("%q is not a primitive of scope %d", byte(p), uint64(s))
	}
	if limit := keyLimit(s, p); size > limit {
		return tooLarge("key", size, limit)
	}
	return nil
}

// validPrimitive: every ASCII letter, but r in the system scope, where it would run into the
// prefix of the other scopes.
func validPrimitive(s Scope, p Primitive) bool {
	lower := p | 0x20
	return lower >= 'a' && lower <= 'z' && (s != SystemScope || p != 'r')
}

func keyLimit(s Scope, p Primitive) int {
	if s == SystemScope || p.IsIndex() {
		return MaxInternalKeySize
	}
	return MaxKeySize
}

// AppendVersion appends the version suffix to an engine key: 8 bytes big-endian and 0x09. Among the
// versions of one key the greatest comes first. Version 0 appends nothing: the bare key sorts
// before all its versions. To leave room for PatchVersion append any other version.
func AppendVersion(dst []byte, version uint64) []byte {
	if version == 0 {
		return dst
	}
	return append(binary.BigEndian.AppendUint64(dst, version), versionMarker)
}

// PatchVersion overwrites the version of an engine key in place.
// REQUIRES: the key ends in a version suffix, and version is not 0.
func PatchVersion(engineKey []byte, version uint64) {
	binary.BigEndian.PutUint64(engineKey[len(engineKey)-VersionSuffixLen:], version)
}

// AppendRangeEnd appends an exclusive upper bound, a valid engine key: everything of primitive p
// whose user key is < end sorts before it, everything else of p does not. An empty end stands for
// the end of the primitive. REQUIRES: s <= MaxScope.
func AppendRangeEnd(dst []byte, s Scope, p Primitive, end string) []byte {
	dst = KeyPrefix(dst, s, p)
	if end == "" {
		dst[len(dst)-1]++ // the byte after '/'
	}
	dst = append(dst, end...)
	return append(dst, keySentinel)
}

// KeyPrefix appends what all keys of a primitive begin with. It is not an engine key: the sentinel
// is missing. REQUIRES: s <= MaxScope (a greater one yields a prefix that no key has).
func KeyPrefix(dst []byte, s Scope, p Primitive) []byte {
	if s == SystemScope {
		return append(dst, byte(p), '/')
	}
	dst = appendScopePrefix(dst, s)
	return append(dst, '/', byte(p), '/')
}

// appendScopePrefix appends r/<scope>, without the slash after it.
func appendScopePrefix(dst []byte, s Scope) []byte {
	dst = append(dst, 'r', '/')
	if s > MaxScope {
		return strconv.AppendUint(dst, uint64(s), 16)
	}
	return appendHex(dst, uint64(s), scopeDigits)
}

// ScopeBounds returns the bounds, lower inclusive and upper exclusive, of all keys of one scope.
// Both are valid engine keys. The keys of the system scope lie on both sides of all others, so its
// bounds enclose the whole database. REQUIRES: s <= MaxScope.
func ScopeBounds(s Scope) (lower, upper []byte) {
	if s == SystemScope {
		return []byte{'A', keySentinel}, []byte{'z' + 1, keySentinel}
	}
	lower = appendScopePrefix(make([]byte, 0, ScopePrefixLen), s)
	upper = append(make([]byte, 0, ScopePrefixLen), lower...)
	return append(lower, '/', keySentinel), append(upper, '/'+1, keySentinel)
}

// DecodeKey takes an engine key apart. The user key aliases b; the version is 0 when the key has
// none. It accepts exactly what AppendKey and AppendVersion make. Errors: ErrCorrupt.
func DecodeKey(b []byte) (s Scope, p Primitive, user []byte, version uint64, err error) {
	if err := CheckKey(b); err != nil {
		return 0, 0, nil, 0, err
	}
	end := len(b) - 1
	if b[end] == versionMarker {
		end -= VersionSuffixLen
		version = binary.BigEndian.Uint64(b[end+1:])
	}
	rest := b[:end]
	at := SystemPrefixLen - 2
	if len(rest) >= 2 && rest[0] == 'r' && rest[1] == '/' {
		if len(rest) < ScopePrefixLen || rest[ScopePrefixLen-3] != '/' {
			return 0, 0, nil, 0, corrupt("key", 0, "no scope number and primitive in %q", clip(rest))
		}
		number, ok := parseHex(rest[2 : 2+scopeDigits])
		if !ok || number == 0 {
			return 0, 0, nil, 0, corrupt("key", 2, "expected a scope number of ten lower-case "+
				"hex digits, found %q", rest[2:2+scopeDigits])
		}
		s, at = Scope(number), ScopePrefixLen-2
	}
	if len(rest) < at+2 || rest[at+1] != '/' || !validPrimitive(s, Primitive(rest[at])) {
		return 0, 0, nil, 0, corrupt("key", at, "expected a letter and a slash in %q", clip(rest))
	}
	p, user = Primitive(rest[at]), rest[at+2:]
	if limit := keyLimit(s, p); len(user) > limit {
		return 0, 0, nil, 0, corrupt("key", at+2, "user key of %d bytes, limit %d", len(user), limit)
	}
	return s, p, user, version, nil
}

// CheckKey reports whether the engine takes a key, or bound, without choking on it later: the
// sentinel is where the last byte says, and a version is eight bytes and not 0. (A version of 0
// would come back from a table as no version at all.) Errors: ErrCorrupt.
func CheckKey(engineKey []byte) error {
	n := len(engineKey)
	if n == 0 {
		return corrupt("key", 0, "it is empty")
	}
	switch last := engineKey[n-1]; last {
	case keySentinel:
		if n == 1 {
			return corrupt("key", 0, "nothing before the sentinel")
		}
		return nil
	case versionMarker:
		if n <= VersionSuffixLen+1 || engineKey[n-1-VersionSuffixLen] != keySentinel {
			return corrupt("key", n-1, "no sentinel 9 bytes before the end")
		}
		if binary.BigEndian.Uint64(engineKey[n-VersionSuffixLen:]) == 0 {
			return corrupt("key", n-VersionSuffixLen, "version 0 written out")
		}
		return nil
	default:
		return corrupt("key", n-1, "last byte is 0x%02x, expected 0x00 or 0x09", last)
	}
}

// FormatKey shows a key to people, in the form r/000000002a/k/"goal".
func FormatKey(s Scope, p Primitive, user string) string {
	var b strings.Builder
	b.Write(KeyPrefix(make([]byte, 0, ScopePrefixLen), s, p))
	b.WriteString(strconv.Quote(user))
	return b.String()
}

// clip keeps foreign bytes in an error message short.
func clip(b []byte) []byte {
	const most = 64
	if len(b) > most {
		return b[:most]
	}
	return b
}

const hexDigits = "0123456789abcdef"

func appendHex(dst []byte, v uint64, digits int) []byte {
	dst = append(dst, "0000000000000000"[:digits]...)
	putHex(dst[len(dst)-digits:], v)
	return dst
}

func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = hexDigits[v&15]
		v >>= 4
	}
}

// parseHex reads lower-case digits only, so that every number has one form.
func parseHex[T []byte | string](b T) (v uint64, ok bool) {
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}
