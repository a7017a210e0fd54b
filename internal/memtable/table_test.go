package memtable

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func put(v uint64, value string) Record {
	return Record{Version: v, Stamp: v, Value: []byte(value)}
}

func TestVersionsOfOneKey(t *testing.T) {
	tb := New(Options{})
	s := tb.NewScope(1, true)
	for v := uint64(1); v <= 20; v++ {
		s.Apply('k', "a", put(v*10, fmt.Sprint(v)))
	}
	for at := uint64(10); at <= 205; at++ {
		r, _, ans := s.Get('k', "a", at)
		require.Equal(t, Found, ans)
		require.Equal(t, at/10*10, r.Version)
		require.Equal(t, fmt.Sprint(at/10), string(r.Value))
	}
	_, ref, ans := s.Get('k', "a", 9)
	require.Equal(t, Absent, ans, "the scope was complete when the key was first written")
	require.NotZero(t, ref)
	for _, key := range []string{"", "b", strings.Repeat("x", maxKeyLen+1)} {
		_, ref, ans = s.Get('k', key, 100)
		require.Equal(t, Absent, ans)
		require.Zero(t, ref)
	}
	_, _, ans = s.Get('e', "a", 100)
	require.Equal(t, Absent, ans, "primitives do not share keys")
}

// TestLongChainsEndInTheStore: an old snapshot of a hot key costs a bounded walk.
func TestLongChainsEndInTheStore(t *testing.T) {
	s := New(Options{}).NewScope(1, true)
	for v := uint64(1); v <= 100; v++ {
		s.Apply('k', "a", put(v, ""))
	}
	_, _, ans := s.Get('k', "a", 100-maxHops+1)
	require.Equal(t, Found, ans)
	_, _, ans = s.Get('k', "a", 100-maxHops)
	require.Equal(t, Unknown, ans)
}

func TestIncompleteScopeKnowsOnlyWhatItSaw(t *testing.T) {
	tb := New(Options{Newest: 50})
	s := tb.NewScope(1, false)
	require.False(t, s.Complete())
	_, _, ans := s.Get('k', "a", 60)
	require.Equal(t, Unknown, ans)

	s.Apply('k', "a", put(60, "x"))
	_, _, ans = s.Get('k', "a", 60)
	require.Equal(t, Found, ans)
	_, _, ans = s.Get('k', "a", 59)
	require.Equal(t, Unknown, ans, "cut: the store may have older versions")

	s.Admit('k', "b", put(40, "old"), 60)
	r, _, ans := s.Get('k', "b", 60)
	require.Equal(t, Found, ans)
	require.Equal(t, "old", string(r.Value))
	_, _, ans = s.Get('k', "b", 39)
	require.Equal(t, Unknown, ans)

	s.Admit('k', "never", Record{}, 60)
	r, ref, ans := s.Get('k', "never", 60)
	require.Equal(t, Found, ans)
	require.Zero(t, r.Version)
	stamp, ok := tb.StampAt(ref)
	require.True(t, ok)
	require.Zero(t, stamp)
	_, _, ans = s.Get('k', "never", 59)
	require.Equal(t, Unknown, ans)

	s.Admit('k', "stale view", Record{}, 49)
	_, _, ans = s.Newest('k', "stale view")
	require.Equal(t, Unknown, ans, "a view below the newest version cannot tell the newest")

	require.EqualValues(t, 60, s.LastWrite(), "admissions are no writes")
	require.True(t, s.Scan('k', "", "", false, 60).Partial())
	require.EqualValues(t, 3, s.Keys())
}

// TestAdmitAfterEviction: what was read from the store before an eviction may be older than what
// was evicted, and is refused.
func TestAdmitAfterEviction(t *testing.T) {
	tb := New(Options{})
	s := tb.NewScope(1, true)
	s.Apply('k', "a", put(5, "five"))
	read := put(5, "five") // somebody reads the store at 7, and takes his time
	s.Apply('k', "a", put(9, "nine"))
	for tb.Keys() > 0 {
		tb.Evict(9, 1)
	}
	s.Admit('k', "a", read, 7)
	_, _, ans := s.Newest('k', "a")
	require.Equal(t, Unknown, ans)
	s.Admit('k', "a", put(9, "nine"), 9)
	r, _, _ := s.Newest('k', "a")
	require.EqualValues(t, 9, r.Version)
}

