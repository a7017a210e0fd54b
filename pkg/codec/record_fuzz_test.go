package codec

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// refused checks that a decoder's error is one of the two that it may have.
func refused(t *testing.T, err error) bool {
	if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrFormat) {
		t.Fatalf("unexpected error %v", err)
	}
	return err != nil
}

func FuzzDecodeEnvelope(f *testing.F) {
	f.Add(AppendEnvelope(nil, Envelope{Payload: []byte("x")}))
	f.Add(AppendEnvelope(nil, Envelope{Expiry: 1e18, Payload: []byte("x")}))
	f.Add(AppendEnvelope(nil, Envelope{Tombstone: true, Origin: 7}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := DecodeEnvelope(b); !refused(t, err) {
			require.Equal(t, b, AppendEnvelope(nil, e))
		}
	})
}

func FuzzDecodeCommitRecord(f *testing.F) {
	f.Add(uint64(9), AppendCommitRecord(nil, CommitRecord{Version: 9, Previous: 3, Time: 1e18,
		Scopes: []ScopeCommit{{1, 2}, {3, 4}}, Flags: FlagExpiry}))
	f.Add(uint64(9), unhex(f, "a3 02 01 03 80 20 41 ff"))
	f.Fuzz(func(t *testing.T, version uint64, b []byte) {
		r := newReader("commit record", b)
		c, err := readCommitRecord(version, &r)
		if refused(t, err) {
			return
		}
		if again := AppendCommitRecord(nil, c); r.ignored == 0 {
			require.Equal(t, b, again)
		} else {
			require.Less(t, len(again), len(b))
		}
	})
}

func FuzzDecodeJournalRecord(f *testing.F) {
	changes := []Change{{KV, ChangePut, "a"}, {KV, ChangePut, "b"}, {Events, ChangeAppend, "\x00"}}
	f.Add(AppendJournalRecord(nil, JournalRecord{Parts: 1, Changes: changes}))
	f.Add(AppendJournalRecord(nil, JournalRecord{Parts: 3, Changes: changes}))
	f.Add(AppendJournalRecord(nil, JournalRecord{Changes: changes}))
	f.Add(AppendJournalRecord(nil, JournalRecord{Parts: 3, Changes: changes, Timed: true}))
	f.Add(AppendJournalRecord(nil, JournalRecord{Parts: 1, Changes: changes, Timed: true,
		Origin: Origin{Version: 300, Time: -1}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader("journal record", b)
		j, err := readJournalRecord(1, &r, nil)
		if !refused(t, err) && r.ignored == 0 {
			require.Equal(t, b, AppendJournalRecord(nil, j))
		}
	})
}

func FuzzDecodeScopeRecord(f *testing.F) {
	for _, r := range goldenScopeRecords(f) {
		b, err := AppendScopeRecord(nil, r)
		require.NoError(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader("scope record", b)
		s, err := readScopeRecord(&r)
		if refused(t, err) || r.ignored > 0 {
			return
		}
		again, err := AppendScopeRecord(nil, s)
		require.NoError(t, err)
		require.Equal(t, b, again)
		walk(t, s.Metadata)
	})
}

func FuzzDecodeHorizonRecord(f *testing.F) {
	for _, r := range goldenHorizonRecords() {
		f.Add(AppendHorizonRecord(nil, r))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader("horizon record", b)
		h, err := readHorizonRecord(&r)
		if !refused(t, err) && r.ignored == 0 {
			require.Equal(t, b, AppendHorizonRecord(nil, h))
		}
	})
}

func FuzzDecodeEventRecord(f *testing.F) {
	b, err := AppendEventRecord(nil, EventRecord{Time: 1e18, Type: "tool_call", Payload: []byte{0xf6}})
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, err := DecodeEventRecord(b); !refused(t, err) {
			again, err := AppendEventRecord(nil, e)
			require.NoError(t, err)
			require.Equal(t, b, again)
		}
	})
}
