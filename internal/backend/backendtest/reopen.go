package backendtest

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// reopenChecks are requirements 2.7 for a store that was closed in order. They are skipped if the
// Env cannot reopen.
var reopenChecks = []Check{
	{"E80-R093-version-is-that-of-the-last-commit", func(w *world) {
		s := w.scope()
		w.put(s, "k", "0")
		last := w.del(s, "k").Version // a deletion counts like any other
		for range rounds(10) {
			w.reopen()
			require.Equal(w, last, w.b.Published())
			require.Equal(w, last, w.b.Durable())
			v := w.put(s, "k", "again")
			require.Greater(w, v, last, "E83: nothing restarts")
			last = w.del(s, "k").Version
			require.Equal(w, v, w.commitRecord(last).Previous)
		}
	}},
	{"E82-every-version-reads-as-before", func(w *world) {
		s := w.scope()
		for i := range 60 {
			switch key := fmt.Sprint(i % 7); {
			case i%5 == 4:
				w.del(s, key)
			case i%11 == 3:
				w.begin().append(s, "step", key).put(s, key, fmt.Sprint(i)).mustCommit()
			default:
				w.put(s, key, fmt.Sprint(i))
			}
		}
		type state struct {
			pairs   []pair
			records []backend.Record
			events  []link
		}
		look := func() []state {
			var all []state
			for v := range w.b.Published() + 1 {
				var x state
				for _, p := range w.scan(s, backend.Range{}, v) {
					x.pairs = append(x.pairs, pair{p.key, bare(p.record)})
				}
				for i := range 7 {
					x.records = append(x.records, bare(w.getAt(s, fmt.Sprint(i), v)))
				}
				x.events = w.chain(s, v)
				w.wantTypes(s, v)
				all = append(all, x)
			}
			return all
		}
		states, commits := look(), w.tail(0)
		w.reopen()
		require.Equal(w, states, look())
		require.Equal(w, commits, w.tail(0)[:len(commits)])
	}},
	{"R145-deadlines-and-stamps-survive", func(w *world) {
		s := w.scope()
		deadline := w.now() + second
		w.commit(putUntil(s, "a", "0", deadline), putUntil(s, "b", "0", deadline))
		w.clock.Advance(long)
		old := w.get(s, "a").Stamp
		swept := w.sweep(expire(s, "a", old)).Version
		w.reopen()
		require.Equal(w, backend.Record{Version: swept, Stamp: old, Deleted: true},
			bare(w.get(s, "a")))
		require.Equal(w, deadline, w.get(s, "b").Expiry)
		require.Equal(w, backend.Outcome{}, w.del(s, "b"))
		w.begin().cas(s, "a", 0, "x").wantConflict(casOf(s, "a", 0, old))
		w.begin().cas(s, "a", old, "x").mustCommit()
	}},
	{"conflicts-are-found-across-it", func(w *world) {
		s := w.scope()
		old := w.put(s, "k", "0")
		gone := w.put(s, "gone", "0")
		gone = max(gone, w.del(s, "gone").Version)
		w.reopen()
		w.begin().cas(s, "k", old-1, "1").wantConflict(casOf(s, "k", old-1, old))
		w.begin().cas(s, "gone", 0, "1").wantConflict(casOf(s, "gone", 0, gone))
		x := w.beginSerializable()
		require.Equal(w, old, x.get(s, "k").Stamp)
		require.Equal(w, gone, x.get(s, "gone").Stamp)
		x.scan(s, backend.Range{})
		x.put(s, "j", "T1").mustCommit()
		require.Equal(w, 1, w.del(s, "k").Existed)
		require.Equal(w, backend.Outcome{}, w.del(s, "gone"))
	}},
	{"a-scan-merges-old-and-new", func(w *world) {
		s := w.scope()
		w.commit(put(s, "a", "old"), put(s, "b", "old"), put(s, "c", "old"), put(s, "d", "old"))
		w.reopen()
		w.commit(put(s, "b", "new"), del(s, "c"), put(s, "bb", "new"), put(s, "", "new"))
		at := w.b.Published()
		require.Equal(w, []string{"", "a", "b", "bb", "d"}, keysOf(w.scan(s, backend.Range{}, at)))
		require.Equal(w, []string{"d", "bb", "b", "a", ""},
			keysOf(w.scan(s, backend.Range{Reverse: true}, at)))
		require.Equal(w, []string{"a", "b", "c", "d"}, keysOf(w.scan(s, backend.Range{}, at-1)))
		w.wantValue(s, "b", "new")
	}},
	{"phantoms-in-a-reopened-scope", func(w *world) {
		s := w.scope()
		w.commit(put(s, "p/1", "old"), put(s, "p/3", "old"))
		w.reopen()
		x := w.beginSerializable()
		x.scan(s, backend.PrefixRange("p/"))
		now := w.put(s, "p/2", "T2")
		x.put(s, "j", "T1").wantConflict(readAt(s, "p/2", 0, now))
	}},
	{"logs-and-numbers-go-on", func(w *world) {
		s := w.scope()
		w.begin().append(s, "step", "0").append(s, "step", "1").mustCommit()
		w.reopen()
		out := w.begin().append(s, "step", "2").mustCommit()
		require.Equal(w, uint64(2), out.Appends[0].Sequence)
		require.Len(w, w.chain(s, out.Version), 3)
		require.Equal(w, []uint64{1, 2}, w.numbers(s))
	}},
	{"commit-time-does-not-go-back", func(w *world) {
		s := w.scope()
		w.clock.Advance(time.Hour)
		before := w.commitRecord(w.put(s, "k", "0")).Time
		w.clock.Advance(-2 * time.Hour)
		w.reopen()
		require.Equal(w, before, w.commitRecord(w.put(s, "k", "1")).Time)
	}},
	{"scope-status-and-numbers-survive", func(w *world) {
		active, ended, dropped := w.scope(), w.scope(), w.scope()
		w.put(dropped, "k", "0")
		w.setStatus(ended, codec.Failed)
		w.drop(dropped)
		unused := w.allocate()
		w.reopen()
		fresh := w.allocate()
		for _, s := range []*backend.Scope{active, ended, dropped, unused} {
			require.NotEqual(w, s.Number, fresh.Number, "a number is given out once")
		}
		w.put(again(active), "k", "0")
		w.wantNotActive(again(ended), codec.Failed)
		w.wantNoWrites(again(dropped))
		w.wantNoReads(again(dropped))
		w.wantNoWrites(unused)
	}},
	{"close-waits-for-commits-under-way", closeRace},
}

