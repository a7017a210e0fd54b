package codec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What is decoded into room is what is decoded without, whatever the room held.

func FuzzDecodeJournalRecordInto(f *testing.F) {
	changes := []Change{{KV, ChangePut, "a"}, {KV, ChangeDelete, "b"}, {Events, ChangeAppend, "\x00"}}
	f.Add(AppendJournalRecord(nil, JournalRecord{Parts: 1, Changes: changes}))
	f.Add(AppendJournalRecord(nil, JournalRecord{Parts: 3, Changes: changes, Timed: true}))
	f.Fuzz(func(t *testing.T, b []byte) {
		want, err := DecodeJournalRecord(7, b)
		room := []Change{{Cells, ChangeDelete, "left"}, {KV, ChangePut, "over"}}
		got, again := DecodeJournalRecordInto(7, b, room)
		require.Equal(t, refused(t, err), refused(t, again))
		if err == nil {
			require.Equal(t, AppendJournalRecord(nil, want), AppendJournalRecord(nil, got))
		}
	})
}

func FuzzDecodeVectorRowIn(f *testing.F) {
	b, err := AppendVectorRow(nil, VectorRow{Vector: []float32{1, -2, 3}})
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		want, err := DecodeVectorRow(b)
		got, again := DecodeVectorRowIn([]float32{9, 9}, b)
		require.Equal(t, refused(t, err), refused(t, again))
		if err == nil {
			requireSameBits(t, want.Vector, got.Vector)
			require.True(t, want.Metadata == got.Metadata)
		}
	})
}
