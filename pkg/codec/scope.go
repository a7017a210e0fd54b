package codec

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Status is where a run is in its life. On-disk: never renumber, never reuse. The zero Status is
// none.
type Status uint8

// The statuses.
const (
	Active    Status = 1 // takes writes
	Paused    Status = 2
	Completed Status = 3
	Failed    Status = 4
	Cancelled Status = 5
	Archived  Status = 6
)

var statusNames = [...]string{
	Active: "active", Paused: "paused", Completed: "completed",
	Failed: "failed", Cancelled: "cancelled", Archived: "archived",
}

// String is the status in lower case.
func (s Status) String() string {
	if s.Valid() {
		return statusNames[s]
	}
	return fmt.Sprintf("Status(%d)", uint8(s))
}

// Valid reports whether s is one of the statuses.
func (s Status) Valid() bool { return s >= Active && s <= Archived }

// ParseStatus is the inverse of String. Errors: ErrInvalidArgument.
func ParseStatus(name string) (Status, error) {
	for s := Active; s <= Archived; s++ {
		if statusNames[s] == name {
			return s, nil
		}
	}
	return 0, invalid("%q is not a status", name)
}

// ScopeKind says what a scope is. On-disk: never renumber, never reuse.
type ScopeKind uint8

// The kinds of scopes.
const (
	KindRun    ScopeKind = 0
	KindShared ScopeKind = 1 // a shared namespace: what agents, apps or tenants have in common
	KindImport ScopeKind = 2 // a run that is being imported: nobody sees it, its id is taken
)

// String is the kind in lower case.
func (k ScopeKind) String() string {
	switch k {
	case KindRun:
		return "run"
	case KindShared:
		return "shared"
	case KindImport:
		return "import"
	}
	return fmt.Sprintf("ScopeKind(%d)", uint8(k))
}

// ScopeRecord is the record of a run or shared namespace. It is a value of the system scope, under
// ScopeRecords, with the run's id as text or SharedKey as its user key.
type ScopeRecord struct {
	// ID is the UUID; Number the scope that its keys are under.
	ID     [16]byte
	Number Scope
	// Tenant, App and Agent are the namespace. UTF-8.
	Tenant, App, Agent string
	// Parent is the id of the run that this one was begun under, or forked from, ParentNumber the
	// scope of that run: a later run with the same id is not the parent. ForkVersion is the version
	// of the parent at which a fork was made. Zero for a run that has none, or is none. A fork reads
	// through its parent until it is Flattened: then it holds all that it showed of it.
	Parent       [16]byte
	ParentNumber Scope
	ForkVersion  uint64
	Flattened    bool
	// Oldest is, of a fork, the least number of all scopes that it may have records of: that of its
	// parent, or if the parent is a fork the Oldest of that. 0 if it is not known.
	Oldest Scope
	// Status is where the run is in its life.
	Status Status
	// Created, Updated and Ended are in Unix nanoseconds; Ended is 0 until the run ends.
	Created, Updated, Ended int64
	// Tags are sorted and unique, and not empty. UTF-8.
	Tags []string
	// Metadata is any value; Null for none.
	Metadata Value
	// Error is why the run failed. UTF-8.
	Error string
	// BootEpoch is the open of the database in which the run was last made active: an Active run of
	// an earlier epoch was interrupted.
	BootEpoch uint64
	// WrappedKey is the run's data key, wrapped; empty as long as nothing is encrypted.
	WrappedKey []byte
	// Kind says what the scope is.
	Kind ScopeKind
	// Imported is how many commits of the run, or of the one that it was forked from, were imported:
	// the journal tells where they come from.
	Imported uint64
}

// Fields of a scope record. On-disk: never renumber, never reuse. Those from 1 to 3 are always
// there, the others only if they are not zero.
const (
	scopeID         = 1
	scopeNumber     = 2
	scopeStatus     = 3
	scopeTenant     = 4
	scopeApp        = 5
	scopeAgent      = 6
	scopeParent     = 7
	scopeFork       = 8
	scopeCreated    = 9
	scopeUpdated    = 10
	scopeEnded      = 11
	scopeTags       = 12
	scopeMetadata   = 13
	scopeError      = 14
	scopeBootEpoch  = 15
	scopeWrappedKey = 16
	scopeKind       = 18
	scopeParentNum  = 19
	scopeFlattened  = 20 // 1, or left out
	scopeImported   = 21
	scopeOldest     = 22
	// Reserved, must be understood: 17 retention policy.
)

