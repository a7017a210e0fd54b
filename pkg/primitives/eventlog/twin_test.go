package eventlog

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// twin is what a Log should show: a slice.
type twin []Event

// extend appends events at a time, as one commit.
func (m twin) extend(events []NewEvent, now int64, version uint64) twin {
	at := time.Unix(0, now)
	m = slices.Clip(m)
	for _, n := range events {
		e := Event{Seq: uint64(len(m)), Type: n.Type, Payload: n.Payload, Time: at, Version: version}
		if len(m) > 0 {
			last := m[len(m)-1]
			e.Previous = last.Hash
			if e.Time.Before(last.Time) {
				e.Time = last.Time
			}
		}
		payload, err := codec.AppendValue(nil, n.Payload)
		if err != nil {
			panic(err)
		}
		e.Hash = codec.EventHash(e.Previous, e.Seq, e.Time.UnixNano(), e.Type,
			codec.PayloadDigest(payload))
		m = append(m, e)
	}
	return m
}

func (m twin) list(o ListOptions) []Event {
	var list []Event
	for _, e := range m {
		if e.Seq >= o.Start && (o.End == 0 || e.Seq < o.End) &&
			(o.Type == "" || e.Type == o.Type) &&
			(o.Since.IsZero() || !e.Time.Before(o.Since)) &&
			(o.Until.IsZero() || e.Time.Before(o.Until)) {
			list = append(list, e)
		}
	}
	if o.Reverse {
		slices.Reverse(list)
	}
	if o.Limit > 0 && len(list) > o.Limit {
		list = list[:o.Limit]
	}
	return list
}

// R161: after each operation everything that a log reads equals a slice: directly, inside a
// transaction with its own appends, and in a view of what was there before.
func TestR161AgainstASlice(t *testing.T) {
	for _, form := range []string{"direct", "transaction"} {
		t.Run(form, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { checkAgainstSlice(t, form) })
		})
	}
}

var drawType = rapid.SampledFrom([]string{
	"a", "b", "ab", "a\x00", "a\x00\x01", "\x00", "__meta__", "/", "\u00ff",
})

func drawEvents(t *rapid.T) []NewEvent {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) NewEvent {
		payload := codec.Int(rapid.Int64().Draw(t, "n"))
		if rapid.Bool().Draw(t, "text") {
			payload = codec.String(rapid.StringN(0, 5, -1).Draw(t, "payload"))
		}
		return NewEvent{Type: drawType.Draw(t, "type"), Payload: payload}
	}), 1, 4).Draw(t, "events")
}

func checkAgainstSlice(t *rapid.T, form string) {
	ctx := context.Background()
	w := newWorld(ctx, t)
	var state twin
	outside := w.log()
	step := rapid.Int64Range(-3, 3)
	for range rapid.IntRange(0, 3).Draw(t, "commits before") {
		w.clock.Add(step.Draw(t, "clock"))
		state = appendBoth(ctx, t, w, outside, state, false)
	}
	before, l := state, outside
	var own []NewEvent
	var tx *txn.Tx
	if form == "transaction" {
		var err error
		isolation := rapid.SampledFrom([]txn.Isolation{txn.Snapshot, txn.Serializable})
		tx, err = w.m.Begin(ctx, w.run, txn.Options{Isolation: isolation.Draw(t, "isolation")})
		require.NoError(t, err)
		l = New(tx.Scope(w.run))
	}
	began := w.b.Now()
	err := w.m.View(ctx, func(v *txn.View) error {
		view := New(v.Scope(w.run))
		t.Repeat(map[string]func(*rapid.T){
			"clock": func(t *rapid.T) { w.clock.Add(step.Draw(t, "clock")) },
			"append": func(t *rapid.T) {
				if tx == nil {
					state = appendBoth(ctx, t, w, l, state, false)
					return
				}
				n := len(state)
				at := w.clock.Swap(began) // what a transaction appends has the time of its start
				state = appendBoth(ctx, t, w, l, state, true)
				w.clock.Store(at)
				for _, e := range state[n:] {
					own = append(own, NewEvent{Type: e.Type, Payload: e.Payload})
				}
			},
			"": func(t *rapid.T) {
				checkReads(ctx, t, l, state, drawOptions(t))
				switch rapid.IntRange(0, 7).Draw(t, "look at") {
				case 0:
					checkReads(ctx, t, view, before, drawOptions(t))
				case 1:
					if tx != nil {
						checkReads(ctx, t, outside, before, drawOptions(t))
					}
				}
			},
		})
		return nil
	})
	require.NoError(t, err)
	if tx != nil {
		now := w.b.Now()
		version, err := tx.Commit(ctx)
		require.NoError(t, err)
		checkReads(ctx, t, outside, before.extend(own, now, version), drawOptions(t))
	}
}

