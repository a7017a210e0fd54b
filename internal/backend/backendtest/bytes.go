package backendtest

import (
	"encoding/binary"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// encodeScope is the encoded scope record, with an id made from its number.
func encodeScope(t tester, r codec.ScopeRecord) []byte {
	t.Helper()
	binary.BigEndian.PutUint64(r.ID[8:], uint64(r.Number))
	b, err := codec.AppendScopeRecord(nil, r)
	require.NoError(t, err)
	return b
}

// recordKey is the id of the same record as text.
func recordKey(n codec.Scope) string {
	return fmt.Sprintf("00000000-0000-0000-0000-%012x", uint64(n))
}

// payload is the encoded form of Bytes.
func payload(t tester, b []byte) []byte {
	t.Helper()
	v, err := codec.AppendValue(nil, codec.Bytes(b))
	require.NoError(t, err)
	return v
}

// putInteger puts an Int.
func putInteger(t tester, s *backend.Scope, key string, n int64) backend.Write {
	t.Helper()
	v, err := codec.AppendValue(nil, codec.Int(n))
	require.NoError(t, err)
	w := put(s, key, "")
	w.Value = v
	return w
}

// integerOf is the Int in a record, 0 if there is none.
func integerOf(t tester, r backend.Record) int64 {
	t.Helper()
	if !r.Exists() {
		return 0
	}
	v, err := codec.DecodeValue(r.Value)
	require.NoError(t, err)
	n, err := v.AsInt()
	require.NoError(t, err)
	return n
}

// link is one event as it lies in the store.
type link struct {
	version uint64
	seq     uint64
	codec.EventRecord
}

// chain reads a scope's event log at a version and demands that it is whole: contiguous from 0,
// every event naming the hash of the one before, every hash right, every time that of its commit.
func (w *world) chain(s *backend.Scope, at uint64) []link {
	w.Helper()
	var links []link
	var previous codec.EventDigest
	for i, p := range w.scanOf(s, codec.Events, backend.Range{}, at) {
		seq := uint64(i)
		require.Equal(w, codec.EventUserKey(seq), p.key, "sequence numbers are contiguous")
		e, err := codec.DecodeEventRecord(p.record.Value)
		require.NoError(w, err)
		require.Equal(w, previous, e.Previous, "event %d names the one before", seq)
		require.Equal(w, codec.EventHash(previous, seq, e.Time, e.Type,
			codec.PayloadDigest(e.Payload)), e.Hash, "hash of event %d", seq)
		commit, err := w.b.CommitRecord(w.ctx, p.record.Version)
		require.NoError(w, err)
		require.Equal(w, commit.Time, e.Time, "an event carries the commit's time")
		links = append(links, link{p.record.Version, seq, e})
		previous = e.Hash
	}
	return links
}
