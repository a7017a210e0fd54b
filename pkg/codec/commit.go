package codec

import "math"

// CommitFlags say what a commit is. On-disk: never renumber, never reuse.
type CommitFlags uint32

// FlagExpiry marks a commit of the sweeper: it only deletes what has expired.
const FlagExpiry CommitFlags = 1

// CommitRecord is the record of one commit of the whole database. It lies under AppendCommitKey and
// outlives the scopes it names.
type CommitRecord struct {
	// Version is the commit version; it comes from the key.
	Version uint64
	// Previous is the version of the commit before, 0 for the first. Versions may have gaps; a
	// chain of records has none.
	Previous uint64
	// Time is the commit time in Unix nanoseconds. It never goes back, and orders nothing.
	Time int64
	// Scopes are the scopes that the commit wrote to, in the writer's order.
	Scopes []ScopeCommit
	// Flags say what the commit is.
	Flags CommitFlags
	// Deadline is the latest one of what the commit put, in Unix nanoseconds; 0: nothing has one.
	// Up to then it matters to views of the past between which commits they lie.
	Deadline int64
}

// ScopeCommit is a commit's place in one scope.
type ScopeCommit struct {
	Scope Scope
	// Number is the commit number in the scope: 1, 2, 3...
	Number uint64
}

// Fields of a commit record. On-disk: never renumber, never reuse.
const (
	commitDelta    = 1 // version - previous; left out if 1
	commitTime     = 2
	commitScopes   = 3 // flat: scope, number, scope, number...
	commitFlags    = 4 // left out if 0
	commitDeadline = 6 // left out if 0
	// Reserved. Must be understood: 5 fencing epoch. May be ignored: -1 transaction id or
	// idempotency key, -2 author, -3 cause (the version that led to this one), -4 digest of the
	// read set.
)

// AppendCommitRecord appends a commit record; the version itself is left to the key. It allocates
// only if dst is too small. REQUIRES: Previous < Version.
func AppendCommitRecord(dst []byte, r CommitRecord) []byte {
	fields := 2
	delta := r.Version - r.Previous
	if delta != 1 {
		fields++
	}
	if r.Flags != 0 {
		fields++
	}
	if r.Deadline != 0 {
		fields++
	}
	dst = append(dst, majorMap|byte(fields))
	if delta != 1 {
		dst = appendHead(appendField(dst, commitDelta), majorUint, delta)
	}
	dst = appendCBORInt(appendField(dst, commitTime), r.Time)
	dst = appendHead(appendField(dst, commitScopes), majorArray, 2*uint64(len(r.Scopes)))
	for _, s := range r.Scopes {
		dst = appendHead(dst, majorUint, uint64(s.Scope))
		dst = appendHead(dst, majorUint, s.Number)
	}
	if r.Flags != 0 {
		dst = appendHead(appendField(dst, commitFlags), majorUint, uint64(r.Flags))
	}
	if r.Deadline != 0 {
		dst = appendCBORInt(appendField(dst, commitDeadline), r.Deadline)
	}
	return dst
}

// RelinkCommitRecord appends a commit record as it is, unknown fields too, but for the version that
// it names as the one before. Errors: ErrCorrupt. REQUIRES: previous < version, dst is not part of
// the record.
func RelinkCommitRecord(
	dst []byte, version uint64, record []byte, previous uint64,
) ([]byte, error) {
	const most = 22 // one may come, and the head stays one byte
	if len(record) < 2 || record[0] < majorMap || record[0] > majorMap|most {
		return dst, corrupt("commit record", 0, "expected a map of fields")
	}
	fields, rest := record[0]-majorMap, record[1:]
	if rest[0] == commitDelta {
		_, end, ok := readHead(record, 2)
		if !ok || record[2]&majorMask != majorUint {
			return dst, corrupt("commit record", 2, "expected a distance between versions")
		}
		fields, rest = fields-1, record[end:]
	}
	delta := version - previous
	if delta == 1 {
		return append(append(dst, majorMap|fields), rest...), nil
	}
	dst = append(dst, majorMap|(fields+1))
	return append(appendHead(appendField(dst, commitDelta), majorUint, delta), rest...), nil
}

// DecodeCommitRecord decodes the record of the commit with this version. Unknown flags are kept.
// Errors: ErrCorrupt, ErrFormat for a field that must be understood and is not.
func DecodeCommitRecord(version uint64, b []byte) (CommitRecord, error) {
	r := newReader("commit record", b)
	c, err := readCommitRecord(version, &r)
	if err != nil {
		return CommitRecord{}, err
	}
	return c, nil
}

func readCommitRecord(version uint64, r *reader) (CommitRecord, error) {
	c := CommitRecord{Version: version}
	delta := uint64(1)
	var hasTime, hasScopes bool
	for r.next() {
		switch r.key {
		case commitDelta:
			if delta = r.uint(version); delta < 2 {
				r.fail("distance %d to the previous version written out", delta)
			}
		case commitTime:
			c.Time, hasTime = r.int(), true
		case commitScopes:
			c.Scopes, hasScopes = readScopeCommits(r), true
		case commitFlags:
			c.Flags = CommitFlags(r.positive(math.MaxUint32))
		case commitDeadline:
			c.Deadline = r.nonzero()
		default:
			r.unknown()
		}
	}
	r.require(hasTime, "time")
	r.require(hasScopes, "scopes")
	if delta > version {
		r.fail("version %d has no version %d below it", version, delta)
	}
	c.Previous = version - delta
	return c, r.done()
}

func readScopeCommits(r *reader) []ScopeCommit {
	n := r.head(majorArray, 1)
	if n%2 != 0 {
		r.fail("%d numbers, expected pairs of scope and commit number", n)
		return nil
	}
	if n == 0 {
		return nil
	}
	scopes := make([]ScopeCommit, 0, n/2)
	for range n / 2 {
		s := Scope(r.uint(uint64(MaxScope)))
		scopes = append(scopes, ScopeCommit{Scope: s, Number: r.uint(MaxSequence)})
	}
	return scopes
}