// AppendScopeRecord appends a scope record. Errors: ErrInvalidArgument for text that is not UTF-8,
// a status or kind that is none, tags that are not sorted and unique; ErrTooLarge for a record over
// MaxValueSize. dst comes back unchanged then.
func AppendScopeRecord(dst []byte, r ScopeRecord) ([]byte, error) {
	if err := r.check(); err != nil {
		return dst, err
	}
	n, start := 3, len(dst)
	b := append(dst, majorMap) // at most 21 fields, so the head stays one byte
	b = append(appendHead(appendField(b, scopeID), majorBytes, 16), r.ID[:]...)
	b = appendHead(appendField(b, scopeNumber), majorUint, uint64(r.Number))
	b = appendHead(appendField(b, scopeStatus), majorUint, uint64(r.Status))
	b = appendTextField(b, &n, scopeTenant, r.Tenant)
	b = appendTextField(b, &n, scopeApp, r.App)
	b = appendTextField(b, &n, scopeAgent, r.Agent)
	if r.Parent != [16]byte{} {
		b = appendBytesField(b, &n, scopeParent, r.Parent[:])
	}
	b = appendUintField(b, &n, scopeFork, r.ForkVersion)
	b = appendIntField(b, &n, scopeCreated, r.Created)
	b = appendIntField(b, &n, scopeUpdated, r.Updated)
	b = appendIntField(b, &n, scopeEnded, r.Ended)
	if len(r.Tags) > 0 {
		n++
		b = appendHead(appendField(b, scopeTags), majorArray, uint64(len(r.Tags)))
		for _, tag := range r.Tags {
			b = append(appendHead(b, majorText, uint64(len(tag))), tag...)
		}
	}
	if !r.Metadata.IsNull() {
		n++
		b = appendValue(appendField(b, scopeMetadata), r.Metadata)
	}
	b = appendTextField(b, &n, scopeError, r.Error)
	b = appendUintField(b, &n, scopeBootEpoch, r.BootEpoch)
	b = appendBytesField(b, &n, scopeWrappedKey, r.WrappedKey)
	b = appendUintField(b, &n, scopeKind, uint64(r.Kind))
	b = appendUintField(b, &n, scopeParentNum, uint64(r.ParentNumber))
	if r.Flattened {
		b = appendUintField(b, &n, scopeFlattened, 1)
	}
	b = appendUintField(b, &n, scopeImported, r.Imported)
	b = appendUintField(b, &n, scopeOldest, uint64(r.Oldest))
	if size := len(b) - start; size > MaxValueSize {
		return dst, tooLarge("scope record", size, MaxValueSize)
	}
	b[start] |= byte(n)
	return b, nil
}

func (s ScopeRecord) check() error {
	if !s.Status.Valid() {
		return invalid("%d is not a status", uint8(s.Status))
	}
	if s.Kind > KindImport {
		return invalid("%d is not a kind of scope", uint8(s.Kind))
	}
	if n := max(s.Number, s.ParentNumber, s.Oldest); n > MaxScope {
		return invalid("scope number %d is over %d", uint64(n), uint64(MaxScope))
	}
	for _, text := range [...]string{s.Tenant, s.App, s.Agent, s.Error} {
		if !utf8.ValidString(text) {
			return invalid("%q in a scope record is not UTF-8", clip([]byte(text)))
		}
	}
	for i, tag := range s.Tags {
		if tag == "" || !utf8.ValidString(tag) || i > 0 && s.Tags[i-1] >= tag {
			return invalid("tag %q is empty, not UTF-8, or not after the tag before it",
				clip([]byte(tag)))
		}
	}
	return s.Metadata.check()
}

// ReadsThrough reports whether the scope is a fork that reads through its parent.
func (s ScopeRecord) ReadsThrough() bool { return s.ForkVersion != 0 && !s.Flattened }

