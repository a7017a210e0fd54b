package memtable

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// The dumb twin: every version that was ever committed, by key. It is the store and the oracle.
type truth struct {
	tb      *Table
	now     uint64 // newest committed version
	horizon uint64 // of the last Evict or Forget
	scopes  []*twin
}

type twin struct {
	s        *Scope
	born     uint64 // what was committed before is in the store only
	complete bool   // made complete, and nothing was ever evicted from it
	keys     map[string][]Record
	refs     map[string]Ref
	since    map[string]uint64 // last version at which memory must know the key
}

// at is the newest version of a key at a snapshot; Version 0 is none.
func (w *twin) at(key string, at uint64) (r Record) {
	for _, v := range w.keys[key] {
		if v.Version <= at {
			r = v
		}
	}
	return r
}

func genKey(t *rapid.T) string {
	return rapid.OneOf(
		rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("event/%04d", rapid.IntRange(0, 60).Draw(t, "n"))
		}),
		rapid.StringOfN(rapid.RuneFrom([]rune{0, 'a', 'b'}), 0, 4, -1),
		rapid.Custom(func(t *rapid.T) string {
			return strings.Repeat("p", rapid.IntRange(0, 20).Draw(t, "n"))
		}),
	).Draw(t, "key")
}

func (m *truth) pick(t *rapid.T) *twin { return m.scopes[m.index(t)] }

func (m *truth) index(t *rapid.T) int {
	return rapid.IntRange(0, len(m.scopes)-1).Draw(t, "scope")
}

func (m *truth) newScope(t *rapid.T) {
	w := &twin{complete: rapid.Bool().Draw(t, "complete"), keys: map[string][]Record{},
		refs: map[string]Ref{}, since: map[string]uint64{}}
	if !w.complete { // it has a past in the store
		for i := rapid.IntRange(0, 5).Draw(t, "past"); i > 0; i-- {
			m.now++
			w.keys[genKey(t)] = []Record{{Version: m.now, Stamp: m.now, Value: []byte("past")}}
		}
	}
	w.born = m.now
	m.tb.newest = m.now // as if those commits had gone through this table
	w.s = m.tb.NewScope(uint64(len(m.scopes)), w.complete)
	m.scopes = append(m.scopes, w)
}

func (m *truth) apply(t *rapid.T) {
	w := m.pick(t)
	m.now += rapid.Uint64Range(1, 3).Draw(t, "step")
	for i := rapid.IntRange(1, 8).Draw(t, "writes"); i > 0; i-- {
		key := genKey(t)
		old := w.at(key, math.MaxUint64)
		if old.Version == m.now {
			continue // one write per key and commit
		}
		r := Record{Version: m.now, Stamp: m.now}
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			r.Deleted = true
		case 1:
			r.Elsewhere = true
			r.Expiry = 77
		case 2:
			if old.Version != 0 {
				r.Deleted, r.Stamp = true, old.Stamp // an expiry tombstone
			}
		case 3:
			r.Expiry = int64(m.now)
			fallthrough
		default:
			n := rapid.SampledFrom([]int{0, 1, 8, 60, 200, 990, 1022, 1023, 3000}).Draw(t, "size")
			r.Value = []byte(strings.Repeat(string(rune('a'+m.now%26)), n))
		}
		w.refs[key] = w.s.Apply('k', key, r)
		w.keys[key] = append(w.keys[key], r)
		w.since[key] = m.now
	}
}

func (m *truth) admit(t *rapid.T) {
	w, key := m.pick(t), genKey(t)
	since := rapid.Uint64Range(0, m.now).Draw(t, "since")
	w.s.Admit('k', key, w.at(key, since), since)
}

func (m *truth) evict(t *rapid.T) {
	m.horizon = rapid.Uint64Range(m.horizon, m.now).Draw(t, "horizon")
	m.tb.Evict(m.horizon, rapid.Int64Range(1, 10000).Draw(t, "bytes"))
	for _, w := range m.scopes {
		w.complete = w.complete && w.s.Complete()
	}
}

func (m *truth) cold(t *rapid.T)   { m.pick(t).s.MarkCold() }
func (m *truth) forget(t *rapid.T) { m.tb.Forget(m.horizon) }

func (m *truth) drop(t *rapid.T) {
	i := m.index(t)
	w := m.scopes[i]
	m.tb.DropScope(w.s)
	_, _, ans := w.s.Get('k', "a", m.now)
	require.Equal(t, Unknown, ans)
	w.s.Apply('k', "a", Record{Version: m.now, Stamp: m.now})
	require.True(t, !w.s.Scan('k', "", "", false, m.now).Next())
	m.scopes = slices.Delete(m.scopes, i, i+1)
	if len(m.scopes) == 0 {
		m.newScope(t)
	}
}

