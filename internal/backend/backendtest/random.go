package backendtest

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// randomChecks drive the authority step by step from one goroutine, so that every answer can be
// predicted: conflicts to the last key, existed, sequence numbers and hashes. A failure prints the
// seed and is cut down to a short history.
var randomChecks = []Check{
	{"histories-equal-the-dumb-twin", func(w *world) { w.random(false) }},
	{"histories-with-reopen-equal-the-dumb-twin", func(w *world) {
		if w.env.Reopen == nil {
			w.skip("no Reopen")
		}
		w.random(true)
	}},
}

func (w *world) random(reopen bool) {
	t, ok := w.tester.(rapid.TB)
	require.True(w, ok)
	rapid.Check(t, func(rt *rapid.T) {
		p := newPlay(w.within(rt), rt)
		steps := rapid.SampledFrom([]int{3, 10, 30, 100}).Draw(rt, "steps")
		for range steps {
			p.step()
		}
		for _, x := range p.open {
			x.rollback()
		}
		if reopen && rapid.IntRange(0, 3).Draw(rt, "reopen") == 0 { // it costs far more than steps
			p.reopen()
		}
		p.compareEverything()
	})
}

// play is one random history on two fresh scopes of a store that other histories have used before.
type play struct {
	w      *world
	rt     *rapid.T
	h      *history
	scopes []*backend.Scope
	dead   []*backend.Scope // deleted on the way
	forks  map[*backend.Scope]forkPoint
	from   uint64 // the first version of this history
	last   uint64
	open   []*txn
	tail   []backend.Commit // what Tail has to say in the end
	values int
}

var playKeys = []string{"", "\x00", "a", "a\x00", "a/b", "b", "\xff"}

func newPlay(w *world, rt *rapid.T) *play {
	p := &play{w: w, rt: rt, scopes: []*backend.Scope{w.scope(), w.scope()},
		forks: map[*backend.Scope]forkPoint{}}
	p.last = w.b.Published()
	p.from = p.last + 1
	p.h = newHistory(w.b.Now())
	p.h.nums[codec.SystemScope] = w.commits(w.sys, p.last).Count
	for _, s := range p.scopes {
		p.h.cells[recordCell(s)] = []entry{{Record: bare(w.recordOf(s))}}
	}
	return p
}

// recordCell is where a scope's record lies.
func recordCell(s *backend.Scope) cell {
	return cell{codec.SystemScope, codec.ScopeRecords, s.Record}
}

func (p *play) step() {
	action := rapid.SampledFrom([]string{"begin", "read", "read", "write", "write", "commit",
		"commit", "direct", "direct", "sweep", "clock", "drop", "fork",
		"flatten"}).Draw(p.rt, "action")
	switch action {
	case "begin":
		if len(p.open) < 4 {
			x := p.w.begin()
			x.serializable = rapid.Bool().Draw(p.rt, "serializable")
			require.Equal(p.w, p.w.b.Published(), x.pin.Version())
			p.open = append(p.open, x)
		}
	case "read":
		p.pick(p.read)
	case "write":
		p.pick(p.write)
	case "commit":
		p.pick(func(x *txn) {
			for i := range p.open {
				if p.open[i] == x {
					p.open = append(p.open[:i], p.open[i+1:]...)
					break
				}
			}
			p.commit(&x.req)
			x.pin.Release()
		})
	case "direct":
		x := &txn{w: p.w}
		p.write(x)
		p.commit(&x.req)
	case "sweep":
		p.commit(p.sweep())
	case "drop":
		if rapid.IntRange(0, 3).Draw(p.rt, "rarely") == 0 {
			p.drop(rapid.IntRange(0, len(p.scopes)-1).Draw(p.rt, "dropped"))
		}
	case "fork":
		if len(p.scopes) < 6 {
			p.fork()
		}
	case "flatten":
		p.flatten(p.scope())
	case "clock":
		p.w.clock.Advance(time.Duration(rapid.IntRange(-2, 6).Draw(p.rt, "seconds")) * time.Second)
		p.h.time = max(p.w.now(), p.h.time)
		require.Equal(p.w, p.h.time, p.w.b.Now())
	}
}

