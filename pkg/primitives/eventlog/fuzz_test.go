package eventlog

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// FuzzDecode: the stored form of an event is one, or damage.
func FuzzDecode(f *testing.F) {
	b, err := codec.AppendEventRecord(nil, codec.EventRecord{Time: 1e18, Type: "said",
		Payload: []byte{0xf6}})
	require.NoError(f, err)
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		var e Event
		var err error
		alloctest.Within(t, 1<<18+256*uint64(len(data)), func() { e, err = Decode(3, 9, data) })
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		require.EqualValues(t, 3, e.Seq)
		require.NotEmpty(t, e.Type)
	})
}