func (m *truth) get(t *rapid.T) {
	w, key := m.pick(t), genKey(t)
	at := rapid.OneOf(rapid.Just(m.now), rapid.Uint64Range(0, m.now)).Draw(t, "at")
	r, ref, ans := w.s.Get('k', key, at)
	m.judge(t, w, key, at, r, ans)
	if stamp, ok := m.tb.StampAt(ref); ok {
		require.Equal(t, w.at(key, math.MaxUint64).Stamp, stamp)
	} else {
		require.Zero(t, ref, "a fresh ref is alive")
	}
}

// judge holds an answer against the truth.
func (m *truth) judge(t require.TestingT, w *twin, key string, at uint64, r Record, ans Answer) {
	want := w.at(key, at)
	switch ans {
	case Found:
		if len(want.Value) == 0 {
			want.Value, r.Value = nil, nil
		}
		require.Equal(t, want, r, "%q at %d", key, at)
	case Absent:
		require.Zero(t, want.Version, "%q at %d is not absent", key, at)
	case Unknown:
		require.Zero(t, r)
		newest := w.at(key, math.MaxUint64).Version
		known := newest <= at && (w.complete || w.since[key] > m.horizon)
		require.False(t, known, "%q at %d must be known, horizon %d", key, at, m.horizon)
	}
}

// check runs after each step: nothing that memory must know is unknown, by any way of asking.
func (m *truth) check(t *rapid.T) {
	verify(t, m.tb)
	for _, w := range m.scopes {
		for _, key := range slices.Sorted(maps.Keys(w.keys)) {
			r, _, ans := w.s.Newest('k', key)
			m.judge(t, w, key, math.MaxUint64, r, ans)
			if stamp, ok := m.tb.StampAt(w.refs[key]); ok {
				require.Equal(t, w.at(key, math.MaxUint64).Stamp, stamp)
			}
		}
	}
}

func (m *truth) scan(t *rapid.T) {
	w := m.pick(t)
	start, end := genKey(t), genKey(t)
	if rapid.Bool().Draw(t, "unbounded") {
		start, end = "", ""
	}
	reverse := rapid.Bool().Draw(t, "reverse")
	at := rapid.OneOf(rapid.Just(m.now), rapid.Uint64Range(0, m.now)).Draw(t, "at")
	var want []string
	for key := range w.keys {
		r := w.at(key, at)
		if key >= start && (end == "" || key < end) && r.Version != 0 && !r.Deleted {
			want = append(want, key)
		}
	}
	slices.Sort(want)
	if reverse {
		slices.Reverse(want)
	}
	c := &mixedWalk{Cursor: w.s.Scan('k', start, end, reverse, at),
		most: rapid.IntRange(0, BlockSize+1).Draw(t, "block")}
	defer c.Close()
	i := 0
	for ; c.Next(); i++ {
		require.Less(t, i, len(want), "unexpected %q", c.Key())
		require.Equal(t, want[i], c.Key())
		m.judge(t, w, c.Key(), at, *c.Record(), Found)
	}
	if !c.Partial() {
		require.Equal(t, len(want), i, "a key is missing")
	}
	if w.complete && at == m.now {
		require.False(t, c.Partial())
	}
	require.False(t, c.Next())
}

func (m *truth) writesSince(t *rapid.T) {
	w := m.pick(t)
	start, end := genKey(t), genKey(t)
	version := rapid.Uint64Range(max(m.horizon, w.born), m.now).Draw(t, "version")
	want := map[string]uint64{}
	for key, versions := range w.keys {
		if key < start || end != "" && key >= end {
			continue
		}
		for _, v := range versions {
			if v.Stamp == v.Version && v.Version > version {
				want[key] = v.Version
			}
		}
	}
	got := map[string]uint64{}
	w.s.WritesSince(version, 'k', start, end, func(key string, stamp uint64) bool {
		require.NotContains(t, got, key)
		got[key] = stamp
		return true
	})
	require.Equal(t, want, got)
}

// TestModel drives the table and its twin with the same random calls: no read is wrong,
// whatever was evicted.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &truth{tb: New(Options{SegmentSize: minSegmentSize}), now: 5}
		m.newScope(t)
		apply := m.apply
		t.Repeat(map[string]func(*rapid.T){
			"": m.check, "new": m.newScope, "drop": m.drop, "cold": m.cold, "forget": m.forget,
			"apply": apply, "apply2": apply, "apply3": apply, "admit": m.admit, "evict": m.evict,
			"get": m.get, "scan": m.scan, "writes": m.writesSince,
		})
	})
}
