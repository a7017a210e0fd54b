package codec

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// R110, R111, R029: tombstones, deadlines and origins come back as they were.
func TestEnvelope(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Envelope{}
		switch rapid.IntRange(0, 2).Draw(t, "form") {
		case 0:
			e = Envelope{Tombstone: true, Origin: rapid.Uint64().Draw(t, "origin")}
		case 1:
			e = Envelope{Expiry: rapid.Int64().Draw(t, "expiry"),
				Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload")}
		case 2:
			e = Envelope{Payload: rapid.SliceOf(rapid.Byte()).Draw(t, "payload")}
		}
		got, err := DecodeEnvelope(AppendEnvelope([]byte("x"), e)[1:])
		require.NoError(t, err)
		require.True(t, bytes.Equal(e.Payload, got.Payload))
		e.Payload, got.Payload = nil, nil
		require.Equal(t, e, got)
	})
	require.Equal(t, []byte{1},
		AppendEnvelope(nil, Envelope{Tombstone: true, Expiry: 5, Payload: []byte("x")}))
	require.Equal(t, []byte{0, 'x'}, AppendEnvelope(nil, Envelope{Origin: 5, Payload: []byte("x")}))
}

func TestEnvelopeRefuses(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		is   error
		text string
	}{
		{nil, ErrCorrupt, "empty"}, {[]byte{1, 2}, ErrCorrupt, "1 bytes after a tombstone"},
		{[]byte{4, 0, 0, 0, 0, 0, 0, 0, 1}, ErrCorrupt, "contradict"},
		{[]byte{3, 0, 0, 0, 0, 0, 0, 0, 1}, ErrCorrupt, "contradict"},
		{[]byte{7}, ErrCorrupt, "contradict"}, {[]byte{2, 1}, ErrCorrupt, "expected 8"},
		{make([]byte, 9)[:0:0], ErrCorrupt, "empty"},
		{append([]byte{2}, make([]byte, 8)...), ErrCorrupt, "expiry 0"},
		{append([]byte{5}, make([]byte, 8)...), ErrCorrupt, "origin 0"},
		{[]byte{5, 1}, ErrCorrupt, "expected 8"},
		{[]byte{8}, ErrFormat, `"checksum"`}, {[]byte{0x10}, ErrFormat, `"compression"`},
		{[]byte{0x20}, ErrFormat, `"compression"`},
		{[]byte{0x41}, ErrFormat, `"encryption"`}, {[]byte{0x80}, ErrFormat, `"external storage"`},
	} {
		_, err := DecodeEnvelope(c.b)
		require.ErrorIs(t, err, c.is, "%x", c.b)
		require.ErrorContains(t, err, c.text, "%x", c.b)
	}
}

func commitRecords() *rapid.Generator[CommitRecord] {
	return rapid.Custom(func(t *rapid.T) CommitRecord {
		r := CommitRecord{Version: rapid.Uint64Min(1).Draw(t, "version"), Time: ints().Draw(t, "time"),
			Flags: CommitFlags(rapid.Uint32().Draw(t, "flags")), Deadline: ints().Draw(t, "deadline")}
		r.Previous = r.Version - 1
		if rapid.Bool().Draw(t, "gap") {
			r.Previous = rapid.Uint64Max(r.Version-1).Draw(t, "previous")
		}
		for range rapid.IntRange(0, 20).Draw(t, "n") {
			scope := rapid.Uint64Max(uint64(MaxScope)).Draw(t, "scope")
			number := rapid.Uint64Max(MaxSequence).Draw(t, "number")
			r.Scopes = append(r.Scopes, ScopeCommit{Scope(scope), number})
		}
		return r
	})
}

func TestCommitRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := commitRecords().Draw(t, "record")
		got, err := DecodeCommitRecord(r.Version, AppendCommitRecord([]byte("x"), r)[1:])
		require.NoError(t, err)
		require.Equal(t, r, got)
	})
	lean := AppendCommitRecord(nil, CommitRecord{Version: 1000, Previous: 999, Time: 1.7e18,
		Scopes: []ScopeCommit{{42, 900}}})
	require.LessOrEqual(t, len(lean), 20)
}

