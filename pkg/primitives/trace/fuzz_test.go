package trace

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// FuzzDecode: what is taken for a span is written in one form, what it does not know included, and
// every entry that it has in an index is its own.
func FuzzDecode(f *testing.F) {
	for _, s := range []Span{
		{ID: "x", Type: ToolCall, Name: "search", Start: time.Unix(1e9, 1)},
		{ID: "x", Type: Custom, Name: "c", Parent: "p", Start: time.Unix(-1, 0), End: time.Unix(5, 0),
			Tags: []string{"a", "b"}, InputTokens: 5, Cost: 7, Error: "no"},
	} {
		data, err := s.encode()
		require.NoError(f, err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Span
		var err error
		alloctest.Within(t, 1<<18+256*uint64(len(data)), func() { s, err = Decode("x", data) })
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		again, err := s.encode()
		require.NoError(t, err)
		back, err := Decode("x", again)
		require.NoError(t, err)
		twice, err := back.encode()
		require.NoError(t, err)
		require.Equal(t, again, twice)
		if s.check() == nil && s.checkTimes() == nil {
			_ = Fprint(io.Discard, &Node{Span: s})
		}
		for _, kind := range indexKinds {
			for _, value := range kind.values(&s) {
				e, err := decodeEntry(kind.key(value, s.place()))
				require.NoError(t, err)
				require.True(t, e.of(&s))
			}
		}
	})
}

// FuzzDecodeEntry: a key that is taken for one of an index is the one that the index would have.
func FuzzDecodeEntry(f *testing.F) {
	at := place{start: -5, id: "a\x00"}
	for _, kind := range indexKinds {
		f.Add(kind.key("v", at))
	}
	f.Add("")
	f.Fuzz(func(t *testing.T, key string) {
		e, err := decodeEntry(key)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		require.Equal(t, key, e.kind.key(e.value, e.place))
		prefix := string(e.kind.prefix(nil, e.value))
		found, err := decodePlace(key[len(prefix):])
		require.NoError(t, err)
		require.Equal(t, e.place, found)
	})
}

// FuzzDecodePlace: the same for what follows the prefix.
func FuzzDecodePlace(f *testing.F) {
	f.Add(string(codec.Tuple(nil).AppendTime(1).AppendString("a")))
	f.Add(string(codec.Tuple(nil).AppendTime(1).AppendString("a").AppendNil()))
	f.Fuzz(func(t *testing.T, rest string) {
		p, err := decodePlace(rest)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		require.Equal(t, rest, string(codec.Tuple(nil).AppendTime(p.start).AppendString(p.id)))
	})
}
