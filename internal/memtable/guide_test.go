package memtable

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// risingKeys makes different keys in order, of a kind that is hard on deciding bytes.
func risingKeys(r *rand.Rand, kind string, n int) []string {
	seen := map[string]bool{}
	for len(seen) < n {
		x := r.Uint64()
		switch kind {
		case "numbers":
			seen[fmt.Sprintf("%012d", len(seen)+1)] = true
		case "ties": // hundreds agree in the first bytes behind what all share
			seen[fmt.Sprintf("all/%02d/%s/%05d", x%7, strings.Repeat("t", 20), x>>8%90000)] = true
		case "zeros": // padding of deciding bytes looks like them
			seen[strings.Repeat("\x00", int(x%40))+string(byte(x>>8))+string(make([]byte, x>>16%12))] = true
		case "short": // the empty key among them
			seen[fmt.Sprintf("%x", x)[:x>>32%6]] = true
		}
	}
	keys := make([]string, 0, n)
	for k := range seen {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// A search in the base finds what a search in the sorted keys finds, while the base grows and its
// common prefix shrinks, with a guide that is behind.
func TestSeek(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for _, kind := range []string{"numbers", "ties", "zeros", "short"} {
		tb := New(Options{})
		s := tb.NewScope(1, true)
		keys := risingKeys(r, kind, 4000)
		for i, key := range keys {
			s.Apply('k', key, Record{Version: uint64(i + 1), Stamp: uint64(i + 1)})
			if r.IntN(40) > 0 {
				continue
			}
			probe := keys[r.IntN(len(keys))]
			switch r.IntN(4) {
			case 0:
				probe += "\x00"
			case 1:
				probe = probe[:r.IntN(len(probe)+1)]
			case 2:
				probe += "t"
			}
			o := s.order('k')
			want := sort.SearchStrings(keys[:i+1], probe)
			require.EqualValues(t, want, o.seek(s, uint32(i+1), probe), "%q of %d", probe, i+1)
			rest := scanKeys(t, s, probe, "", false, uint64(i+1))
			require.Equal(t, i+1-want, len(rest))
			if probe == "" { // no bound
				want = i + 1
			}
			require.Equal(t, want, len(scanKeys(t, s, "", probe, true, uint64(i+1))))
		}
		g := s.order('k').guide.Load()
		require.Greater(t, len(g.deciding), len(keys)/guideStep*3/4)
		verify(t, tb)
	}
}

// No scan looks at more than so many keys for the guide, however long the base is.
func TestGuideGrowsInPieces(t *testing.T) {
	const n = 5 * guideMore * guideStep / 2
	tb := New(Options{})
	s := tb.NewScope(1, true)
	for i := range n {
		s.Apply('k', fmt.Sprintf("%08d", i), Record{Version: uint64(i + 1), Stamp: uint64(i + 1)})
	}
	o := s.order('k')
	for i, want := range []int{guideMore, 2 * guideMore, n / guideStep, n / guideStep} {
		require.EqualValues(t, n/2+i, o.seek(s, n, fmt.Sprintf("%08d", n/2+i)))
		require.Len(t, o.guide.Load().deciding, want)
	}
	verify(t, tb)
}

// A scope that is not complete any more has no guide, and gets none.
func TestEvictionGivesTheGuideUp(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	s := tb.NewScope(1, true)
	for i := range 500 {
		s.Apply('k', fmt.Sprintf("%03d", i), Record{Version: uint64(i + 1), Stamp: uint64(i + 1)})
	}
	c := s.Scan('k', "250", "", false, 500)
	require.True(t, c.Next())
	o := s.order('k')
	require.NotNil(t, o.guide.Load())
	entries, _ := tb.Evict(500, 1)
	require.Positive(t, entries)
	require.Nil(t, o.guide.Load())
	o.seek(s, 500, "300")
	require.Nil(t, o.guide.Load())
	verify(t, tb)
	tb.DropScope(s)
	tb.Evict(500, 1<<20)
	verify(t, tb)
}

// Scans that make the guide longer meet each other and the writer.
func TestGuideBesideTheWriter(t *testing.T) {
	const n = 20_000
	tb := New(Options{})
	s := tb.NewScope(1, true)
	s.Apply('k', "00000", Record{Version: 1, Stamp: 1})
	var group sync.WaitGroup
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 3))
		group.Go(func() {
			for last := 0; last < n-1; {
				_, base := s.order('k').sorted(s)
				last = int(base) - 1
				i := r.IntN(last + 1)
				if got := s.order('k').seek(s, base, fmt.Sprintf("%05d", i)); got != uint32(i) {
					t.Errorf("%d is found at %d of %d", i, got, base)
					return
				}
			}
		})
	}
	for i := 1; i < n; i++ {
		s.Apply('k', fmt.Sprintf("%05d", i), Record{Version: uint64(i + 1), Stamp: uint64(i + 1)})
	}
	group.Wait()
	verify(t, tb)
}