// pick chooses one of the open transactions, if there is one.
func (p *play) pick(f func(x *txn)) {
	if len(p.open) > 0 {
		f(p.open[rapid.IntRange(0, len(p.open)-1).Draw(p.rt, "transaction")])
	}
}

func (p *play) scope() *backend.Scope { return rapid.SampledFrom(p.scopes).Draw(p.rt, "scope") }

func (p *play) key() string { return rapid.SampledFrom(playKeys).Draw(p.rt, "key") }

func (p *play) read(x *txn) {
	s, at := p.scope(), x.pin.Version()
	if rapid.Bool().Draw(p.rt, "get") {
		key := p.key()
		require.Equal(p.w, p.h.at(cell{s.Number, codec.KV, key}, at), bare(x.get(s, key)))
		return
	}
	r := p.bounds()
	p.samePairs(p.h.live(s.Number, codec.KV, r, at), x.scan(s, r))
}

func (p *play) bounds() backend.Range {
	return backend.Range{Start: p.key(), End: p.key(),
		Reverse: rapid.Bool().Draw(p.rt, "reverse")}
}

func (p *play) samePairs(want, got []pair) {
	require.Equal(p.w, keysOf(want), keysOf(got))
	for i := range want {
		require.Equal(p.w, want[i].record, bare(got[i].record))
	}
}

func (p *play) write(x *txn) {
	for range rapid.IntRange(1, 3).Draw(p.rt, "writes") {
		s, key := p.scope(), p.key()
		p.values++
		value := fmt.Sprint("value ", p.values)
		switch rapid.IntRange(0, 6).Draw(p.rt, "kind") {
		case 6:
			x.write(putIndex(s, key, value))
			if rapid.Bool().Draw(p.rt, "remove") {
				x.write(delIndex(s, key))
			}
		case 0, 1:
			x.put(s, key, value)
		case 2:
			seconds := rapid.IntRange(1, 5).Draw(p.rt, "ttl")
			x.write(putUntil(s, key, value, p.w.now()+int64(seconds)*second))
		case 3:
			x.del(s, key)
		case 4:
			// The stamp is mostly the current one, else one of the past, or made up.
			expected := p.h.written(cell{s.Number, codec.KV, key}, beyond)
			switch rapid.IntRange(0, 5).Draw(p.rt, "stamp") {
			case 0:
				expected = p.h.written(cell{s.Number, codec.KV, key}, p.last/2+p.from/2)
			case 1:
				expected++
			}
			x.cas(s, key, expected, value)
		case 5:
			x.append(s, "step", value)
		}
	}
}

// sweep is what a sweeper would submit, with a mistake now and then.
func (p *play) sweep() *backend.Request {
	r := &backend.Request{Flags: codec.FlagExpiry}
	s := p.scope()
	for _, q := range p.h.live(s.Number, codec.KV, backend.Range{}, beyond) {
		stamp := q.record.Stamp
		if rapid.IntRange(0, 4).Draw(p.rt, "stale") == 0 {
			stamp--
		}
		r.Writes = append(r.Writes, expire(s, q.key, stamp))
	}
	return r
}