// Fields from later versions: a negative number may be ignored, any other must be understood.
func TestRecordsOfTheFuture(t *testing.T) {
	r, err := DecodeCommitRecord(7, unhex(t, "a4 02 01 03 80 20 41 ff 21 a1 61 61 00"))
	require.NoError(t, err)
	require.Equal(t, CommitRecord{Version: 7, Previous: 6, Time: 1}, r)
	_, err = DecodeCommitRecord(7, unhex(t, "a3 02 01 03 80 05 01"))
	require.ErrorIs(t, err, ErrFormat)
	require.EqualError(t, err, "unsupported format: commit record has field 5, which this version of "+
		"the library does not know")
	_, err = DecodeJournalRecord(1, unhex(t, "a2 02 80 06 00"))
	require.ErrorIs(t, err, ErrFormat)
	_, err = DecodeScopeRecord(unhex(t, "a1 11 00"))
	require.ErrorIs(t, err, ErrFormat)
	_, err = DecodeJournalRecord(1, unhex(t, "a2 02 80 20 c1"))
	require.ErrorIs(t, err, ErrCorrupt, "what may be ignored must be well-formed nevertheless")
}

func TestCommitRecordRefuses(t *testing.T) {
	for _, c := range []struct{ hex, text string }{
		{"", "ends where an item"}, {"80", "CBOR type 4, expected 5"}, {"a0", "no time"},
		{"a1 02 01", "no scopes"},
		{"a1 03 80", "no time"}, {"a2 03 80 02 01", "not in order"},
		{"a3 02 01 02 01 03 80", "twice"},
		{"a3 01 01 02 01 03 80", "distance 1"}, {"a3 01 00 02 01 03 80", "distance 0"},
		{"a3 01 08 02 01 03 80", "up to 7"},
		{"a2 02 01 03 81 00", "expected pairs"}, {"a2 02 01 03 82 00", "at most 1 can follow"},
		{"a2 02 01 03 82 1b 0000010000000000 00", "up to 1099511627775"},
		{"a3 02 01 03 80 04 00", "0 written out"},
		{"a2 02 01 03 80 00", "1 bytes after"}, {"a2 02 61 61 03 80", "integer of 64 bits"},
		{"a2 02 01 41 00", "field number"},
		{"a2 02 01 1b ffffffffffffffff 00", "field number"}, {"a2 02 01 18 03 80", "shortest"},
		{"a2 02", "length 2"},
		{"ba ffffffff", "at most 0"}, {"a2 02 01 03 9a ffffffff", "at most 0"},
		{"a3 02 01 03 80 20", "length 3"},
	} {
		_, err := DecodeCommitRecord(7, unhex(t, c.hex))
		require.ErrorIs(t, err, ErrCorrupt, c.hex)
		require.ErrorContains(t, err, c.text, c.hex)
	}
	_, err := DecodeCommitRecord(0, unhex(t, "a2 02 01 03 80"))
	require.ErrorIs(t, err, ErrCorrupt, "there is no version 0")
}

func changes() *rapid.Generator[Change] {
	return rapid.Custom(func(t *rapid.T) Change {
		return Change{
			Primitive: rapid.SampledFrom([]Primitive{KV, Cells, Events, 'K'}).Draw(t, "primitive"),
			Op:        ChangeOp(rapid.IntRange(1, 4).Draw(t, "op")),
			Key:       userKeys().Draw(t, "key"),
		}
	})
}

func TestJournalRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(changes(), 1, 30).Draw(t, "changes")
		parts := JournalParts(want, Origin{})
		require.Len(t, parts, 1)
		got, err := DecodeJournalRecord(5, parts[0])
		require.NoError(t, err)
		require.Equal(t, JournalRecord{Number: 5, Parts: 1, Changes: want, Timed: true}, got)
		require.Equal(t, parts[0], AppendJournalRecord(nil, got))
		time := rapid.Int64().Draw(t, "time")
		PatchJournalTime(parts[0], time)
		got, err = DecodeJournalRecord(5, parts[0])
		require.NoError(t, err)
		require.Equal(t, JournalRecord{
			Number: 5, Parts: 1, Changes: want, Time: time, Timed: true,
		}, got)
		got.Time, got.Timed = 0, false // as it was written before there were times
		old, err := DecodeJournalRecord(5, AppendJournalRecord(nil, got))
		require.NoError(t, err)
		require.Equal(t, got, old)
	})
	require.Len(t, JournalParts([]Change{{KV, ChangePut, "k"}}, Origin{})[0], 18,
		"17 bytes beside the key")
	require.Equal(t, "put delete expire append ChangeOp(9)", fmt.Sprint(ChangePut, ChangeDelete,
		ChangeExpire, ChangeAppend, ChangeOp(9)))
}

