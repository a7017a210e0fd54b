package codec

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	sinkBytes  []byte
	sinkValue  Value
	sinkString string
	sinkErr    error
	sinkHash   EventDigest
)

// hot are the functions on the paths of Get and Commit, each with the work it does there.
func hot(t testing.TB) map[string]func() {
	dst := make([]byte, 0, 1<<12)
	text := encode(t, String(strings.Repeat("x", 100)))
	raw := encode(t, Bytes(make([]byte, 100)))
	number, float := encode(t, Int(1<<40)), encode(t, Float(0.1))
	str, flt := String(strings.Repeat("x", 100)), Float(0.1)
	user := "user:000000000000000001"
	key := keyParts{42, KV, user, 7}.encode(t)
	envelope := AppendEnvelope(nil, Envelope{Payload: text})
	expiring := AppendEnvelope(nil, Envelope{Expiry: 1e18, Payload: text})
	commit := CommitRecord{Version: 1000, Previous: 999, Time: 1e18, Scopes: []ScopeCommit{{42, 300}}}
	var changes []Change
	for i := range 10 {
		changes = append(changes, Change{KV, ChangePut, fmt.Sprintf("user:%018d", i)})
	}
	journal := JournalRecord{Parts: 1, Changes: changes}
	event := EventRecord{Type: "tool_call", Payload: text}
	patched := append([]byte(nil), key...)
	hex := make([]byte, 16)
	return map[string]func(){
		"AppendKey":           func() { sinkBytes, sinkErr = AppendKey(dst, 42, KV, user) },
		"AppendVersion":       func() { sinkBytes = AppendVersion(dst, 7) },
		"DecodeKey":           func() { _, _, sinkBytes, _, sinkErr = DecodeKey(key) },
		"CheckKey":            func() { sinkErr = CheckKey(key) },
		"PatchVersion":        func() { PatchVersion(patched, 7) },
		"PatchHex16":          func() { PatchHex16(hex, 1000) },
		"AppendCommitKey":     func() { sinkBytes = AppendCommitKey(dst, 1000) },
		"AppendJournalKey":    func() { sinkBytes = AppendJournalKey(dst, 42, 300, 0) },
		"AppendValue/string":  func() { sinkBytes, sinkErr = AppendValue(dst, str) },
		"AppendValue/float":   func() { sinkBytes, sinkErr = AppendValue(dst, flt) },
		"DecodeValue/string":  func() { sinkValue, sinkErr = DecodeValue(text) },
		"DecodeValue/bytes":   func() { sinkValue, sinkErr = DecodeValue(raw) },
		"DecodeValue/int":     func() { sinkValue, sinkErr = DecodeValue(number) },
		"DecodeValue/float":   func() { sinkValue, sinkErr = DecodeValue(float) },
		"AsString":            func() { sinkString, sinkErr = str.AsString() },
		"AppendEnvelope":      func() { sinkBytes = AppendEnvelope(dst, Envelope{Payload: text}) },
		"DecodeEnvelope":      func() { sinkBytes = must(DecodeEnvelope(envelope)).Payload },
		"DecodeEnvelope/ttl":  func() { sinkBytes = must(DecodeEnvelope(expiring)).Payload },
		"AppendCommitRecord":  func() { sinkBytes = AppendCommitRecord(dst, commit) },
		"AppendJournalRecord": func() { sinkBytes = AppendJournalRecord(dst, journal) },
		"AppendEventRecord":   func() { sinkBytes, sinkErr = AppendEventRecord(dst, event) },
		"EventHash":           func() { sinkHash = EventHash(sinkHash, 5, 1e18, "tool_call", sinkHash) },
		"Tuple": func() {
			sinkBytes = Tuple(dst).AppendString("tool_call").AppendTime(1e18).AppendInt(7)
		},
	}
}

func must(e Envelope, err error) Envelope {
	sinkErr = err
	return e
}

// The hot functions allocate nothing, given room.
func TestHotFunctionsDoNotAllocate(t *testing.T) {
	for name, f := range hot(t) {
		sinkErr = nil
		require.Zero(t, testing.AllocsPerRun(100, f), name)
		require.NoError(t, sinkErr, name)
	}
}

func BenchmarkHot(b *testing.B) {
	functions := hot(b)
	for _, name := range sortedKeys(functions) {
		f := functions[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				f()
			}
		})
	}
}

func sortedKeys(m map[string]func()) []string {
	names := make(map[string]Value, len(m))
	for name := range m {
		names[name] = Null()
	}
	v, _ := Map(names)
	var keys []string
	for key := range v.Entries() {
		keys = append(keys, key)
	}
	return keys
}

// The rest: what containers, parts and Go conversion cost.
func BenchmarkValues(b *testing.B) {
	type step struct {
		Tool string         `json:"tool"`
		Args map[string]any `json:"args"`
		OK   bool           `json:"ok"`
		Cost float64        `json:"cost"`
	}
	in := step{Tool: "search", OK: true, Cost: 0.25,
		Args: map[string]any{"q": "flights to Oslo", "n": int64(5)}}
	v, err := ValueOf(in)
	require.NoError(b, err)
	data := encode(b, v)
	var changes []Change
	for i := range 10 {
		changes = append(changes, Change{KV, ChangePut, fmt.Sprintf("user:%018d", i)})
	}
	commit := AppendCommitRecord(nil, CommitRecord{Version: 9, Previous: 8, Time: 1e18,
		Scopes: []ScopeCommit{{42, 3}}})
	journal := JournalParts(changes, Origin{})[0]
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"ValueOf/struct", func() { sinkValue, sinkErr = ValueOf(in) }},
		{"Decode/struct", func() { var out step; sinkErr = v.Decode(&out) }},
		{"DecodeValue/map", func() { sinkValue, sinkErr = DecodeValue(data) }},
		{"Lookup", func() { sinkValue, _ = v.Lookup("tool") }},
		{"MarshalJSON", func() { sinkBytes, sinkErr = v.MarshalJSON() }},
		{"JournalParts/10", func() { JournalParts(changes, Origin{}) }},
		{"DecodeJournalRecord/10", func() { _, sinkErr = DecodeJournalRecord(1, journal) }},
		{"DecodeCommitRecord", func() { _, sinkErr = DecodeCommitRecord(9, commit) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				c.f()
			}
		})
	}
}