// ParentKey is the user key of the parent's record: its id as text. Empty if there is no parent.
func (s ScopeRecord) ParentKey() string {
	if s.Parent == [16]byte{} {
		return ""
	}
	var text [36]byte
	dst := text[:0]
	for i, b := range s.Parent {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			dst = append(dst, '-')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return string(dst)
}

// DecodeScopeRecord decodes a scope record. It aliases b. Errors: ErrCorrupt, ErrFormat for a field
// or kind of scope that must be understood and is not.
func DecodeScopeRecord(b []byte) (ScopeRecord, error) {
	r := newReader("scope record", b)
	s, err := readScopeRecord(&r)
	if err != nil {
		return ScopeRecord{}, err
	}
	return s, nil
}

func readScopeRecord(r *reader) (s ScopeRecord, err error) {
	var hasID, hasNumber bool
	for r.next() {
		switch r.key {
		case scopeID:
			s.ID, hasID = r.uuid(), true
		case scopeNumber:
			s.Number, hasNumber = Scope(r.uint(uint64(MaxScope))), true
		case scopeStatus:
			if s.Status = Status(r.uint(math.MaxUint8)); !s.Status.Valid() {
				r.fail("%d is not a status", uint8(s.Status))
			}
		case scopeTenant:
			s.Tenant = r.text()
		case scopeApp:
			s.App = r.text()
		case scopeAgent:
			s.Agent = r.text()
		case scopeParent:
			if s.Parent = r.uuid(); s.Parent == [16]byte{} {
				r.fail("a parent of zeros written out")
			}
		case scopeFork:
			s.ForkVersion = r.positive(math.MaxUint64)
		default:
			s.readMore(r)
		}
	}
	r.require(hasID, "id")
	r.require(hasNumber, "number")
	r.require(s.Status != 0, "status")
	return s, r.done()
}

func (s *ScopeRecord) readMore(r *reader) {
	switch r.key {
	case scopeCreated:
		s.Created = r.nonzero()
	case scopeUpdated:
		s.Updated = r.nonzero()
	case scopeEnded:
		s.Ended = r.nonzero()
	case scopeTags:
		s.Tags = readTags(r)
	case scopeMetadata:
		if s.Metadata = r.value(); s.Metadata.IsNull() {
			r.fail("metadata of Null written out")
		}
	case scopeError:
		s.Error = r.text()
	case scopeBootEpoch:
		s.BootEpoch = r.positive(math.MaxUint64)
	case scopeWrappedKey:
		s.WrappedKey = r.filled()
	case scopeKind:
		s.Kind = readKind(r)
	case scopeParentNum:
		s.ParentNumber = Scope(r.positive(uint64(MaxScope)))
	case scopeFlattened:
		s.Flattened = r.positive(1) == 1
	case scopeImported:
		s.Imported = r.positive(math.MaxUint64)
	case scopeOldest:
		s.Oldest = Scope(r.positive(uint64(MaxScope)))
	default:
		r.unknown()
	}
}

// readKind refuses kinds of later versions as it would a field of theirs.
func readKind(r *reader) ScopeKind {
	kind := r.positive(math.MaxUint8)
	if r.err == nil && kind > uint64(KindImport) {
		r.err = fmt.Errorf("%w: %s of kind %d, which this version of the library does not know",
			ErrFormat, r.what, kind)
	}
	return ScopeKind(kind)
}

func readTags(r *reader) []string {
	n := r.head(majorArray, 1)
	if n == 0 {
		r.fail("no tags written out")
	}
	var tags []string
	for i := 0; i < n && r.err == nil; i++ {
		tag := r.text()
		if i > 0 && tags[i-1] >= tag {
			r.fail("tag twice or not in order")
		}
		tags = append(tags, tag)
	}
	return tags
}

// uuid reads a byte string of 16 bytes.
func (r *reader) uuid() (id [16]byte) {
	if b := r.bytes(); len(b) == len(id) {
		copy(id[:], b)
	} else {
		r.fail("an id of %d bytes, expected 16", len(b))
	}
	return id
}