// 100,000 keys of 1,000 bytes do not fit into one record.
// An imported commit keeps its origin, in the first part of its journal record.
func TestJournalOrigin(t *testing.T) {
	o := Origin{Version: 1 << 40, Time: -7}
	huge := strings.Repeat("k", MaxJournalPart)
	parts := JournalParts([]Change{{KV, ChangePut, huge}, {KV, ChangePut, huge + "l"}}, o)
	require.Len(t, parts, 2)
	PatchJournalTime(parts[0], 9)
	first, err := DecodeJournalRecord(1, parts[0])
	require.NoError(t, err)
	require.Equal(t, o, first.Origin)
	require.Equal(t, int64(9), first.Time)
	more, err := DecodeJournalRecord(1, parts[1])
	require.NoError(t, err)
	require.Zero(t, more.Origin)
	for _, half := range []string{"a2 02 80 04 01", "a2 02 80 05 01", "a3 03 80 04 01 05 01",
		"a3 02 80 04 00 05 01"} {
		_, err := DecodeJournalRecord(1, unhex(t, half))
		require.ErrorIs(t, err, ErrCorrupt, half)
	}
}

func TestJournalParts(t *testing.T) {
	var want []Change
	for i := range 20_000 {
		key := fmt.Sprintf("%06d%s", i, strings.Repeat("x", 994))
		want = append(want, Change{KV, ChangeOp(1 + i%3), key})
	}
	parts := JournalParts(want, Origin{})
	require.Greater(t, len(parts), 19)
	var got []Change
	for i, p := range parts {
		require.LessOrEqual(t, len(p), MaxJournalPart)
		require.Greater(t, len(p), MaxJournalPart*9/10*min(1, len(parts)-1-i), "parts are filled")
		r, err := DecodeJournalRecord(3, p)
		require.NoError(t, err)
		if i == 0 {
			require.Equal(t, len(parts), r.Parts)
		} else {
			require.Zero(t, r.Parts)
		}
		require.Equal(t, p, AppendJournalRecord(nil, r))
		got = append(got, r.Changes...)
	}
	require.Equal(t, want, got)
	require.Len(t, JournalParts(nil, Origin{}), 1)
	r, err := DecodeJournalRecord(1, JournalParts(nil, Origin{})[0])
	require.NoError(t, err)
	require.Empty(t, r.Changes)
	huge := strings.Repeat("k", MaxJournalPart)
	require.Len(t, JournalParts([]Change{{KV, ChangePut, huge}, {KV, ChangePut, huge}}, Origin{}), 2)
}

func TestJournalRecordRefuses(t *testing.T) {
	for _, c := range []struct{ hex, text string }{
		{"a0", "no changes"}, {"a1 02 81 41 6b", "a key without an operation"},
		{"a1 02 81 19 016b", "an operation without a key"},
		{"a1 02 83 19 016b 40 19 026b", "an operation without a key"},
		{"a1 02 84 19 016b 40 19 016b 40", "written out twice"},
		{"a1 02 82 19 056b 40", "0x056b unknown"}, {"a1 02 82 18 6b 40", "0x006b unknown"},
		{"a1 02 82 19 0100 40", "0x0100 unknown"},
		{"a1 02 83 19 016b 19 026b 40", "CBOR type 0, expected 2"},
		{"a1 02 82 19 016b 61 61", "expected 2"},
		{"a2 01 01 02 80", "1 parts"}, {"a2 01 02 03 80", "together"},
		{"a2 02 80 03 80", "together"}, {"a1 01 02", "no changes"},
		{"a1 02 9a 00ffffff 19 016b", "at most"}, {"a1 02 82 1a 0001016b 40", "up to 65535"},
		{"a1 02 82 19 016b 42 00", "length 2"}, {"a2 02 80 20 41 00", "time of 1 bytes"},
	} {
		_, err := DecodeJournalRecord(1, unhex(t, c.hex))
		require.ErrorIs(t, err, ErrCorrupt, c.hex)
		require.ErrorContains(t, err, c.text, c.hex)
	}
}

