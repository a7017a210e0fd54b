package txn

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

func anything(int, int64) error { return nil }

// The write set is a map with order: against one, on keys of several scopes and primitives.
func TestWriteSetAgainstMap(t *testing.T) {
	scopes := []*backend.Scope{{Number: 1}, {Number: 2}, {Number: 1}} // two handles to one scope
	primitives := []codec.Primitive{codec.KV, codec.Events}
	rapid.Check(t, func(t *rapid.T) {
		var s writeSet
		twin := map[writeKey]backend.Write{}
		spread := rapid.SampledFrom([]int{3, 30, 300}).Draw(t, "spread")
		keys := rapid.Custom(func(t *rapid.T) writeKey {
			return writeKey{
				rapid.SampledFrom(scopes).Draw(t, "scope").Number,
				rapid.SampledFrom(primitives).Draw(t, "primitive"),
				fmt.Sprintf("%03d", rapid.IntRange(0, spread).Draw(t, "key")),
			}
		})
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				k := keys.Draw(t, "k")
				i := slices.IndexFunc(scopes, func(s *backend.Scope) bool {
					return s.Number == k.scope
				})
				w := backend.Write{Scope: scopes[i], Primitive: k.primitive, Key: k.key,
					Op: backend.Put, Value: make([]byte, rapid.IntRange(0, 9).Draw(t, "size"))}
				require.NoError(t, s.put(w, anything))
				twin[k] = w
			},
			"find": func(t *rapid.T) {
				k := keys.Draw(t, "k")
				want, ok := twin[k]
				got := s.find(k)
				require.Equal(t, ok, got != nil)
				if ok {
					require.Equal(t, want, *got)
				}
			},
			"within": func(t *rapid.T) {
				k := keys.Draw(t, "k")
				r := Range{Start: k.key, Reverse: rapid.Bool().Draw(t, "reverse")}
				r.End = rapid.SampledFrom([]string{"", keys.Draw(t, "end").key}).Draw(t, "end")
				var want []string
				for o := range maps.Keys(twin) {
					if o.scope == k.scope && o.primitive == k.primitive && r.Contains(o.key) {
						want = append(want, o.key)
					}
				}
				slices.Sort(want)
				if r.Reverse {
					slices.Reverse(want)
				}
				var got []string
				o := s.scan(k.scope, k.primitive, r)
				for w := o.peek(); w != nil; w = o.peek() {
					got = append(got, w.Key)
					o.skip()
				}
				o.close()
				require.Equal(t, want, got)
			},
			"": func(t *rapid.T) {
				var bytes int64
				for k, w := range twin {
					bytes += size(k.key, w.Value)
				}
				require.Equal(t, bytes, s.bytes)
				require.Len(t, s.list, len(twin))
			},
		})
	})
}

func TestWriteSetRefusalChangesNothing(t *testing.T) {
	var s writeSet
	scope := &backend.Scope{}
	never := func(int, int64) error { return codec.ErrTooLarge }
	require.Error(t, s.put(backend.Write{Scope: scope, Key: "a"}, never))
	require.Nil(t, s.find(writeKey{key: "a"}))
	require.NoError(t, s.put(backend.Write{Scope: scope, Key: "a", Value: []byte("1")}, anything))
	require.Error(t, s.put(backend.Write{Scope: scope, Key: "a", Value: []byte("22")}, never))
	require.Equal(t, "1", string(s.find(writeKey{key: "a"}).Value))
	require.Equal(t, int64(2), s.bytes)
}

// The read set holds every key, and not much more than that.
func TestReadSetStaysDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s readSet
		scope := &backend.Scope{Number: 7}
		keys := map[string]bool{}
		spread := rapid.SampledFrom([]int{2, 50, 500}).Draw(t, "spread")
		for i := range rapid.IntRange(0, 2000).Draw(t, "n") {
			k := fmt.Sprint((i * 7919) % spread)
			s.add(backend.Read{Scope: scope, Primitive: codec.KV, Key: k, Stamp: 1})
			keys[k] = true
			require.LessOrEqual(t, len(s.list), max(denseReads, 2*len(keys)))
		}
		s.compact()
		var got []string
		for _, r := range s.list {
			got = append(got, r.Key)
		}
		require.Equal(t, slices.Sorted(maps.Keys(keys)), got)
	})
}

// R067: each key once per demand, in order, in a text of bounded length.
func TestR067ConflictList(t *testing.T) {
	scope := &backend.Scope{Number: 3, Record: "run-3"}
	r := &backend.Request{Reads: []backend.Read{{Scope: scope}}}
	err := explain(&backend.ConflictError{Keys: []backend.Conflict{
		{Scope: 3, Primitive: codec.KV, Key: "b", Expected: 1, Found: 2},
		{Scope: 3, Primitive: codec.KV, Key: "a", Expected: 4, Found: 5, CAS: true},
		{Scope: 3, Primitive: codec.KV, Key: "b", Expected: 1, Found: 2},
		{Scope: 3, Primitive: codec.KV, Key: "a", Expected: 1, Found: 5},
		{Scope: 3, Primitive: codec.KV, Key: "c", Expected: 1, Found: 2},
		{Scope: 3, Primitive: codec.KV, Key: "d", Expected: 1, Found: 2},
	}}, r)
	require.ErrorIs(t, err, backend.ErrConflict)
	require.ErrorIs(t, err, backend.ErrVersionMismatch)
	require.EqualError(t, err, `conflict: run run-3 k/"a" read at version 1, found 5; `+
		`run run-3 k/"a" expected version 4, found 5; run run-3 k/"b" read at version 1, found 2; `+
		`and 2 more`)
}
