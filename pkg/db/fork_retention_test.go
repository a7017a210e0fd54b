package inmem_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R211, R214: a fork is not made at a version at which one of the primitives is pruned, also not
// through a fork.
func TestForkBelowARetention(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		var versions []uint64
		for _, value := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"} {
			versions = append(versions, w.put("k", value))
		}
		child := w.fork(w.run, inmem.ForkOptions{At: versions[6]})
		setRetention(t, w.DB, inmem.RetentionTarget{Primitive: inmem.PrimitiveKV},
			inmem.Keep{Commits: 1})
		applyRetention(t, w.DB)
		for _, r := range []*inmem.Run{w.run, child} {
			_, err := r.Fork(w.ctx(), inmem.ForkOptions{At: versions[2]})
			require.ErrorIs(t, err, inmem.ErrPruned)
			require.ErrorContains(t, err, r.ID())
		}
		for _, fork := range []*inmem.Run{w.fork(w.run, inmem.ForkOptions{At: versions[6]}),
			w.fork(child, inmem.ForkOptions{}), w.fork(child, inmem.ForkOptions{At: versions[6]})} {
			require.Equal(t, "6", text(t, fork.KV(), "k"))
		}
	})
}

// Forks are made at old versions while retention removes all that nobody holds: either they are
// refused, or they show what there was.
func TestForksRaceWithRetention(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 4})
		r := &rotting{world: w}
		r.put(0)
		var workers, forkers sync.WaitGroup
		workers.Go(func() {
			for i := 1; !r.over(); i++ {
				r.put(i)
				time.Sleep(time.Millisecond)
			}
		})
		workers.Go(func() {
			for !r.over() {
				if _, err := w.ApplyRetention(w.ctx(), nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
		for i := range 3 {
			forkers.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 214))
				for !r.over() {
					if err := r.fork(rng); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		forkers.Wait()
		workers.Wait()
		t.Logf("%d versions, %d forks, %d refused", len(r.versions), r.made.Load(), r.refused.Load())
	})
}

// rotting is a run that is written to, forked and pruned at the same time.
type rotting struct {
	*world
	made, refused atomic.Int64
	mu            sync.Mutex
	versions      []uint64 // at versions[i] the value is i
}

func (r *rotting) over() bool {
	return r.t.Failed() || r.made.Load() > 100 && r.refused.Load() > 20
}

func (r *rotting) put(i int) {
	v, err := r.run.KV().Put(r.ctx(), "k", inmem.Int(int64(i)))
	if err != nil {
		r.t.Error(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.versions = append(r.versions, v)
}

// fork makes a fork at some version, looks at it a moment later, and deletes it: as long as it is
// there, nothing can go.
func (r *rotting) fork(rng *rand.Rand) error {
	ctx := r.ctx()
	r.mu.Lock()
	n := rng.IntN(len(r.versions))
	at := r.versions[n]
	r.mu.Unlock()
	fork, err := r.run.Fork(ctx, inmem.ForkOptions{At: at})
	if errors.Is(err, inmem.ErrPruned) {
		r.refused.Add(1)
		return nil
	}
	if err != nil {
		return err
	}
	r.made.Add(1)
	time.Sleep(2 * time.Millisecond)
	got, _, err := inmem.Get[int](ctx, fork.KV(), "k")
	if err == nil && got != n {
		err = fmt.Errorf("the fork at version %d shows %d, not %d", at, got, n)
	}
	return errors.Join(err, r.DeleteRun(ctx, fork.ID()))
}