// commit submits a request and compares the answer with the prediction.
func (p *play) commit(r *backend.Request) {
	w := p.w
	out, err := w.b.Commit(w.ctx, r)
	readOnly := len(r.Writes)+len(r.Appends)+len(r.Conditions) == 0
	if p.gone(r) && !readOnly {
		require.ErrorIs(w, err, backend.ErrScopeGone)
		require.Zero(w, out)
		require.Equal(w, p.last, w.b.Published())
		return
	}
	if want := p.h.conflicts(r); len(want) > 0 && !readOnly {
		w.wantConflict(r, out, err, want...)
		require.Equal(w, p.last, w.b.Published())
		return
	}
	require.NoError(w, err)
	now := max(w.now(), p.h.time)
	e := p.h.effect(r, now)
	if len(e.changes) == 0 {
		require.Equal(w, backend.Outcome{}, out)
		require.Equal(w, p.last, w.b.Published())
		return
	}
	require.Greater(w, out.Version, p.last)
	require.Equal(w, out.Version, w.b.Published())
	require.Equal(w, e.existed, out.Existed)
	commit := backend.Commit{Scopes: p.h.scopes(e), CommitRecord: codec.CommitRecord{
		Version: out.Version, Previous: p.last, Time: now, Flags: r.Flags}}
	for _, w := range r.Writes {
		if w.Op == backend.Put && w.Expiry > commit.Deadline {
			commit.Deadline = w.Expiry
		}
	}
	for _, s := range commit.Scopes {
		commit.CommitRecord.Scopes = append(commit.CommitRecord.Scopes,
			codec.ScopeCommit{Scope: s.Scope, Number: s.Number})
	}
	appended := p.h.apply(r, e, out.Version, now)
	require.Equal(w, appended, append([]backend.Appended(nil), out.Appends...))
	p.tail = append(p.tail, commit)
	p.last = out.Version
}

// compareEverything reads all keys and scans a few ranges at every version of the history.
func (p *play) compareEverything() {
	w := p.w
	require.Equal(w, p.told(), w.tail(p.from))
	for _, s := range p.dead {
		w.wantNoReads(s, p.from, p.last)
		w.wantNoWrites(again(s))
	}
	ranges := []backend.Range{{}, {Reverse: true}, p.bounds()}
	for v := p.from - 1; v <= p.last; v++ {
		for _, s := range p.scopes {
			for _, key := range playKeys {
				for _, letter := range []codec.Primitive{codec.KV, codec.KV.Index()} {
					require.Equal(w, p.h.at(cell{s.Number, letter, key}, v),
						bare(w.read(s, letter, key, v)), "%s %q at %d", letter, key, v)
				}
			}
			for _, r := range ranges {
				p.samePairs(p.h.live(s.Number, codec.KV, r, v), w.scan(s, r, v))
			}
			p.samePairs(p.h.live(s.Number, codec.Events, backend.Range{}, v),
				w.scanOf(s, codec.Events, backend.Range{}, v))
		}
	}
	for _, s := range p.scopes {
		w.wantTypes(s, p.last)
		p.sameCommits(s)
		p.sameJournal(s)
	}
}

// sameCommits compares the extent of a scope's history at every version.
func (p *play) sameCommits(s *backend.Scope) {
	var want backend.ScopeCommits
	made := p.h.made[s.Number]
	for v := p.from - 1; v <= p.last; v++ {
		for ; len(made) > 0 && made[0].version <= v; made = made[1:] {
			if want.Count == 0 {
				want.First = made[0].version
			}
			want.Last = made[0].version
			want.Count++
		}
		require.Equal(p.w, want, p.w.commits(s, v), "scope %d at %d", s.Number, v)
	}
}

// sameJournal compares the journal of a scope, and every value in it.
func (p *play) sameJournal(s *backend.Scope) {
	w, all := p.w, p.h.made[s.Number]
	r := backend.JournalRange{At: beyond, Values: backend.OldAndNewValues}
	entries := w.journal(s, r)
	require.Len(w, entries, len(all))
	for i, e := range entries {
		require.Equal(w, []uint64{all[i].version, uint64(i) + 1}, []uint64{e.Version, e.Number})
		var changes []codec.Change
		for j := range e.Changes {
			changes = append(changes, e.Changes[j].Change)
			w.wantChange(s, &e, &e.Changes[j])
		}
		require.Equal(w, all[i].changes, changes)
	}
	if len(all) > 0 {
		middle := len(all) / 2
		r.From = uint64(middle) + 1
		require.Equal(w, entries[middle:], w.journal(s, r))
		r.From, r.At = 0, all[middle].version
		require.Equal(w, entries[:middle+1], w.journal(s, r))
	}
}