func TestExpiryTombstoneIsNoWrite(t *testing.T) {
	tb := New(Options{})
	s := tb.NewScope(1, true)
	ref := s.Apply('k', "a", Record{Version: 5, Stamp: 5, Expiry: 99, Value: []byte("x")})
	s.Apply('k', "a", Record{Version: 8, Stamp: 5, Deleted: true})
	require.EqualValues(t, 5, s.LastWrite())
	stamp, ok := tb.StampAt(ref)
	require.True(t, ok)
	require.EqualValues(t, 5, stamp)
	r, _, _ := s.Newest('k', "a")
	require.Equal(t, Record{Version: 8, Stamp: 5, Deleted: true}, r)
	s.WritesSince(5, 'k', "", "", func(string, uint64) bool { t.Fatal("no write"); return false })
	r, _, _ = s.Get('k', "a", 7)
	require.EqualValues(t, 99, r.Expiry)
}

func TestLargeValues(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	s := tb.NewScope(1, true)
	big := strings.Repeat("0123456789", 100_000)
	s.Apply('k', "a", put(1, big))
	s.Apply('k', "b", Record{Version: 2, Stamp: 2, Elsewhere: true, Value: []byte(big)})
	r, _, _ := s.Newest('k', "a")
	require.Equal(t, big, string(r.Value))
	r, _, _ = s.Newest('k', "b")
	require.True(t, r.Elsewhere)
	require.Nil(t, r.Value)
	before := tb.Bytes()
	s.Apply('k', "a", put(3, "small"))
	require.Less(t, tb.Bytes(), before-1_000_000+minSegmentSize, "its segment went at once")
	verify(t, tb)
}

// TestHeldValuesOutliveEviction: a value is the reader's for as long as it holds it.
func TestHeldValuesOutliveEviction(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	s := tb.NewScope(1, true)
	var held [][]byte
	for v := uint64(1); v <= 2000; v++ {
		s.Apply('k', fmt.Sprint(v), put(v, fmt.Sprintf("value %d", v)))
		r, _, _ := s.Newest('k', fmt.Sprint(v))
		held = append(held, r.Value)
	}
	for tb.Keys() > 0 {
		tb.Evict(2000, 1<<20)
	}
	runtime.GC()
	for i, v := range held {
		require.Equal(t, fmt.Sprintf("value %d", i+1), string(v))
	}
	verify(t, tb)
	_, _, ans := s.Newest('k', "1")
	require.Equal(t, Unknown, ans)
}

func TestEvictHoldsTheHorizon(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	s := tb.NewScope(1, true)
	for v := uint64(1); v <= 1000; v++ {
		s.Apply('k', fmt.Sprint(v), put(v, "0123456789"))
	}
	for {
		entries, freed := tb.Evict(600, 1<<20)
		if entries == 0 && freed == 0 {
			break
		}
	}
	for v := uint64(1); v <= 1000; v++ {
		_, _, ans := s.Newest('k', fmt.Sprint(v))
		require.Equal(t, v > 600, ans == Found, "version %d", v)
	}
	verify(t, tb)
}

// TestGarbageCostsNoScopeItsCompleteness: superseded versions and dropped scopes go first.
func TestGarbageCostsNoScopeItsCompleteness(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	kept, gone := tb.NewScope(1, true), tb.NewScope(2, true)
	v := uint64(0)
	for i := range 20_000 {
		v++
		s := kept
		if i%2 == 0 {
			s = gone
		}
		s.Apply('k', fmt.Sprint(rand.IntN(500), i%2*i%3), put(v, "0123456789"))
	}
	tb.DropScope(gone)
	before := tb.Bytes()
	for tb.emptiest() != nil {
		tb.Evict(v, 1)
	}
	require.True(t, kept.Complete())
	require.Less(t, tb.Bytes(), before*2/3)
	require.EqualValues(t, tb.Keys(), kept.Keys())
	verify(t, tb)
}

func TestColdScopesGoFirst(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	var scopes []*Scope
	v := uint64(0)
	for n := range uint64(10) {
		scopes = append(scopes, tb.NewScope(n, true))
		for i := range 100 {
			v++
			scopes[n].Apply('k', fmt.Sprint(i), put(v, "0123456789"))
		}
	}
	scopes[7].MarkCold()
	scopes[8].MarkCold()
	for scopes[7].Keys()+scopes[8].Keys() > 0 {
		tb.Evict(v, 1)
	}
	for n, s := range scopes {
		require.Equal(t, n == 7 || n == 8, s.Cold())
		require.Equal(t, s.Cold(), !s.Complete(), "scope %d", n)
	}
	verify(t, tb)
}

