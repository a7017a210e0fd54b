package vecindex

import (
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/vector"
)

// Searches at any version beside commits, forks, the worker and a budget that is too small: each
// finds what was there at its version.
func TestConcurrentSearches(t *testing.T) {
	for _, kind := range []vector.Kind{vector.KindFlat, vector.KindGraph} {
		for _, budget := range []int64{0, 64 << 10} {
			t.Run(fmt.Sprint("kind ", kind, " budget ", budget), func(t *testing.T) {
				w := newWorld(t, newEngine(t))
				w.kind, w.budget = kind, budget
				w.open(w.b)
				searchBesideCommits(w)
			})
		}
	}
}

func searchBesideCommits(w *world) {
	r := rand.New(rand.NewSource(1))
	s := w.scope()
	w.fill(r, s, 50)
	first := w.b.Published()
	child := w.fork(s, first)
	w.fill(r, child, 10)
	first = w.b.Published()
	var searchers sync.WaitGroup
	stop := make(chan struct{})
	for i := range int64(3) {
		searchers.Go(func() {
			h := &history{world: w, r: rand.New(rand.NewSource(i))}
			for n := 0; ; n++ {
				select {
				case <-stop:
					if n > 20 {
						return
					}
				default:
				}
				scope := []*backend.Scope{s, child}[n%2]
				at := first + uint64(h.r.Int63n(int64(w.b.Published()-first+1)))
				if n%3 == 0 {
					at = w.b.Published()
				}
				if !searchOnce(w, again(scope), at, h.query()) {
					return
				}
			}
		})
	}
	for n := range 60 {
		w.commit(w.random(r, []*backend.Scope{s, child}[n%2], fmt.Sprintf("row%06d", r.Intn(60))),
			w.del([]*backend.Scope{s, child}[n%2], fmt.Sprintf("row%06d", 60+r.Intn(3))))
	}
	close(stop)
	searchers.Wait()
}

// searchOnce compares one search with the truth, in a goroutine that must not end the test.
func searchOnce(w *world, s *backend.Scope, at uint64, q Query) bool {
	got, err := w.m.Search(w.ctx, w.collection(s), at, q)
	if !assert.NoError(w, err) {
		return false
	}
	want := w.truth(s, at, q)
	if !assert.Len(w, got.Hits, min(q.K, len(want))) {
		return false
	}
	if w.kind == vector.KindFlat {
		return assert.True(w, slices.Equal(want[:len(got.Hits)], got.Hits), "at %d: %v", at, q)
	}
	for _, h := range got.Hits {
		if !assert.Contains(w, want, h) {
			return false
		}
	}
	return true
}
