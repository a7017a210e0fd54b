package inmem_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R210, R211: a thousand forks of one run, written in parallel; one is kept, the rest is gone, with
// everything under it.
func TestR210PromoteOneOfAThousand(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		w.put("task", "find the answer")
		forks := make([]*inmem.Run, 1000)
		if e.name == "model" { // it does everything by looking at everything
			forks = forks[:500]
		}
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				for i := worker; i < len(forks); i += 8 {
					child, err := w.run.Fork(ctx, inmem.ForkOptions{})
					if err == nil {
						_, err = child.KV().Put(ctx, "answer", inmem.String(fmt.Sprint(i)))
					}
					if err != nil {
						t.Error(err)
						return
					}
					forks[i] = child
				}
			})
		}
		wg.Wait()
		winner := forks[417]
		under := w.fork(winner, inmem.ForkOptions{})
		sub := w.fork(forks[3], inmem.ForkOptions{})
		w.fork(sub, inmem.ForkOptions{})
		_, err := w.BeginRun(ctx, inmem.RunOptions{Parent: sub.ID()})
		require.NoError(t, err)
		begun, err := w.BeginRun(ctx, inmem.RunOptions{Parent: w.run.ID()})
		require.NoError(t, err)
		require.NoError(t, forks[7].End(ctx, inmem.Completed))
		require.NoError(t, forks[8].Record().Archive(ctx))

		p, err := w.Promote(ctx, winner, inmem.PromoteOptions{})
		require.NoError(t, err)
		require.Equal(t, inmem.Promotion{
			Losers: len(forks) - 1, Deleted: len(forks) + 2, Parent: w.run.ID(),
		}, p)
		require.ElementsMatch(t, []string{w.run.ID(), winner.ID(), under.ID(), begun.ID()},
			idsOf(t, w.Runs(), inmem.RunQuery{IncludeArchived: true}))
		require.Equal(t, "417", text(t, winner.KV(), "answer"))
		require.Equal(t, "find the answer", text(t, winner.KV(), "task"))
		require.Equal(t, []string{winner.ID()},
			idsOf(t, w.Runs(), inmem.RunQuery{Tags: []string{inmem.PromotedTag}}))
		_, err = forks[5].KV().Put(ctx, "k", inmem.Int(1))
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		_, err = winner.KV().Put(ctx, "more", inmem.Int(1))
		require.NoError(t, err, "it is Active still")
		requireIndex(t, w.DB)

		again, err := w.Promote(ctx, winner, inmem.PromoteOptions{Parent: inmem.DeleteParent})
		require.NoError(t, err)
		require.Equal(t, inmem.Promotion{Deleted: 1, Parent: w.run.ID()}, again)
		require.Equal(t, "find the answer", text(t, winner.KV(), "task"))
		_, err = w.Run(ctx, w.run.ID())
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
	})
}

// Rounds are told apart by tags; what is to be kept stays.
func TestPromoteAmong(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		var rounds [2][]*inmem.Run
		for i := range 8 {
			tags := []string{fmt.Sprint("round ", i%2), "x"}
			rounds[i%2] = append(rounds[i%2], w.fork(w.run, inmem.ForkOptions{Tags: tags}))
		}
		winner, kept := rounds[0][0], rounds[0][1]
		p, err := w.Promote(w.ctx(), winner, inmem.PromoteOptions{
			Among: []string{"x", "round 0"}, Keep: []string{kept.ID()}, Mark: "best",
		})
		require.NoError(t, err)
		require.Equal(t, 2, p.Losers)
		want := []string{winner.ID(), kept.ID()}
		for _, r := range rounds[1] {
			want = append(want, r.ID())
		}
		require.ElementsMatch(t, want, idsOf(t, w.Runs(), inmem.RunQuery{Parent: w.run.ID()}))
		require.Equal(t, []string{winner.ID()},
			idsOf(t, w.Runs(), inmem.RunQuery{Tags: []string{"best"}}))
	})
}

func TestPromoteRefuses(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	other := newWorld(t, engines[0], nil)
	fork := w.fork(w.run, inmem.ForkOptions{})
	begun, err := w.BeginRun(w.ctx(), inmem.RunOptions{Parent: w.run.ID()})
	require.NoError(t, err)
	foreign := other.fork(other.run, inmem.ForkOptions{})
	for _, c := range []struct {
		run *inmem.Run
		o   inmem.PromoteOptions
	}{
		{run: nil}, {run: w.run}, {run: begun}, {run: foreign},
		{fork, inmem.PromoteOptions{Keep: []string{"x"}}}, {fork, inmem.PromoteOptions{Parent: 9}},
		{fork, inmem.PromoteOptions{Mark: "\xff"}},
	} {
		_, err := w.Promote(w.ctx(), c.run, c.o)
		require.ErrorIs(t, err, inmem.ErrInvalidArgument, "%+v", c.o)
	}
	require.NoError(t, w.DeleteRun(w.ctx(), fork.ID()))
	_, err = w.Promote(w.ctx(), fork, inmem.PromoteOptions{})
	require.ErrorIs(t, err, inmem.ErrRunNotFound)
}

// Of two that promote different forks of one parent at once, at most one succeeds, and one winner
// is left in any case.
func TestPromoteRace(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		for range 5 {
			w := newWorld(t, e, nil)
			var forks []*inmem.Run
			for range 150 {
				forks = append(forks, w.fork(w.run, inmem.ForkOptions{}))
			}
			winners := []*inmem.Run{forks[0], forks[149]}
			errs := make([]error, len(winners))
			var wg sync.WaitGroup
			for i, r := range winners {
				wg.Go(func() { _, errs[i] = w.Promote(w.ctx(), r, inmem.PromoteOptions{}) })
			}
			wg.Wait()
			left := idsOf(t, w.Runs(), inmem.RunQuery{Parent: w.run.ID()})
			won := 0
			for i, err := range errs {
				if err == nil {
					won++
					require.Contains(t, left, winners[i].ID())
					continue
				}
				require.ErrorIs(t, err, inmem.ErrRunNotFound)
			}
			require.Equal(t, 1, won, "%v", errs)
			require.Len(t, left, 1)
			requireIndex(t, w.DB)
		}
	})
}
