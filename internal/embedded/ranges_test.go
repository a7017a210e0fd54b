package embedded

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Merged ranges contain exactly what the ranges contained.
func TestGroupRanges(t *testing.T) {
	a, b := &backend.Scope{Number: 1}, &backend.Scope{Number: 2}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 3, -1)
		var reads []backend.RangeRead
		for range rapid.IntRange(0, 12).Draw(t, "ranges") {
			reads = append(reads, backend.RangeRead{
				Scope:     rapid.SampledFrom([]*backend.Scope{a, b}).Draw(t, "scope"),
				Primitive: rapid.SampledFrom([]codec.Primitive{codec.KV, codec.Cells}).Draw(t, "p"),
				Range:     backend.Range{Start: key.Draw(t, "start"), End: key.Draw(t, "end")},
			})
		}
		groups := groupRanges(reads)
		for range 50 {
			k := key.Draw(t, "key")
			for _, s := range []*backend.Scope{a, b} {
				for _, p := range []codec.Primitive{codec.KV, codec.Cells} {
					want := false
					for _, r := range reads {
						want = want || (r.Scope == s && r.Primitive == p && r.Range.Contains(k))
					}
					got := false
					for i := range groups {
						g := &groups[i]
						got = got || (g.scope == s && g.primitive == p && g.contains(k))
					}
					require.Equal(t, want, got, "%d %c %q", s.Number, p, k)
				}
			}
		}
	})
}