// appendBoth appends drawn events to a log and its twin, and compares the places that they got.
func appendBoth(ctx context.Context, t *rapid.T, w *world, l Log, state twin, inTx bool) twin {
	events := drawEvents(t)
	now := w.b.Now()
	if inTx {
		now = w.clock.Load()
	}
	var places []Appended
	if len(events) == 1 && rapid.Bool().Draw(t, "single") {
		place, err := l.Append(ctx, events[0].Type, events[0].Payload)
		require.NoError(t, err)
		places = []Appended{place}
	} else {
		var err error
		places, err = l.AppendMany(ctx, events)
		require.NoError(t, err)
	}
	require.Len(t, places, len(events))
	require.Equal(t, inTx, places[0].Version == 0)
	n := len(state)
	state = state.extend(events, now, places[0].Version)
	for i, place := range places {
		e := state[n+i]
		require.Equal(t, Appended{Seq: e.Seq, Hash: e.Hash, Version: e.Version}, place)
	}
	return state
}

// drawOptions draws options of which some select nothing.
func drawOptions(t *rapid.T) ListOptions {
	place := rapid.OneOf(rapid.Uint64Range(0, 12),
		rapid.SampledFrom([]uint64{codec.MaxSequence, noEnd, 1<<64 - 1}))
	at := rapid.Custom(func(t *rapid.T) time.Time {
		far := []time.Time{{}, {}, time.Unix(1<<60, 0), time.Unix(-1<<60, 0)}
		near := time.Unix(0, start+rapid.Int64Range(-5, 10).Draw(t, "time"))
		return rapid.SampledFrom(append(far, near, near)).Draw(t, "at")
	})
	o := ListOptions{
		Start: place.Draw(t, "start"), End: place.Draw(t, "end"),
		Since: at.Draw(t, "since"), Until: at.Draw(t, "until"),
		Reverse: rapid.Bool().Draw(t, "reverse"), Limit: rapid.IntRange(0, 4).Draw(t, "limit"),
	}
	if rapid.Bool().Draw(t, "typed") {
		o.Type = drawType.Draw(t, "type")
	}
	return o
}

// checkReads compares every reading method with the slice.
func checkReads(ctx context.Context, t *rapid.T, l Log, state twin, o ListOptions) {
	require.Equal(t, state.list(o), all(t, l.List(ctx, o)), "%+v", o)
	want := state.list(ListOptions{Start: o.Start, End: o.End})
	if o.End == 0 {
		want = nil // the end of a Range is its end
	}
	require.Equal(t, want, all(t, l.Range(ctx, o.Start, o.End)), "%d %d", o.Start, o.End)
	n, err := l.Len(ctx)
	require.NoError(t, err)
	require.EqualValues(t, len(state), n)
	head, ok, err := l.Head(ctx)
	require.NoError(t, err)
	require.Equal(t, len(state) > 0, ok)
	v := Verification{Valid: true, Length: n}
	if ok {
		require.Equal(t, state[n-1], head)
		v.Head = head.Hash
	}
	for _, seq := range []uint64{o.Start, n - 1, n, 0} {
		e, ok, err := l.Get(ctx, seq)
		require.NoError(t, err)
		require.Equal(t, seq < n, ok)
		if ok {
			require.Equal(t, state[seq], e)
		}
	}
	counts := map[string]uint64{}
	var types []string
	for _, e := range state {
		counts[e.Type]++
	}
	for typ := range counts {
		types = append(types, typ)
	}
	slices.Sort(types)
	require.Equal(t, types, all(t, l.Types(ctx)))
	typ := drawType.Draw(t, "counted")
	count, err := l.CountType(ctx, typ)
	require.NoError(t, err)
	require.Equal(t, counts[typ], count, "%q", typ)
	found, err := l.Verify(ctx)
	require.NoError(t, err)
	require.Equal(t, v, found)
	report, err := l.VerifyIndex(ctx)
	require.NoError(t, err)
	require.Equal(t, IndexReport{Events: n, Entries: n}, report)
}