func scopeRecords() *rapid.Generator[ScopeRecord] {
	return rapid.Custom(func(t *rapid.T) ScopeRecord {
		id := rapid.SliceOfN(rapid.Byte(), 16, 16)
		r := ScopeRecord{
			ID:     [16]byte(id.Draw(t, "id")),
			Number: Scope(rapid.Uint64Max(uint64(MaxScope)).Draw(t, "number")),
			Status: Status(rapid.IntRange(1, 6).Draw(t, "status")),
		}
		if rapid.Bool().Draw(t, "more") {
			r.Tenant, r.App, r.Agent = texts().Draw(t, "t"), texts().Draw(t, "a"), texts().Draw(t, "g")
			r.Parent, r.ForkVersion = [16]byte(id.Draw(t, "parent")), rapid.Uint64().Draw(t, "fork")
			r.ParentNumber = Scope(rapid.Uint64Max(uint64(MaxScope)).Draw(t, "parent number"))
			r.Flattened = rapid.Bool().Draw(t, "flattened")
			r.Created, r.Updated, r.Ended = ints().Draw(t, "c"), ints().Draw(t, "u"), ints().Draw(t, "e")
			r.Metadata = values(2).Draw(t, "metadata")
			r.Error, r.BootEpoch = texts().Draw(t, "error"), rapid.Uint64().Draw(t, "epoch")
			r.WrappedKey = rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "key")
			r.Kind = ScopeKind(rapid.IntRange(0, 2).Draw(t, "kind"))
			r.Imported = rapid.Uint64().Draw(t, "imported")
			r.Oldest = Scope(rapid.Uint64Max(uint64(MaxScope)).Draw(t, "oldest"))
			last := ""
			for range rapid.IntRange(0, 4).Draw(t, "tags") {
				last += rapid.StringN(1, 3, -1).Draw(t, "tag")
				r.Tags = append(r.Tags, last)
			}
		}
		return r
	})
}

func TestScopeRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := scopeRecords().Draw(t, "record")
		b, err := AppendScopeRecord([]byte("x"), r)
		require.NoError(t, err)
		got, err := DecodeScopeRecord(b[1:])
		require.NoError(t, err)
		require.Equal(t, r, got)
	})
}

