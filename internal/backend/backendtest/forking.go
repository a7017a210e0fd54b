package backendtest

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// The words in which the stories about forks are told.

// forkPoint is what a fork's record says of its parent.
type forkPoint struct {
	parent    *backend.Scope
	version   uint64
	flattened bool
}

// forkRecord is the write that gives a fork a status.
func (w *world) forkRecord(s *backend.Scope, p forkPoint, status codec.Status) backend.Write {
	w.Helper()
	id, err := hex.DecodeString(strings.ReplaceAll(p.parent.Record, "-", ""))
	require.NoError(w, err)
	record := codec.ScopeRecord{Number: s.Number, Status: status, Created: w.now(),
		Updated: w.now(), Parent: [16]byte(id), ParentNumber: p.parent.Number,
		ForkVersion: p.version, Flattened: p.flattened}
	return backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record,
		Op: backend.Put, Value: encodeScope(w, record)}
}

// forking is the request that brings a fork into being.
func (w *world) forking(s *backend.Scope, p forkPoint) *backend.Request {
	w.Helper()
	r := w.creation(s, codec.Active)
	r.Writes = []backend.Write{w.forkRecord(s, p, codec.Active)}
	return r
}

// fork makes an Active fork of a scope at a version.
func (w *world) fork(parent *backend.Scope, at uint64) *backend.Scope {
	w.Helper()
	s := w.allocate()
	w.must(w.b.Commit(w.ctx, w.forking(s, forkPoint{parent: parent, version: at})))
	return s
}

// forkNow makes a fork at what is published.
func (w *world) forkNow(parent *backend.Scope) (s *backend.Scope, at uint64) {
	w.Helper()
	at = w.b.Published()
	return w.fork(parent, at), at
}

// look is all that a scope shows at a version.
type look struct {
	pairs   map[codec.Primitive][]pair
	records []backend.Record
	commits backend.ScopeCommits
}

// flatten copies what a fork inherits and says so in its record.
func (w *world) flatten(s *backend.Scope, p forkPoint) uint64 {
	w.Helper()
	require.NoError(w, w.b.Flatten(w.ctx, s))
	p.flattened = true
	return w.commit(w.forkRecord(s, p, codec.Active)).Version
}

// lookLetters are the primitives that the stories about forks write to.
var lookLetters = []codec.Primitive{codec.KV, codec.KV.Index(), codec.Events,
	codec.Events.Index()}

// look reads everything: scans in both directions, and gets of what they showed and of some keys.
func (w *world) look(s *backend.Scope, at uint64, keys ...string) look {
	w.Helper()
	l := look{pairs: map[codec.Primitive][]pair{}, commits: w.commits(s, at)}
	for _, p := range lookLetters {
		pairs := w.scanOf(s, p, backend.Range{}, at)
		for i := range pairs {
			pairs[i].record = bare(pairs[i].record)
			got := bare(w.read(s, p, pairs[i].key, at))
			require.Equal(w, pairs[i].record, got, "%s %q at %d", p, pairs[i].key, at)
		}
		back := w.scanOf(s, p, backend.Range{Reverse: true}, at)
		slices.Reverse(back)
		require.Equal(w, keysOf(pairs), keysOf(back), "%s at %d, backwards", p, at)
		for i := range back {
			require.Equal(w, pairs[i].record, bare(back[i].record))
		}
		if len(pairs) > 0 {
			l.pairs[p] = pairs
		}
	}
	for _, key := range keys {
		l.records = append(l.records, bare(w.read(s, codec.KV, key, at)))
	}
	w.chain(s, at)
	w.wantTypes(s, at)
	return l
}

// looks are the looks at every version up to one.
func (w *world) looks(s *backend.Scope, upTo uint64, keys ...string) []look {
	w.Helper()
	var all []look
	for v := uint64(0); v <= upTo; v += 1 + upTo/20 {
		all = append(all, w.look(s, v, keys...))
	}
	return append(all, w.look(s, upTo, keys...))
}

// wantInherited demands that a fork shows what its parent did, up to the fork version and at it.
func (w *world) wantInherited(s, parent *backend.Scope, version uint64, keys ...string) {
	w.Helper()
	require.Equal(w, w.looks(parent, version, keys...), w.looks(s, version, keys...))
}

// wantJoint demands that the commit numbers of a fork go on from its parent's.
func (w *world) wantJoint(s, parent *backend.Scope, version uint64) {
	w.Helper()
	want := w.commits(parent, version)
	for v := uint64(0); v <= version; v++ {
		require.Equal(w, w.commits(parent, v), w.commits(s, v), "at %d", v)
	}
	for _, c := range w.tail(version + 1) {
		require.Equal(w, want, w.commits(s, c.Version-1), "at %d", c.Version-1)
		for _, x := range c.Scopes {
			if x.Scope != s.Number {
				continue
			}
			require.Equal(w, want.Count+1, x.Number, "number of commit %d", c.Version)
			want.Count, want.Last = x.Number, c.Version
			if want.First == 0 {
				want.First = c.Version
			}
		}
		require.Equal(w, want, w.commits(s, c.Version), "at %d", c.Version)
	}
	require.Equal(w, want, w.commits(s, beyond))
}
