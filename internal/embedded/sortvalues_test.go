package embedded

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/batchrepr"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// batchRecord is a record of a batch, told by Pebble's own reader.
type batchRecord struct {
	kind       pebble.InternalKeyKind
	key, value string
}

func readBatch(t require.TestingT, records []byte) (list []batchRecord) {
	r := batchrepr.Read(append(make([]byte, batchHeader), records...))
	for len(r) > 0 {
		kind, key, value, ok, err := r.Next()
		require.NoError(t, err)
		require.True(t, ok)
		list = append(list, batchRecord{kind, string(key), string(value)})
	}
	return list
}

func appendRecord(b []byte, x batchRecord) []byte {
	b = binary.AppendUvarint(append(b, byte(x.kind)), uint64(len(x.key)))
	b = append(b, x.key...)
	if x.kind == pebble.InternalKeyKindDelete {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(x.value)))
	return append(b, x.value...)
}

// A sorted load has the same records, in the order of their keys, and those of one key as they
// were: what is written last counts.
func TestLoadsAreSorted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shared := rapid.SampledFrom([]string{"", "r/0000000001/k/"}).Draw(t, "shared")
		key := rapid.Custom(func(t *rapid.T) string {
			return shared + rapid.StringMatching(`[a-c\x00\xff]{0,11}`).Draw(t, "key")
		})
		var src []byte
		want := map[string][]batchRecord{}
		for i := range rapid.IntRange(0, 60).Draw(t, "records") {
			x := batchRecord{kind: pebble.InternalKeyKindSet, key: key.Draw(t, "key")}
			if rapid.Bool().Draw(t, "delete") {
				x.kind = pebble.InternalKeyKindDelete
			} else {
				x.value = fmt.Sprintf("%d%s", i, bytes.Repeat([]byte("x"), i*7))
			}
			want[x.key] = append(want[x.key], x)
			src = appendRecord(src, x)
		}
		before := bytes.Clone(src)
		var s valueSorter
		sorted := s.appendSorted([]byte("head"), src)
		require.Equal(t, before, src)
		require.Equal(t, "head", string(sorted[:4]))
		list := readBatch(t, sorted[4:])
		found := map[string][]batchRecord{}
		for i, x := range list {
			found[x.key] = append(found[x.key], x)
			if i > 0 && len(list) >= sortFrom {
				require.LessOrEqual(t, list[i-1].key, x.key)
			}
		}
		require.Equal(t, want, found)
	})
}

// Records that the sorter does not know stay where they are, with everything around them.
func TestUnknownRecordsAreNotMoved(t *testing.T) {
	var src []byte
	for i := range 50 {
		src = appendRecord(src, batchRecord{pebble.InternalKeyKindSet, fmt.Sprint(99 - i), "v"})
	}
	src = appendRecord(src, batchRecord{pebble.InternalKeyKindMerge, "m", "v"})
	var s valueSorter
	require.Equal(t, src, s.appendSorted(nil, src))
}
