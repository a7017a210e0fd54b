package backendtest

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// appendChecks are the promises of the event log that only the authority can keep (E50-E56).
var appendChecks = []Check{
	{"E50-R160-first-event-of-a-log", func(w *world) {
		s := w.scope()
		out := w.begin().append(s, "step", "one").mustCommit()
		require.Len(w, out.Appends, 1)
		require.Zero(w, out.Appends[0].Sequence)
		links := w.chain(s, out.Version)
		require.Len(w, links, 1)
		require.Equal(w, out.Appends[0].Hash, links[0].Hash)
		require.Equal(w, "step", links[0].Type)
		require.Equal(w, text("one"), links[0].Payload)
		require.Equal(w, w.now(), links[0].Time)
		require.Zero(w, links[0].Previous)
	}},
	{"E51-several-in-one-commit-in-order", func(w *world) {
		s, other := w.scope(), w.scope()
		w.begin().append(other, "step", "0").mustCommit()
		x := w.begin()
		for i := range 5 {
			x.append(s, "step", fmt.Sprint(i))
			x.append(other, "step", fmt.Sprint(i))
		}
		out := x.put(s, "k", "with them").mustCommit()
		mine, theirs := w.chain(s, out.Version), w.chain(other, out.Version)
		require.Len(w, mine, 5)
		require.Len(w, theirs, 6)
		for i := range 5 {
			require.Equal(w, uint64(i), out.Appends[2*i].Sequence)
			require.Equal(w, uint64(i+1), out.Appends[2*i+1].Sequence)
			require.Equal(w, mine[i].Hash, out.Appends[2*i].Hash)
			require.Equal(w, theirs[i+1].Hash, out.Appends[2*i+1].Hash)
			require.Equal(w, text(fmt.Sprint(i)), mine[i].Payload)
			require.Equal(w, out.Version, mine[i].version)
		}
	}},
	{"E50-R165-aborted-append-burns-nothing", func(w *world) {
		s := w.scope()
		w.begin().append(s, "step", "0").mustCommit()
		x := w.begin()
		x.get(s, "k")
		w.put(s, "k", "T2")
		_, err := x.append(s, "step", "lost").append(s, "step", "lost").commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		out := w.begin().append(s, "step", "1").mustCommit()
		require.Equal(w, uint64(1), out.Appends[0].Sequence)
		require.Len(w, w.chain(s, out.Version), 2)
	}},
	{"E52-appends-never-conflict", func(w *world) {
		s := w.scope()
		x, y := w.begin(), w.begin()
		w.begin().append(s, "step", "0").mustCommit()
		require.Equal(w, uint64(1), x.append(s, "step", "1").mustCommit().Appends[0].Sequence)
		require.Equal(w, uint64(2), y.append(s, "step", "2").mustCommit().Appends[0].Sequence)
	}},
	{"E52-reading-the-end-of-the-log-conflicts", func(w *world) {
		s := w.scope()
		w.begin().append(s, "step", "0").mustCommit()
		x := w.begin()
		require.Equal(w, backend.Record{}, x.read(s, codec.Events, codec.EventUserKey(1)))
		out := w.begin().append(s, "step", "1").mustCommit()
		x.append(s, "step", "late").wantConflict(backend.Conflict{Scope: s.Number,
			Primitive: codec.Events, Key: codec.EventUserKey(1), Found: out.Version})
	}},
	{"E53-time-is-the-commit-time", func(w *world) {
		s := w.scope()
		w.begin().append(s, "step", "0").mustCommit()
		x := w.begin().append(s, "step", "1")
		w.clock.Advance(time.Hour)
		require.Equal(w, w.now(), w.chain(s, x.mustCommit().Version)[1].Time)
		w.clock.Advance(-2 * time.Hour)
		out := w.begin().append(s, "step", "2").mustCommit()
		links := w.chain(s, out.Version)
		require.Equal(w, links[1].Time, links[2].Time, "commit time never goes back")
	}},
	{"appends-show-as-such-in-history", func(w *world) {
		s := w.scope()
		out := w.begin().append(s, "step", "0").append(s, "step", "1").put(s, "k", "0").mustCommit()
		require.Equal(w, []codec.Change{
			{Primitive: codec.Events, Op: codec.ChangeAppend, Key: codec.EventUserKey(0)},
			{Primitive: codec.Events, Op: codec.ChangeAppend, Key: codec.EventUserKey(1)},
			{Primitive: codec.KV, Op: codec.ChangePut, Key: "k"},
		}, w.tail(out.Version)[0].Scopes[0].Changes)
	}},
	{"event-at-its-version", func(w *world) {
		s := w.scope()
		first := w.begin().append(s, "step", "0").mustCommit().Version
		w.begin().append(s, "step", "1").mustCommit()
		require.Len(w, w.chain(s, first), 1)
		require.Empty(w, w.chain(s, first-1))
		r := w.read(s, codec.Events, codec.EventUserKey(0), first)
		require.Equal(w, first, r.Stamp)
		require.Zero(w, r.Expiry)
	}},
	{"empty-type-is-refused", func(w *world) {
		s := w.scope()
		_, err := w.begin().append(s, "", "0").put(s, "k", "0").commit()
		require.ErrorIs(w, err, codec.ErrInvalidArgument)
		w.wantAbsent(s, "k")
		out := w.begin().append(s, "step", "0").mustCommit()
		require.Zero(w, out.Appends[0].Sequence)
	}},
	{"R161-every-event-is-found-by-its-type", func(w *world) {
		s := w.scope()
		types := []string{"b", "a", "b", "a\x00", "a\x00\xc3\xa4", "b", "__meta__", "/", "a"}
		for i, typ := range types {
			x := w.begin().append(s, typ, fmt.Sprint(i))
			if i == 3 {
				x.append(s, "a", "second of its commit").put(s, "k", "0")
			}
			x.mustCommit()
		}
		doomed := w.begin()
		doomed.get(s, "k")
		w.put(s, "k", "1")
		_, err := doomed.append(s, "a", "lost").commit()
		require.ErrorIs(w, err, backend.ErrConflict)
		for at := w.b.Published(); len(w.chain(s, at)) > 0; at-- {
			w.wantTypes(s, at)
		}
	}},
	{"type-of-the-greatest-size", func(w *world) {
		s := w.scope()
		for _, c := range []string{"x", "\x00"} {
			typ := strings.Repeat(c, codec.MaxEventType)
			w.begin().append(s, typ, "0").mustCommit()
			_, err := w.begin().append(s, typ+c, "0").put(s, "k", "0").commit()
			require.ErrorIs(w, err, codec.ErrTooLarge)
			w.wantAbsent(s, "k")
		}
		w.wantTypes(s, w.b.Published())
	}},
	{"large-payload-and-odd-type", func(w *world) {
		s := w.scope()
		a := event(s, "tool/\x00ä "+strings.Repeat("x", 1000), "")
		a.Payload = payload(w, make([]byte, 2<<20))
		a.Digest = codec.PayloadDigest(a.Payload)
		out := w.must(w.b.Commit(w.ctx, &backend.Request{Appends: []backend.Append{a}}))
		links := w.chain(s, out.Version)
		require.Len(w, links, 1)
		require.Equal(w, a.Type, links[0].Type)
		require.Equal(w, a.Payload, links[0].Payload)
	}},
	{"E50-R164-from-many-goroutines", appendRace},
}

