package codec

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

const goldenTime = 1_767_225_600_000_000_000 // 2026-01-01T00:00:00Z

func TestGoldenKeys(t *testing.T) {
	var lines []string
	add := func(s Scope, p Primitive, user string, version uint64) {
		label := fmt.Sprintf("%s@%d", FormatKey(s, p, user), version)
		lines = append(lines, line(label, keyParts{s, p, user, version}.encode(t)))
	}
	add(42, KV, "goal", 7)
	add(42, KV, "goal", 0)
	add(42, KV, "", 1<<64-1)
	add(42, KV, "a\x00b/\xff", 256)
	add(MaxScope, Cells, "status", 9)
	add(1, Traces.Index(), string(Tuple(nil).AppendString("query").AppendTime(goldenTime)), 9)
	add(SystemScope, ScopeRecords, "0190163d-8694-739b-aea5-966c26f8ad91", 3)
	add(SystemScope, ScopeRecords, SharedKey("acme", "", "a\x00b"), 3)
	add(SystemScope, Graveyard, GraveUserKey(42), 3)
	add(42, Events.Index(), EventTypeKey("tool_call", 256), 258)
	add(SystemScope, Meta, "boot", 3)
	add(SystemScope, Expiries, ExpiryUserKey(goldenTime, 42, KV, "goal"), 7)
	lines = append(lines, line("commit 258", AppendCommitKey(nil, 258)))
	for part := range 2 {
		for _, s := range []Scope{0, 42} {
			k := AppendJournalKey(nil, s, 300, part)
			PatchVersion(k, 258)
			lines = append(lines, line(fmt.Sprintf("journal %d, part %d of scope %d", 300, part, s), k))
		}
	}
	e := AppendEventKey(nil, 42, 256)
	PatchVersion(e, 258)
	lines = append(lines, line("event 256 of scope 42", e),
		line("horizons of scope 42", HorizonKey(42)))
	lower, upper := ScopeBounds(42)
	lines = append(lines, line("lower bound of scope 42", lower),
		line("upper bound of scope 42", upper))
	lower, upper = ScopeBounds(SystemScope)
	lines = append(lines, line("lower bound of the system scope", lower),
		line("upper bound of the system scope", upper),
		line("end of r/000000002a/k", AppendRangeEnd(nil, 42, KV, "")),
		line("end of r/000000002a/k at m", AppendRangeEnd(nil, 42, KV, "m")))
	golden(t, "keys", lines)
}

func TestGoldenTuples(t *testing.T) {
	var lines []string
	add := func(label string, tuple Tuple) { lines = append(lines, line(label, tuple)) }
	add("empty", nil)
	add("nil", Tuple(nil).AppendNil())
	add("false, true", Tuple(nil).AppendBool(false).AppendBool(true))
	for _, i := range []int64{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		add(fmt.Sprint("int ", i), Tuple(nil).AppendInt(i))
	}
	negativeZero := math.Copysign(0, -1)
	for _, f := range []float64{math.Inf(-1), -1, negativeZero, 0, 1.5, math.Inf(1), math.NaN()} {
		add(fmt.Sprint("float ", f), Tuple(nil).AppendFloat(f))
	}
	add("time 2026-01-01", Tuple(nil).AppendTime(goldenTime))
	add(`"" , "a", "a\0b"`, Tuple(nil).AppendString("").AppendString("a").AppendString("a\x00b"))
	add("bytes 00 ff", Tuple(nil).AppendBytes([]byte{0, 255}))
	golden(t, "tuples", lines)
}

func TestGoldenValues(t *testing.T) {
	var lines []string
	add := func(v Value) {
		lines = append(lines, line(v.Kind().String()+" "+v.String(), encode(t, v)))
	}
	add(Null())
	add(Bool(false))
	add(Bool(true))
	for _, i := range oddInts() {
		add(Int(i))
	}
	for _, f := range oddFloats() {
		add(Float(f))
	}
	for _, s := range []string{"", "a", "book a flight", "ü水🙂", "\x00", "twenty-four bytes of text"} {
		add(String(s))
	}
	add(Bytes(nil))
	add(Bytes([]byte{0, 255}))
	add(mustArray(t))
	add(mustMap(t, nil))
	add(mustMap(t, map[string]Value{"b": Int(1), "aa": Null(), "": Float(0.5),
		"list": mustArray(t, Int(1), String("x"), mustArray(t, Bytes([]byte("y"))))}))
	golden(t, "values", lines)
}