func TestWriteLogIsForgotten(t *testing.T) {
	tb := New(Options{})
	s := tb.NewScope(1, true)
	s.Apply('k', "a", put(1, ""))
	before := tb.Bytes()
	for v := uint64(2); v <= 100_000; v++ {
		s.Apply('k', "a", put(v, ""))
		if v%5000 == 0 {
			tb.Forget(v - 10)
		}
	}
	n := 0
	s.WritesSince(99_990, 'k', "", "", func(key string, stamp uint64) bool {
		n++
		require.EqualValues(t, 100_000, stamp)
		return true
	})
	require.Equal(t, 1, n)
	tb.Forget(100_000)
	require.LessOrEqual(t, len(tb.log.chunks), 1)
	require.Less(t, tb.Bytes(), before+defaultSegmentSize*4)
}

func TestNoAllocations(t *testing.T) {
	tb := New(Options{})
	s := tb.NewScope(1, true)
	value := make([]byte, 64)
	keys := make([]string, 3000)
	v := uint64(0)
	for i := range keys {
		v++
		keys[i] = fmt.Sprintf("key-%d", i*7919%3000)
		s.Apply('k', keys[i], Record{Version: v, Stamp: v, Value: value})
	}
	var ref Ref
	i := 0
	zero := func(name string, f func()) {
		t.Helper()
		require.Zero(t, testing.AllocsPerRun(2000, f), name)
	}
	zero("get", func() { i++; _, ref, _ = s.Get('k', keys[i%3000], v) })
	zero("get absent", func() { s.Get('k', "absent", v) })
	zero("newest", func() { i++; s.Newest('k', keys[i%3000]) })
	zero("stamp", func() { tb.StampAt(ref) })
	zero("apply", func() {
		i++
		v++
		s.Apply('k', keys[i%3000], Record{Version: v, Stamp: v, Value: value})
		if i%100 == 0 {
			tb.Forget(v)
		}
	})
	zero("writes since", func() {
		s.WritesSince(v-5, 'k', "", "", func(string, uint64) bool { return true })
	})
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() {
		c := s.Scan('k', "key-1", "key-2", false, v)
		for c.Next() {
		}
		c.Close()
	}), 1.0, "a scan allocates its cursor")
}

// TestGarbageCollectorHasNothingToDo: a million keys cost a cycle less than 10 ms of processor
// time, because nothing per key is a pointer (a Go map of entries costs about a second).
func TestGarbageCollectorHasNothingToDo(t *testing.T) {
	if testing.Short() {
		t.Skip("building a million keys takes seconds")
	}
	tb := New(Options{})
	v := uint64(0)
	for n := range uint64(1000) {
		s := tb.NewScope(n, true)
		for i := range 1000 {
			v++
			s.Apply('k', fmt.Sprintf("%x/%d", uint32(v*2654435761), i), put(v, "value"))
		}
	}
	require.EqualValues(t, 1_000_000, tb.Keys())
	runtime.GC()
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/mark/dedicated:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"},
		{Name: "/cpu/classes/gc/pause:cpu-seconds"}}
	read := func() (sum float64) {
		metrics.Read(sample)
		for _, s := range sample {
			sum += s.Value.Float64()
		}
		return sum
	}
	best := 1.0
	for range 5 {
		before := read()
		runtime.GC()
		best = min(best, read()-before)
	}
	t.Logf("best forced cycle: %.2f ms of CPU, %d MiB held", best*1000, tb.Bytes()>>20)
	require.Less(t, best, 0.010)
	runtime.KeepAlive(tb)
}

// A scan for a scope whose keys hide those of another shows tombstones, and only then; a cursor
// that is used again does not go on doing so.
func TestScanAllShowsTombstones(t *testing.T) {
	s := New(Options{}).NewScope(1, true)
	s.Apply('k', "a", put(1, "a"))
	s.Apply('k', "b", put(1, "b"))
	s.Apply('k', "c", Record{Version: 2, Stamp: 2, Deleted: true})
	s.Apply('k', "a", Record{Version: 3, Stamp: 3, Deleted: true})
	keys := func(c *Cursor) (list []string) {
		for c.Next() {
			name := c.Key()
			if c.Record().Deleted {
				name += " is gone"
			}
			list = append(list, name)
		}
		c.Close()
		return list
	}
	c := new(Cursor)
	c.ScanAll(s, 'k', "", "", false, 3)
	require.Equal(t, []string{"a is gone", "b", "c is gone"}, keys(c))
	c.ScanAll(s, 'k', "", "", true, 1)
	require.Equal(t, []string{"b", "a"}, keys(c))
	c.Scan(s, 'k', "", "", true, 3)
	require.Equal(t, []string{"b"}, keys(c))
}