// wantTypes demands that the index by type names every event of a log at a version, and no other.
func (w *world) wantTypes(s *backend.Scope, at uint64) {
	w.Helper()
	want := map[string]backend.Record{}
	for _, l := range w.chain(s, at) {
		want[codec.EventTypeKey(l.Type, l.seq)] = backend.Record{
			Version: l.version, Stamp: l.version, Value: []byte{0xf6}} // Null
	}
	found := map[string]backend.Record{}
	for _, p := range w.scanOf(s, codec.Events.Index(), backend.Range{}, at) {
		found[p.key] = bare(p.record)
		require.Equal(w, bare(p.record), bare(w.read(s, codec.Events.Index(), p.key, at)))
	}
	require.Equal(w, want, found, "index by type at version %d", at)
}

// appendRace lets 50 goroutines append 100 events each, in commits of one to three, every seventh
// of which is doomed to abort, to two logs.
func appendRace(w *world) {
	const writers = 50
	each := rounds(100)
	logs := []*backend.Scope{w.scope(), w.scope()}
	var mu sync.Mutex
	told := map[codec.Scope]map[uint64]codec.EventDigest{}
	total := map[codec.Scope]int{}
	for _, s := range logs {
		told[s.Number] = map[uint64]codec.EventDigest{}
	}
	w.parallel(writers, func(i int) {
		for n := 0; n < each; {
			s := logs[(i+n)%2]
			r := &backend.Request{}
			for range min(1+n%3, each-n) {
				r.Appends = append(r.Appends, event(s, "step", fmt.Sprintf("%d of %d", n, i)))
				n++
			}
			if n%7 == 0 {
				doomed := *r
				doomed.Conditions = []backend.Condition{
					{Scope: s, Primitive: codec.KV, Key: "never", Expected: beyond}}
				_, err := w.b.Commit(w.ctx, &doomed)
				require.ErrorIs(w, err, backend.ErrVersionMismatch)
			}
			out := w.must(w.b.Commit(w.ctx, r))
			require.Len(w, out.Appends, len(r.Appends))
			mu.Lock()
			for j, a := range out.Appends {
				require.Equal(w, out.Appends[0].Sequence+uint64(j), a.Sequence)
				told[s.Number][a.Sequence] = a.Hash
			}
			total[s.Number] += len(r.Appends)
			mu.Unlock()
		}
	})
	for _, s := range logs {
		links := w.chain(s, w.b.Published())
		require.Len(w, links, total[s.Number])
		require.Len(w, w.scanOf(s, codec.Events.Index(), backend.Range{}, w.b.Published()), len(links))
		require.Len(w, told[s.Number], len(links))
		for _, l := range links {
			require.Equal(w, l.Hash, told[s.Number][l.seq])
		}
	}
	require.Equal(w, writers*each, total[logs[0].Number]+total[logs[1].Number])
}
