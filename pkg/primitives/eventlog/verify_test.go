package eventlog

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
)

// tampering changes a log of five events, and says what Verify must find.
var tampering = []struct {
	name   string
	do     func(t require.TestingT, w *world)
	bad    uint64
	length uint64
	reason string
}{
	{"type", change(2, func(r *codec.EventRecord) { r.Type = "evem" }), 2, 5,
		"of what the event holds"},
	{"payload", change(2, func(r *codec.EventRecord) { r.Payload = []byte{0x18, 99} }), 2, 5,
		"of what the event holds"},
	{"time", change(2, func(r *codec.EventRecord) { r.Time++ }), 2, 5, "of what the event holds"},
	{"time goes back", change(2, func(r *codec.EventRecord) { r.Time -= 2000 }), 2, 5,
		"time 2026-01-01T00:00:00.000001Z, before that of the event before, " +
			"2026-01-01T00:00:00.000002Z"},
	{"hash", change(2, func(r *codec.EventRecord) { r.Hash[31]++ }), 2, 5, "of what the event holds"},
	{"previous", change(2, func(r *codec.EventRecord) { r.Previous[0]++ }), 2, 5, "previous hash"},
	{"first event", change(0, func(r *codec.EventRecord) { r.Previous[0]++ }), 0, 5,
		"expected 0000000000000000"},
	{"last event", change(4, func(r *codec.EventRecord) { r.Type = "x" }), 4, 5,
		"of what the event holds"},
	{"changed and hashed anew", change(2, func(r *codec.EventRecord) {
		r.Type = "x"
		r.Hash = codec.EventHash(r.Previous, 2, r.Time, r.Type, codec.PayloadDigest(r.Payload))
	}), 3, 5, "previous hash"},
	{"no value", change(4, func(r *codec.EventRecord) {
		r.Payload = []byte{0x18, 1} // not the shortest form
		r.Hash = codec.EventHash(r.Previous, 4, r.Time, r.Type, codec.PayloadDigest(r.Payload))
	}), 4, 5, "payload is no value"},
	{"removed from the middle", func(t require.TestingT, w *world) {
		w.erase(t, codec.Events, codec.EventUserKey(1))
	}, 1, 4, "missing: event 2 comes next"},
	{"removed at the start", func(t require.TestingT, w *world) {
		w.erase(t, codec.Events, codec.EventUserKey(0))
	}, 0, 4, "missing: event 1 comes next"},
	{"exchanged", func(t require.TestingT, w *world) {
		a, b := w.stored(t, 1), w.stored(t, 3)
		w.store(t, 1, b)
		w.store(t, 3, a)
	}, 1, 5, "previous hash"},
	{"slipped in behind a gap", func(t require.TestingT, w *world) { w.store(t, 7, w.stored(t, 4)) },
		5, 6, "missing: event 7 comes next"},
	{"slipped in at the end", func(t require.TestingT, w *world) { w.store(t, 5, w.stored(t, 4)) },
		5, 6, "previous hash"},
	{"unreadable", func(t require.TestingT, w *world) {
		w.write(t, codec.Events, codec.EventUserKey(2), []byte("short"))
	}, 2, 5, "unreadable: corrupt event record"},
	{"foreign key", func(t require.TestingT, w *world) {
		w.write(t, codec.Events, "000000000001x", nil)
	}, 2, 6, "no sequence number"},
	{"two of them", func(t require.TestingT, w *world) {
		change(3, func(r *codec.EventRecord) { r.Time++ })(t, w)
		change(1, func(r *codec.EventRecord) { r.Hash[0]++ })(t, w)
	}, 1, 5, "of what the event holds"},
}

func change(seq uint64, fn func(*codec.EventRecord)) func(require.TestingT, *world) {
	return func(t require.TestingT, w *world) {
		r := w.stored(t, seq)
		fn(&r)
		w.store(t, seq, r)
	}
}

// R162: whatever is changed, Verify names the first event that is not as it was, and why.
func TestR162Tampering(t *testing.T) {
	onBoth(t, func(t *testing.T, first *world) {
		for _, c := range tampering {
			w := first.sibling(t)
			w.fill(t, 5)
			c.do(t, w)
			v, err := w.log().Verify(t.Context())
			require.NoError(t, err, c.name)
			require.Contains(t, v.Reason, c.reason, c.name)
			want := Verification{Length: c.length, FirstBad: c.bad, Reason: v.Reason}
			require.Equal(t, want, v, c.name)
		}
	})
}

