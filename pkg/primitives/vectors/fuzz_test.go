package vectors

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// FuzzDecodeRow: whatever is stored under a key, as a row or as a collection's record, it is judged
// and shown, or refused as damaged or newer; what Check lets pass can be shown.
func FuzzDecodeRow(f *testing.F) {
	metadata, err := codec.Map(map[string]codec.Value{"lang": codec.String("go")})
	require.NoError(f, err)
	row, err := codec.AppendVectorRow(nil, codec.VectorRow{Vector: []float32{1, -0.5},
		Metadata: metadata})
	require.NoError(f, err)
	record, err := codec.AppendVectorCollection(nil,
		codec.VectorCollection{Dimension: 2, Metric: codec.MetricL2})
	require.NoError(f, err)
	f.Add(codec.VectorRowKey("docs", "a"), row)
	f.Add(codec.VectorCollectionKey("docs"), record)
	f.Add("docs", row)
	f.Fuzz(func(t *testing.T, key string, stored []byte) {
		alloctest.Within(t, 1<<18+1024*uint64(len(stored)+len(key)), func() {
			r, err := DecodeRow("a", 7, stored)
			damaged(t, err)
			if err == nil {
				require.NotEmpty(t, r.Vector)
			}
			_, err = DecodeInfo("docs", 7, stored)
			damaged(t, err)
			v, shown := Shown(key, stored)
			damaged(t, shown)
			checked := Check(key, stored)
			if !errors.Is(checked, codec.ErrInvalidArgument) {
				damaged(t, checked)
			}
			if checked == nil {
				require.NoError(t, shown)
				_, err = codec.AppendValue(nil, v)
				require.NoError(t, err)
			}
		})
	})
}

// damaged checks that an error is one of the two that a decoder may have.
func damaged(t *testing.T, err error) {
	if err != nil && !errors.Is(err, codec.ErrCorrupt) && !errors.Is(err, codec.ErrFormat) {
		t.Fatalf("unexpected error %v", err)
	}
}
