package memtable

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scanKeys collects a scan of everything at version at.
func scanKeys(t testing.TB, s *Scope, start, end string, reverse bool, at uint64) []string {
	t.Helper()
	var got []string
	c := &mixedWalk{Cursor: s.Scan('k', start, end, reverse, at), most: len(start) * 5 % 11}
	defer c.Close()
	for c.Next() {
		got = append(got, c.Key())
	}
	require.False(t, c.Partial())
	return got
}

// TestOrders inserts by patterns that lead to every shape of an order: base only, base and lazy
// tail, tree of one leaf to several groups, shared prefixes that grow and shrink.
func TestOrders(t *testing.T) {
	const n = 30_000
	patterns := map[string]func(r *rand.Rand, i int) string{
		"rising":      func(_ *rand.Rand, i int) string { return fmt.Sprintf("%012x", i) },
		"falling":     func(_ *rand.Rand, i int) string { return fmt.Sprintf("%012x", n-i) },
		"random":      func(r *rand.Rand, _ int) string { return fmt.Sprintf("%x", r.Uint64()) },
		"late rising": func(_ *rand.Rand, i int) string { return fmt.Sprintf("%06d", (i+n-7)%n) },
		"two streams": func(_ *rand.Rand, i int) string { return fmt.Sprintf("%c/%06d", 'a'+i%2, i) },
		"deep": func(r *rand.Rand, _ int) string {
			return fmt.Sprintf("user/%02d/a rather long common part/%03d", r.IntN(9), r.IntN(900))
		},
		"prefixes": func(_ *rand.Rand, i int) string { return string(make([]byte, i%3000)) },
		"rare prefix break": func(r *rand.Rand, i int) string {
			if i%5000 == 4999 {
				return fmt.Sprint(i % 7)
			}
			return fmt.Sprintf("constant/%08x", r.Uint32())
		},
	}
	for name, key := range patterns {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 1))
			tb := New(Options{})
			s := tb.NewScope(1, true)
			seen := map[string]bool{}
			var keys []string
			count := n
			if name == "deep" || name == "prefixes" {
				count = n / 3
			}
			for i := range count {
				k := key(r, i)
				s.Apply('k', k, Record{Version: uint64(i + 1), Stamp: uint64(i + 1)})
				if !seen[k] {
					seen[k] = true
					keys = append(keys, k)
				}
				if i == 300 || i == 5000 {
					s.Scan('k', "", "", false, 1).Close()
				}
			}
			at := uint64(count)
			slices.Sort(keys)
			require.Equal(t, keys, scanKeys(t, s, "", "", false, at))
			for range 20 {
				i, j := r.IntN(len(keys)), r.IntN(len(keys))
				lo, hi := keys[min(i, j)], keys[max(i, j)]
				want := slices.Clone(keys[min(i, j):max(i, j)])
				require.Equal(t, len(want), len(scanKeys(t, s, lo, hi, false, at)))
				slices.Reverse(want)
				got := scanKeys(t, s, lo, hi, true, at)
				require.Equal(t, len(want), len(got))
				if len(want) > 0 {
					require.Equal(t, want, got)
				}
			}
			verify(t, tb)
		})
	}
}

// TestRisingKeysNeedNoTree: logs and counters cost their serial and nothing else.
func TestRisingKeysNeedNoTree(t *testing.T) {
	s := New(Options{}).NewScope(1, true)
	for i := range 5000 {
		s.Apply('e', fmt.Sprintf("%012x", i), Record{Version: uint64(i + 1), Stamp: uint64(i + 1)})
	}
	require.Nil(t, s.order('e').tree.Load())
	require.EqualValues(t, 5000, s.order('e').base.Load())
}

// TestUnscannedTailIsNotSorted: only scans pay, up to the bound that keeps the first one short.
func TestUnscannedTailIsNotSorted(t *testing.T) {
	s := New(Options{}).NewScope(1, true)
	write := func(i int) {
		s.Apply('k', fmt.Sprintf("%06d", 1000-i), Record{Version: uint64(i), Stamp: uint64(i)})
	}
	for i := 1; i <= lazyTail; i++ {
		write(i)
		require.Nil(t, s.order('k').tree.Load())
	}
	write(lazyTail + 1)
	write(lazyTail + 2)
	require.NotNil(t, s.order('k').tree.Load())
}

// TestNoLongStalls: neither an insertion into a large scope nor a scan right after it waits for a
// sort. The same calls are timed on three tables, and the shortest time of each counts: a stall of
// ours recurs at the same call, the processor is taken away at another.
func TestNoLongStalls(t *testing.T) {
	if testing.Short() {
		t.Skip("timing needs a large scope, which takes seconds to build")
	}
	keys := make([]string, 100_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("%016x", rand.Uint64())
	}
	shortest := make([]time.Duration, len(keys))
	for round := range 3 {
		s := New(Options{}).NewScope(1, true)
		for i, key := range keys {
			v := uint64(i + 1)
			start := time.Now()
			s.Apply('k', key, Record{Version: v, Stamp: v})
			if i%50 == 0 {
				c := s.Scan('k', key, "", false, v)
				for n := 0; n < 10 && c.Next(); n++ {
				}
				c.Close()
			}
			if d := time.Since(start); round == 0 || d < shortest[i] {
				shortest[i] = d
			}
		}
	}
	worst := slices.Max(shortest)
	t.Logf("worst call: %v", worst)
	require.Less(t, worst, 5*time.Millisecond, "the goal is 1 ms; race builds are slower")
}
