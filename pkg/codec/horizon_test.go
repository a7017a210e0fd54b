package codec

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestHorizonRecord(t *testing.T) {
	letters := []Primitive{Cells, KV, Machines, Traces, Extensions, Vectors} // in their order
	rapid.Check(t, func(t *rapid.T) {
		r := HorizonRecord{First: rapid.Uint64().Draw(t, "first")}
		r.Pending = rapid.Bool().Draw(t, "pending")
		for _, p := range letters {
			if rapid.Bool().Draw(t, "listed") {
				version := rapid.Uint64Min(1).Draw(t, "version")
				r.Horizons = append(r.Horizons, Horizon{Primitive: p, Version: version})
			}
		}
		b := AppendHorizonRecord([]byte("x"), r)
		got, err := DecodeHorizonRecord(b[1:])
		require.NoError(t, err)
		require.Equal(t, r, got)
		for n := range b[1:] {
			_, err := DecodeHorizonRecord(b[1 : 1+n])
			require.ErrorIs(t, err, ErrCorrupt, "%d bytes of it", n)
		}
	})
}

func TestHorizonRecordRefuses(t *testing.T) {
	for _, c := range []struct{ hex, text string }{
		{"a0", "horizons"},
		{"a1 01 81 18 6b", "a letter without a version"},
		{"a1 01 82 18 6b 00", "0"},
		{"a1 01 84 18 6b 01 18 6b 02", "letter 0x6b is none, or not in order"},
		{"a1 01 84 18 6b 01 18 63 02", "letter 0x63 is none, or not in order"},
		{"a1 01 82 18 4b 01", "letter 0x4b is none"},
		{"a1 01 82 18 21 01", "letter 0x21 is none"},
		{"a2 01 80 02 00", "0"},
		{"a2 01 80 03 02", "up to 1"},
	} {
		_, err := DecodeHorizonRecord(unhex(t, c.hex))
		require.ErrorIs(t, err, ErrCorrupt, c.hex)
		require.ErrorContains(t, err, c.text, c.hex)
	}
	_, err := DecodeHorizonRecord(unhex(t, "a2 01 80 04 01"))
	require.ErrorIs(t, err, ErrFormat, "a field that must be understood")
	r, err := DecodeHorizonRecord(unhex(t, "a2 01 80 20 01"))
	require.NoError(t, err, "one that may be ignored")
	require.Empty(t, r)
}
