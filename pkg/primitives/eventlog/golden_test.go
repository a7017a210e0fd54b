package eventlog

import (
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

// golden is a line of testdata/chain.golden.
type golden struct {
	seq           uint64
	time          int64
	typ           string
	payload, hash []byte
}

func readGolden(t *testing.T) []golden {
	data, err := os.ReadFile("testdata/chain.golden")
	require.NoError(t, err)
	var chain []golden
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		var g golden
		_, err := fmt.Sscanf(line, "%d %d %q %x %x", &g.seq, &g.time, &g.typ, &g.payload, &g.hash)
		require.NoError(t, err)
		require.Len(t, g.hash, 32)
		chain = append(chain, g)
	}
	return chain
}

// goldenPayloads are the values whose encodings are in testdata/chain.golden.
func goldenPayloads(t *testing.T) []codec.Value {
	must := func(v codec.Value, err error) codec.Value {
		require.NoError(t, err)
		return v
	}
	float := func(bits uint64) codec.Value { return codec.Float(math.Float64frombits(bits)) }
	empty := must(codec.Map(nil))
	args := must(codec.Map(map[string]codec.Value{"q": codec.String("go"), "n": codec.Int(3)}))
	return []codec.Value{
		must(codec.Map(map[string]codec.Value{
			"name": codec.String("search"), "args": args, "a": codec.Null(), "limit": codec.Int(-25),
		})),
		codec.String("böök ☃"), codec.Int(1767225600_000000001),
		float(0x7ff8000000000123), float(0x7ff0000000000001), float(1 << 63), codec.Float(1e300),
		codec.Null(), codec.Bytes([]byte{0xff, 0}),
		must(codec.Array(codec.Bool(true), codec.Float(1.5), must(codec.Array()), empty,
			codec.Float(math.Inf(1)))),
		empty, codec.Int(-1),
	}
}

// R160, E54, E57: a log on each authority has the hashes that another implementation found.
func TestR160GoldenChain(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		chain, payloads := readGolden(t), goldenPayloads(t)
		require.Equal(t, len(chain), len(payloads))
		require.EqualValues(t, 0, chain[0].seq, "the first event is number 0")
		previous := codec.EventDigest{}
		for i, g := range chain {
			encoded, err := codec.AppendValue(nil, payloads[i])
			require.NoError(t, err)
			require.Equal(t, hex.EncodeToString(g.payload), hex.EncodeToString(encoded), "%d", i)
			w.clock.Store(g.time)
			place, err := w.log().Append(t.Context(), g.typ, payloads[i])
			require.NoError(t, err)
			require.Equal(t, g.seq, place.Seq)
			require.Equal(t, hex.EncodeToString(g.hash), hex.EncodeToString(place.Hash[:]), "%d", i)
			e, ok, err := w.log().Get(t.Context(), g.seq)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, previous, e.Previous)
			require.Equal(t, place.Hash, e.Hash)
			require.Equal(t, payloads[i], e.Payload, "every bit, NaNs too (R166)")
			previous = e.Hash
		}
		v, err := w.log().Verify(t.Context())
		require.NoError(t, err)
		want := Verification{Valid: true, Length: uint64(len(chain)), Head: previous}
		require.Equal(t, want, v)
	})
}

// E55: the order in which the keys of a map were given does not reach the hash.
func TestE55MapOrder(t *testing.T) {
	g := readGolden(t)[0]
	for _, text := range []string{
		`{"a":null,"args":{"n":3,"q":"go"},"limit":-25,"name":"search"}`,
		`{"name":"search","limit":-25,"args":{"q":"go","n":3},"a":null}`,
		`{"limit":-25,"a":null,"name":"search","args":{"q":"go","n":3}}`,
	} {
		var v codec.Value
		require.NoError(t, v.UnmarshalJSON([]byte(text)))
		w := newWorld(t.Context(), t)
		place, err := w.log().Append(t.Context(), g.typ, v)
		require.NoError(t, err)
		require.Equal(t, hex.EncodeToString(g.hash), hex.EncodeToString(place.Hash[:]), text)
	}
}