// R162: no bit of a stored event can change unnoticed.
func TestR162EveryBit(t *testing.T) {
	w := newWorld(t.Context(), t)
	w.fill(t, 3)
	for seq := range uint64(3) {
		key := codec.EventUserKey(seq)
		e, err := w.m.Scope(w.run).Get(t.Context(), codec.Events, key)
		require.NoError(t, err)
		for bit := range len(e.Value) * 8 {
			data := append([]byte(nil), e.Value...)
			data[bit/8] ^= 1 << (bit % 8)
			w.write(t, codec.Events, key, data)
			v, err := w.log().Verify(t.Context())
			require.NoError(t, err)
			require.False(t, v.Valid, "bit %d of event %d", bit, seq)
			require.Equal(t, seq, v.FirstBad, "bit %d: %s", bit, v.Reason)
		}
		w.write(t, codec.Events, key, e.Value)
	}
	v, err := w.log().Verify(t.Context())
	require.NoError(t, err)
	require.True(t, v.Valid)
}

// What the package comment says that the chain cannot prove by itself, and how a kept hash does.
func TestACutTailIsFoundByAKeptHash(t *testing.T) {
	w := newWorld(t.Context(), t)
	w.fill(t, 5)
	kept, err := w.log().Verify(t.Context())
	require.NoError(t, err)
	for seq := uint64(3); seq < 5; seq++ {
		w.erase(t, codec.Events, codec.EventUserKey(seq))
	}
	v, err := w.log().Verify(t.Context())
	require.NoError(t, err)
	require.True(t, v.Valid, "what is left is a chain")
	_, ok, err := w.log().Get(t.Context(), kept.Length-1)
	require.NoError(t, err)
	require.False(t, ok)

	// And a forger's chain, made anew from the start.
	forged := newWorld(t.Context(), t)
	for range 5 {
		_, err := forged.log().Append(t.Context(), "even", codec.Null())
		require.NoError(t, err)
	}
	v, err = forged.log().Verify(t.Context())
	require.NoError(t, err)
	require.True(t, v.Valid)
	require.NotEqual(t, kept.Head, v.Head)
}

// A read that comes across damage says so; it never skips it.
func TestDamageIsNeverSkipped(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		l, ctx := w.log(), t.Context()
		w.fill(t, 5)
		w.write(t, codec.Events, codec.EventUserKey(2), []byte("short"))
		_, _, err := l.Get(ctx, 2)
		require.ErrorIs(t, err, codec.ErrCorrupt)
		for _, o := range []ListOptions{{}, {Type: "even"}, {Since: at(3)}, {Until: at(3)},
			{Reverse: true}} {
			require.ErrorIs(t, failure(t, l.List(ctx, o)), codec.ErrCorrupt, "%+v", o)
		}
		_, err = l.VerifyIndex(ctx)
		require.ErrorIs(t, err, codec.ErrCorrupt)
		_, err = l.RebuildIndex(ctx)
		require.ErrorIs(t, err, codec.ErrCorrupt)
		require.ErrorContains(t, err, "event 000000000002")

		w.write(t, codec.Events, codec.EventUserKey(4), []byte("short"))
		_, _, err = l.Head(ctx)
		require.ErrorIs(t, err, codec.ErrCorrupt)
		w.write(t, codec.Events.Index(), "no tuple", indexValue)
		require.ErrorIs(t, failure(t, l.Types(ctx)), codec.ErrCorrupt)
	})
}

// Whatever bytes stand in the place of an event, reads end and only the true ones are valid.
func FuzzRecord(f *testing.F) {
	w := newWorld(f.Context(), f)
	w.fill(f, 3)
	key := codec.EventUserKey(1)
	e, err := w.m.Scope(w.run).Get(f.Context(), codec.Events, key)
	require.NoError(f, err)
	f.Add(e.Value)
	f.Add(e.Value[:80])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		w := newWorld(t.Context(), t)
		w.fill(t, 3)
		w.write(t, codec.Events, key, data)
		v, err := w.log().Verify(t.Context())
		require.NoError(t, err)
		require.Equal(t, string(data) == string(e.Value), v.Valid)
		if !v.Valid {
			require.EqualValues(t, 1, v.FirstBad)
		}
		_, found, err := w.log().Get(t.Context(), 1)
		require.Equal(t, err == nil, found)
		for _, o := range []ListOptions{{}, {Type: "odd", Since: at(2)}} {
			for _, err := range w.log().List(t.Context(), o) {
				if err != nil {
					require.ErrorIs(t, err, codec.ErrCorrupt)
				}
			}
		}
		if _, err := w.log().RebuildIndex(t.Context()); err == nil {
			r, err := w.log().VerifyIndex(t.Context())
			require.NoError(t, err)
			require.Zero(t, r.Missing+r.Surplus)
		}
	})
}
