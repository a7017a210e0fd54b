package runindex

import (
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/alloctest"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// FuzzParseID: what is taken for an id has one canonical form.
func FuzzParseID(f *testing.F) {
	f.Add("0190c5d2-7a3e-7c11-9a77-0123456789ab")
	f.Add("0190C5D2-7A3E-7C11-9A77-0123456789AB")
	f.Add("{0190c5d2-7a3e-7c11-9a77-0123456789ab}")
	f.Add("00000000-0000-0000-0000-000000000000")
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseID(text)
		if err != nil {
			require.ErrorIs(t, err, codec.ErrInvalidArgument)
			return
		}
		require.Equal(t, strings.ToLower(text), idText(id))
		again, err := ParseID(idText(id))
		require.NoError(t, err)
		require.Equal(t, id, again)
	})
}

// FuzzDecodePlace: what is taken for a place is the one that a run would have.
func FuzzDecodePlace(f *testing.F) {
	f.Add(placeOf(1, [16]byte{1}))
	f.Add(placeOf(-1<<63, [16]byte{0, 255, 0}))
	f.Fuzz(func(t *testing.T, text string) {
		if created, id, ok := decodePlace(text); ok {
			require.Equal(t, text, placeOf(created, id))
		}
	})
}

// FuzzReadLayout: whatever lies in the place of the layout, it is one that can be used, or damage.
func FuzzReadLayout(f *testing.F) {
	for _, l := range []layout{{}, {Generation: 7, Swept: []byte{0x50, 0}, Epochs: []uint64{1, 9}}} {
		f.Add(storedLayout(f, &l))
	}
	ctx := context.Background()
	f.Fuzz(func(t *testing.T, data []byte) {
		get := func(context.Context, codec.Primitive, string) (txn.Entry, error) {
			return txn.Entry{Value: data, Exists: true}, nil
		}
		var l *layout
		var err error
		alloctest.Within(t, 1<<18+256*uint64(len(data)), func() { l, err = readLayout(ctx, get) })
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			return
		}
		for _, epoch := range l.Epochs {
			require.True(t, l.knows(epoch))
		}
		before := len(l.Epochs)
		l.add(5)
		l.add(5)
		require.True(t, slices.IsSorted(l.Epochs))
		require.LessOrEqual(t, len(l.Epochs), before+1)
		data = storedLayout(t, l)
		again, err := readLayout(ctx, get)
		require.NoError(t, err)
		require.Equal(t, storedLayout(t, l), storedLayout(t, again))
		l.stretches(codec.Active, everyEpoch)
	})
}

func storedLayout(t testing.TB, l *layout) []byte {
	v, err := codec.ValueOf(*l)
	require.NoError(t, err)
	data, err := codec.AppendValue(nil, v)
	require.NoError(t, err)
	return data
}

// FuzzPageToken: a token that a user made up is refused, or is the one that the query would give;
// one with a digest that fits, too, answers with a page.
func FuzzPageToken(f *testing.F) {
	w := newWorld(f)
	for i := range 3 {
		_, err := w.create(NewRun{ID: [16]byte{15: byte(i + 1)}, Tags: []string{"t"}})
		require.NoError(f, err)
	}
	q := Query{Tags: []string{"t"}, Limit: 1}
	p, err := w.index().Query(w.ctx, q)
	require.NoError(f, err)
	require.NotEmpty(f, p.Next)
	f.Add(p.Next, "")
	f.Add("", placeOf(1, [16]byte{1}))
	f.Fuzz(func(t *testing.T, token, bound string) {
		own, err := newFilter(&q)
		require.NoError(t, err)
		if found, err := own.bound(token); err == nil {
			require.Equal(t, token, own.token(found))
		} else {
			require.ErrorIs(t, err, codec.ErrInvalidArgument)
		}
		for _, next := range []string{token, own.token(bound), base64.RawURLEncoding.EncodeToString(
			[]byte(bound))} {
			q := q
			q.Token = next
			page, err := w.index().Query(w.ctx, q)
			require.True(t, err == nil && len(page.Runs) <= 1 ||
				errors.Is(err, codec.ErrInvalidArgument) || errors.Is(err, codec.ErrCorrupt), "%v", err)
		}
	})
}
