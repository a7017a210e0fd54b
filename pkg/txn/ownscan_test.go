package txn

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Scans show the write set as it was when they began, whatever is written and however many of them
// there are; the twin copies.
func TestOwnScansAgainstCopies(t *testing.T) {
	scope := &backend.Scope{Number: 1}
	rapid.Check(t, func(t *rapid.T) {
		var s writeSet
		type open struct {
			scan *ownScan
			want []string
		}
		var scans []open
		serial := 0
		keys := rapid.Custom(func(t *rapid.T) string {
			return fmt.Sprintf("%02d", rapid.IntRange(0, 40).Draw(t, "key"))
		})
		twin := map[string]string{}
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k := keys.Draw(t, "k")
				serial++
				twin[k] = fmt.Sprint(serial)
				require.NoError(t, s.put(backend.Write{Scope: scope, Primitive: codec.KV, Key: k,
					Value: []byte(twin[k])}, anything))
			},
			"scan": func(t *rapid.T) {
				r := Range{Start: keys.Draw(t, "start"), Reverse: rapid.Bool().Draw(t, "reverse")}
				r.End = rapid.SampledFrom([]string{"", keys.Draw(t, "end")}).Draw(t, "bound")
				o := s.scan(1, codec.KV, r)
				n := open{scan: &o}
				for k, v := range twin {
					if r.Contains(k) {
						n.want = append(n.want, k+"="+v)
					}
				}
				slices.Sort(n.want)
				if r.Reverse {
					slices.Reverse(n.want)
				}
				scans = append(scans, n)
			},
			"step": func(t *rapid.T) {
				if len(scans) == 0 {
					t.Skip()
				}
				n := &scans[rapid.IntRange(0, len(scans)-1).Draw(t, "which")]
				w := n.scan.peek()
				if len(n.want) == 0 {
					require.Nil(t, w)
					return
				}
				require.NotNil(t, w)
				require.Equal(t, n.want[0], w.Key+"="+string(w.Value))
				n.scan.skip()
				n.want = n.want[1:]
			},
			"close": func(t *rapid.T) {
				if len(scans) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(scans)-1).Draw(t, "which")
				scans[i].scan.close()
				scans[i].scan.close()
				scans = slices.Delete(scans, i, i+1)
				if len(scans) == 0 {
					require.Nil(t, s.past)
				}
			},
		})
	})
}

// A queue that is emptied key by key within one transaction costs no copies of what is left: half
// of the keys squared would be 32 million.
func TestDrainCopiesNothing(t *testing.T) {
	const n = 8000
	scope := &backend.Scope{Number: 1}
	var s writeSet
	for i := range n {
		require.NoError(t, s.put(backend.Write{Scope: scope, Primitive: codec.KV,
			Key: fmt.Sprintf("%05d", i), Op: backend.Put}, anything))
	}
	var w backend.Write
	allocated := testing.AllocsPerRun(n, func() {
		o := s.scan(1, codec.KV, Range{})
		w = *o.peek()
		w.Op = backend.Put
		o.close()
		if err := s.put(w, anything); err != nil {
			t.Error(err)
		}
	})
	require.LessOrEqual(t, allocated, 1.0)
}

// Merged ranges hold the same keys, none twice, and a loop of scans leaves few of them.
func TestRangeSetMerges(t *testing.T) {
	scopes := []*backend.Scope{{Number: 1}, {Number: 2}}
	rapid.Check(t, func(t *rapid.T) {
		var s rangeSet
		var all []backend.RangeRead
		for range rapid.IntRange(0, 300).Draw(t, "n") {
			r := backend.RangeRead{Primitive: codec.KV,
				Scope: scopes[rapid.IntRange(0, 1).Draw(t, "scope")]}
			from := rapid.IntRange(0, 50).Draw(t, "from")
			r.Range.Start = fmt.Sprintf("%02d", from)
			if rapid.IntRange(0, 20).Draw(t, "bounded") > 0 {
				r.Range.End = fmt.Sprintf("%02d", from+rapid.IntRange(1, 9).Draw(t, "length"))
			}
			s.add(r)
			all = append(all, r)
		}
		s.merge()
		for _, scope := range scopes {
			for i := range 70 {
				key := fmt.Sprintf("%02d", i)
				holds := func(r backend.RangeRead) bool {
					return r.Scope == scope && r.Range.Contains(key)
				}
				in := 0
				for _, r := range s.list {
					if holds(r) {
						in++
					}
				}
				want := 0
				if slices.ContainsFunc(all, holds) {
					want = 1
				}
				require.Equal(t, want, in, "%v in %v", key, s.list)
			}
		}
	})
	var s rangeSet
	for i := range 8000 {
		s.add(backend.RangeRead{Scope: scopes[0], Range: Range{End: fmt.Sprintf("%05d", i+1)}})
		require.LessOrEqual(t, len(s.list), dense)
	}
	s.merge()
	require.Len(t, s.list, 1)
}

// R067: a text of bounded length, whatever the keys are.
func TestR067LongKeysAreCut(t *testing.T) {
	long := strings.Repeat("k", codec.MaxKeySize)
	shown := `"` + long[:64] + `"... `
	k := ConflictKey{Run: "r", Primitive: codec.KV, Key: long, Expected: 1, Found: 2}
	require.Equal(t, `run r k/`+shown+`read at version 1, found 2`, k.String())
	c := backend.Conflict{Scope: 42, Primitive: codec.KV, Key: long, Expected: 1, Found: 2}
	require.Equal(t, `r/000000002a/k/`+shown+`read at version 1, found 2`, c.String())
	k.Key = long[:64]
	require.Contains(t, k.String(), `"`+k.Key+`" read`)
}

// The longest wait there is does not overflow.
func TestBackoffOfTheLongestWait(t *testing.T) {
	var asked int64
	w := newWorld(t, Config{Int64N: func(n int64) int64 { asked = n; return n - 1 }})
	r := &Retry{Max: 1, Base: math.MaxInt64, Cap: math.MaxInt64}
	_, err := w.backoff(t.Context(), r, 0, &ConflictError{})
	require.NoError(t, err)
	require.Equal(t, int64(math.MaxInt64), asked)
}