// closeRace closes the authority under writers. Every commit that was acknowledged must be there
// afterwards, and none that was refused.
func closeRace(w *world) {
	if w.env.Reopen == nil {
		w.skip("no Reopen")
	}
	const writers = 8
	s := w.scope()
	acknowledged := make([]uint64, writers)
	counts := make([]int, writers)
	var started atomic.Int32
	var closed atomic.Bool
	w.parallel(writers+1, func(i int) {
		if i == writers {
			for started.Load() < writers && w.going() {
				w.sleep(time.Millisecond)
			}
			w.sleep(5 * time.Millisecond)
			require.NoError(w, w.b.Close())
			closed.Store(true)
			return
		}
		for n := 0; w.going(); n++ {
			over := closed.Load()
			out, err := w.b.Commit(w.ctx, &backend.Request{
				Writes: []backend.Write{put(s, fmt.Sprintf("%d/%06d", i, n), "0")}})
			if err != nil {
				require.ErrorIs(w, err, backend.ErrClosed)
				break
			}
			require.False(w, over, "commit %d began after the close", out.Version)
			if n == 0 {
				started.Add(1)
			}
			acknowledged[i], counts[i] = out.Version, n+1
		}
	})
	w.reopen()
	for i := range writers {
		pairs := w.scan(s, backend.PrefixRange(fmt.Sprintf("%d/", i)), w.b.Published())
		require.Len(w, pairs, counts[i])
		require.Equal(w, acknowledged[i], pairs[len(pairs)-1].record.Version)
	}
}