func TestScopeRecordRefuses(t *testing.T) {
	good := ScopeRecord{Status: Active}
	for text, spoil := range map[string]func(r *ScopeRecord){
		"0 is not a status":             func(r *ScopeRecord) { r.Status = 0 },
		"7 is not a status":             func(r *ScopeRecord) { r.Status = 7 },
		"3 is not a kind":               func(r *ScopeRecord) { r.Kind = 3 },
		"is over":                       func(r *ScopeRecord) { r.Number = MaxScope + 1 },
		"1099511627777 is over":         func(r *ScopeRecord) { r.ParentNumber = MaxScope + 2 },
		`"\xff" in a scope record`:      func(r *ScopeRecord) { r.Agent = "\xff" },
		`tag ""`:                        func(r *ScopeRecord) { r.Tags = []string{""} },
		`tag "a"`:                       func(r *ScopeRecord) { r.Tags = []string{"b", "a"} },
		`tag "b"`:                       func(r *ScopeRecord) { r.Tags = []string{"b", "b"} },
		"a String must be valid UTF-8;": func(r *ScopeRecord) { r.Metadata = String("\xff") },
	} {
		r := good
		spoil(&r)
		b, err := AppendScopeRecord([]byte("x"), r)
		require.ErrorIs(t, err, ErrInvalidArgument)
		require.ErrorContains(t, err, text)
		require.Equal(t, []byte("x"), b)
	}
	r := good
	r.WrappedKey = make([]byte, MaxValueSize)
	_, err := AppendScopeRecord(nil, r)
	require.ErrorIs(t, err, ErrTooLarge)
	head := "01 50 00000000000000000000000000000000 02 01 03 01"
	for _, c := range []struct{ hex, text string }{
		{"a0", "no id"}, {"a1 01 41 00", "an id of 1 bytes"}, {"a1 03 07", "7 is not a status"},
		{"a1 03 00", "0 is not a status"},
		{"a4" + head + "04 60", "empty text"}, {"a4" + head + "04 61 ff", "not UTF-8"},
		{"a4" + head + "08 00", "0 written out"},
		{"a4" + head + "07 50 00000000000000000000000000000000", "zeros"},
		{"a4" + head + "09 00", "0 written out"},
		{"a4" + head + "0c 80", "no tags"}, {"a4" + head + "0c 82 6161 6161", "tag twice"},
		{"a4" + head + "0d f6", "Null written out"},
		{"a4" + head + "13 00", "0 written out"}, {"a4" + head + "13 1b 0000010000000000", "up to"},
		{"a4" + head + "14 00", "0 written out"}, {"a4" + head + "14 02", "up to 1"},
		{"a4" + head + "12 00", "0 written out"}, {"a4" + head + "12 60", "expected an unsigned integer"},
		{"a4" + head + "10 40", "empty field"}, {"a4" + head + "0d f7", "simple value"},
		{"a3" + head + "00", "after its end"},
		{"a2 01 50 00000000000000000000000000000000 03 01", "no number"},
		{"a2 01 50 00000000000000000000000000000000 02 01", "no status"},
	} {
		_, err := DecodeScopeRecord(unhex(t, c.hex))
		require.ErrorIs(t, err, ErrCorrupt, c.hex)
		require.ErrorContains(t, err, c.text, c.hex)
	}
}

func TestScopeRecordOfAFork(t *testing.T) {
	r := ScopeRecord{Parent: [16]byte(unhex(t, "0190163d8694739baea5966c26f8ad90"))}
	require.Equal(t, "0190163d-8694-739b-aea5-966c26f8ad90", r.ParentKey())
	require.Empty(t, ScopeRecord{}.ParentKey())
	require.False(t, r.ReadsThrough(), "begun under a parent, not forked")
	r.ForkVersion = 17
	require.True(t, r.ReadsThrough())
	r.Flattened = true
	require.False(t, r.ReadsThrough())
}

// A kind that a later version may add is refused by name, not taken for a run.
func TestScopeKind(t *testing.T) {
	require.Equal(t, "run shared import ScopeKind(3)",
		fmt.Sprint(KindRun, KindShared, KindImport, ScopeKind(3)))
	head := "a4 01 50 00000000000000000000000000000000 02 01 03 01"
	r, err := DecodeScopeRecord(unhex(t, head+"12 01"))
	require.NoError(t, err)
	require.Equal(t, KindShared, r.Kind)
	_, err = DecodeScopeRecord(unhex(t, head+"12 03"))
	require.ErrorIs(t, err, ErrFormat)
	require.ErrorContains(t, err, "scope record of kind 3")
}

func TestStatus(t *testing.T) {
	for s := Active; s <= Archived; s++ {
		require.True(t, s.Valid())
		back, err := ParseStatus(s.String())
		require.NoError(t, err)
		require.Equal(t, s, back)
	}
	require.Equal(t, "active Status(0) Status(7)", fmt.Sprint(Active, Status(0), Status(7)))
	for _, bad := range []string{"", "Active", "Status(0)"} {
		_, err := ParseStatus(bad)
		require.ErrorIs(t, err, ErrInvalidArgument)
	}
}

func eventRecords() *rapid.Generator[EventRecord] {
	return rapid.Custom(func(t *rapid.T) EventRecord {
		digest := rapid.SliceOfN(rapid.Byte(), 32, 32)
		return EventRecord{
			Time: rapid.Int64().Draw(t, "time"), Previous: EventDigest(digest.Draw(t, "previous")),
			Hash: EventDigest(digest.Draw(t, "hash")), Type: rapid.StringN(1, -1, -1).Draw(t, "type"),
			Payload: rapid.SliceOfN(rapid.Byte(), 1, -1).Draw(t, "payload"),
		}
	})
}

func TestEventRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r, o := eventRecords().Draw(t, "record"), eventRecords().Draw(t, "other")
		b, err := AppendEventRecord([]byte("x"), r)
		require.NoError(t, err)
		b = b[1:]
		got, err := DecodeEventRecord(b)
		require.NoError(t, err)
		require.Equal(t, r, got)
		PatchEvent(b, o.Time, o.Previous, o.Hash)
		got, err = DecodeEventRecord(b)
		require.NoError(t, err)
		o.Type, o.Payload = r.Type, r.Payload
		require.Equal(t, o, got)
	})
	for _, bad := range []EventRecord{{}, {Type: "\xff"}} {
		_, err := AppendEventRecord(nil, bad)
		require.ErrorIs(t, err, ErrInvalidArgument)
	}
	for _, bad := range []EventRecord{{Type: strings.Repeat("x", MaxEventType+1)},
		{Type: "x", Payload: make([]byte, MaxValueSize+maxHead+1)}} {
		_, err := AppendEventRecord(nil, bad)
		require.ErrorIs(t, err, ErrTooLarge)
	}
	fixed := make([]byte, eventTypeAt)
	for _, tail := range []string{"", "60", "6261", "61ff", "4161", "7861", "1801",
		"7a 00002001", "81 00"} {
		_, err := DecodeEventRecord(append(fixed[:eventTypeAt:eventTypeAt], unhex(t, tail)...))
		require.ErrorIs(t, err, ErrCorrupt, tail)
	}
}

// The hash as the specification has it, written once more from scratch.
func TestEventHash(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := eventRecords().Draw(t, "record")
		r.Type = strings.Repeat(r.Type, rapid.IntRange(1, 100).Draw(t, "repeat"))
		seq := rapid.Uint64().Draw(t, "seq")
		h := sha256.New()
		number := make([]byte, 8)
		put := func(b []byte) {
			require.NoError(t, binary.Write(h, binary.BigEndian, uint32(len(b))))
			h.Write(b)
		}
		put(r.Previous[:])
		binary.BigEndian.PutUint64(number, seq)
		put(number)
		binary.BigEndian.PutUint64(number, uint64(r.Time))
		put(number)
		put([]byte(r.Type))
		payload := sha256.Sum256(r.Payload)
		put(payload[:])
		require.Equal(t, EventDigest(h.Sum(nil)),
			EventHash(r.Previous, seq, r.Time, r.Type, PayloadDigest(r.Payload)))
	})
}

func TestCheckFormat(t *testing.T) {
	require.NoError(t, CheckFormat(FormatVersion, 0, 0))
	require.NoError(t, CheckFormat(FormatVersion, RequiredFeatures, math.MaxUint64))
	for _, c := range []struct {
		version  uint32
		required Features
		text     string
	}{
		{0, 0, "format 0"}, {2, 0, "format 2, this version of the library reads format 1 to 1"},
		{1, 2, `feature "compression" (bit 1)`}, {1, 1 << 40, "feature bit 40"},
	} {
		err := CheckFormat(c.version, c.required, 0)
		require.ErrorIs(t, err, ErrFormat)
		require.ErrorContains(t, err, c.text)
	}
}

// A commit record that names another one before it is the same in all else, fields of later
// versions included.
func TestRelinkCommitRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := commitRecords().Draw(t, "record")
		b := AppendCommitRecord(nil, c)
		c.Previous = rapid.Uint64Range(0, c.Version-1).Draw(t, "previous")
		got, err := RelinkCommitRecord([]byte("before"), c.Version, b, c.Previous)
		require.NoError(t, err)
		require.Equal(t, append([]byte("before"), AppendCommitRecord(nil, c)...), got)
	})
	later := unhex(t, "a3 02 00 03 80 20 01") // field -1
	got, err := RelinkCommitRecord(nil, 258, later, 250)
	require.NoError(t, err)
	require.Equal(t, unhex(t, "a4 01 08 02 00 03 80 20 01"), got)
	for _, bad := range []string{"", "a2", "80 01", "a2 01", "a2 01 40", "a2 01 18", "b7 02 00"} {
		_, err := RelinkCommitRecord(nil, 258, unhex(t, bad), 1)
		require.ErrorIs(t, err, ErrCorrupt, bad)
	}
}
