package vecindex

import (
	"fmt"
	"math/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/vector"
)

// BenchmarkSearch measures what a search costs beside the walk through the index itself: nothing
// changed, another scope was committed to, a row was written, a fork hides a thousand rows.
func BenchmarkSearch(b *testing.B) {
	const wide, rows = 64, 5000
	w := newWorld(b, newEngine(b))
	r := rand.New(rand.NewSource(1))
	s, other := w.scope(), w.scope()
	row := func(s *backend.Scope, i int) backend.Write {
		vec := make([]float32, wide)
		for j := range vec {
			vec[j] = r.Float32()
		}
		meta, err := codec.ValueOf(map[string]any{"n": i % 100})
		require.NoError(b, err)
		return w.put(s, fmt.Sprint("row", i), meta, vec...)
	}
	for i := 0; i < rows; i += 500 {
		var writes []backend.Write
		for j := range 500 {
			writes = append(writes, row(s, i+j))
		}
		w.commit(writes...)
	}
	fork := w.fork(s, w.b.Published())
	for i := range 10 {
		var writes []backend.Write
		for j := range 100 {
			writes = append(writes, row(fork, i*100+j))
		}
		w.commit(writes...)
	}
	c := w.collection(s)
	c.Config.Dim = wide
	q := Query{Vector: make([]float32, wide), K: 10}
	search := func(b *testing.B, s *backend.Scope, q Query) {
		c := c
		c.Scope = s
		_, err := w.m.Search(w.ctx, c, w.b.Published(), q)
		require.NoError(b, err)
	}
	run := func(name string, s *backend.Scope, q Query, before func(i int)) {
		b.Run(name, func(b *testing.B) {
			search(b, s, q)
			b.ReportAllocs()
			for i := range b.N {
				before(i)
				search(b, s, q)
			}
		})
	}
	nothing := func(int) {}
	filtered := q
	filtered.Filter = vector.Eq("n", 7)
	run("unchanged", s, q, nothing)
	run("other scope", s, q, func(int) {
		w.commit(backend.Write{Scope: other, Primitive: codec.KV,
			Key: "k", Op: backend.Put, Value: []byte{1}})
	})
	run("written", s, q, func(i int) { w.commit(row(s, i%rows)) })
	run("fork", fork, q, nothing)
	run("filter", s, filtered, nothing)
}