func goldenScopeRecords(t testing.TB) []ScopeRecord {
	id := [16]byte(unhex(t, "0190163d8694739baea5966c26f8ad91"))
	parent := [16]byte(unhex(t, "0190163d8694739baea5966c26f8ad90"))
	return []ScopeRecord{
		{ID: id, Number: 42, Status: Active, Created: goldenTime, Updated: goldenTime, BootEpoch: 3},
		{ID: id, Number: 42, Tenant: "acme", App: "travel", Agent: "planner",
			Parent: parent, ForkVersion: 17, Status: Failed, Created: goldenTime,
			Updated: goldenTime + 1, Ended: goldenTime + 2,
			Tags:     []string{"exp-7", "nightly"},
			Metadata: mustMap(t, map[string]Value{"model": String("m")}),
			Error:    "no seats", BootEpoch: 3, WrappedKey: []byte{1, 2, 3}},
		{Number: 43, Tenant: "acme", Agent: "planner", Status: Active, Kind: KindShared},
		{ID: id, Number: 44, Status: Active, Parent: parent, ParentNumber: 41},
		{ID: id, Number: 45, Status: Active, Parent: parent, ParentNumber: 41, ForkVersion: 17,
			Flattened: true},
		{ID: id, Number: 46, Status: Paused, Kind: KindImport, BootEpoch: 3},
		{ID: id, Number: 46, Status: Completed, Parent: parent, Imported: 300},
		{ID: id, Number: 47, Status: Active, Parent: parent, ParentNumber: 45, ForkVersion: 18,
			Oldest: 41},
	}
}

func goldenHorizonRecords() []HorizonRecord {
	return []HorizonRecord{
		{},
		{Horizons: []Horizon{{KV, 7}}},
		{Horizons: []Horizon{{Cells, 258}, {KV, 300}}, First: 2, Pending: true},
		{Horizons: []Horizon{{Cells, 1}, {KV, 1}, {Machines, 1}, {Traces, 1}, {Extensions, 1},
			{Vectors, math.MaxUint64}}, First: math.MaxUint64},
	}
}

func TestGoldenRecords(t *testing.T) {
	var lines []string
	for _, e := range []Envelope{{Payload: []byte{0x01}},
		{Expiry: goldenTime, Payload: []byte{0x01}},
		{Tombstone: true}, {Tombstone: true, Origin: 258}} {
		lines = append(lines, line("envelope", AppendEnvelope(nil, e)))
	}
	for _, c := range []CommitRecord{
		{Version: 258, Previous: 257, Time: goldenTime, Scopes: []ScopeCommit{{42, 300}}},
		{Version: 258, Previous: 0, Time: -1, Scopes: []ScopeCommit{{0, 7},
			{42, 300}}, Flags: FlagExpiry},
		{Version: 258, Previous: 257, Time: goldenTime, Scopes: []ScopeCommit{{42, 300}},
			Deadline: goldenTime + 1},
	} {
		lines = append(lines, line("commit record", AppendCommitRecord(nil, c)))
	}
	changes := []Change{{Cells, ChangePut, "status"}, {Events, ChangeAppend, EventUserKey(256)},
		{KV, ChangePut, "goal"}, {KV, ChangePut, "plan"}, {KV, ChangeDelete, "tmp"},
		{KV, ChangeExpire, "\x00"}}
	for _, parts := range []int{1, 2, 0} {
		lines = append(lines, line(fmt.Sprintf("journal record, parts %d", parts),
			AppendJournalRecord(nil, JournalRecord{Parts: parts, Changes: changes})))
	}
	for _, parts := range []int{1, 2} {
		lines = append(lines, line(fmt.Sprintf("journal record, parts %d", parts),
			AppendJournalRecord(nil, JournalRecord{Parts: parts, Changes: changes, Time: goldenTime,
				Timed: true})))
	}
	lines = append(lines, line("journal record, imported",
		AppendJournalRecord(nil, JournalRecord{Parts: 1, Changes: changes, Time: goldenTime,
			Timed: true, Origin: Origin{Version: 258, Time: goldenTime - 1}})))
	for _, r := range goldenScopeRecords(t) {
		b, err := AppendScopeRecord(nil, r)
		require.NoError(t, err)
		lines = append(lines, line("scope record", b))
	}
	for _, r := range goldenHorizonRecords() {
		lines = append(lines, line("horizon record", AppendHorizonRecord(nil, r)))
	}
	payload := encode(t, String("book a flight"))
	digest := PayloadDigest(payload)
	first := EventHash(EventDigest{}, 0, goldenTime, "tool_call", digest)
	b, err := AppendEventRecord(nil, EventRecord{Time: goldenTime, Hash: first,
		Type: "tool_call", Payload: payload})
	require.NoError(t, err)
	lines = append(lines, line("payload digest", digest[:]), line("event record 0", b))
	second := EventHash(first, 1, goldenTime+1, "ü", digest)
	lines = append(lines, line("event hash 1", second[:]))
	golden(t, "records", lines)
}
