package inmem_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// fork forks a run.
func (w *world) fork(r *inmem.Run, o inmem.ForkOptions) *inmem.Run {
	w.t.Helper()
	child, err := r.Fork(w.ctx(), o)
	require.NoError(w.t, err)
	return child
}

// info reads what is known of a run.
func (w *world) info(r *inmem.Run) inmem.RunInfo {
	w.t.Helper()
	i, err := r.Info(w.ctx())
	require.NoError(w.t, err)
	return i
}

// R211: a fork at a version reads as the parent did there; later writes on either side are
// invisible to the other; lineage names the version.
func TestR211ForkAtAVersion(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		versions := map[int]uint64{}
		for i := range 5 {
			v, err := w.run.Update(ctx, func(tx *inmem.Tx) error {
				_, put := tx.KV().Put(ctx, "k", inmem.Int(int64(i)))
				_, also := tx.KV().Put(ctx, fmt.Sprint("only ", i), inmem.Int(int64(i)))
				_, del := tx.KV().Delete(ctx, fmt.Sprint("only ", i-1))
				_, app := tx.Events().Append(ctx, "step", inmem.Int(int64(i)))
				_, store := tx.Cell("c").Store(ctx, inmem.Int(int64(i)))
				_, span := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanThought})
				return errors.Join(put, also, del, app, store, span)
			})
			require.NoError(t, err)
			versions[i] = v
		}
		for i, v := range versions {
			child := w.fork(w.run, inmem.ForkOptions{At: v})
			w.requireStep(child, i)
			info := w.info(child)
			require.Equal(t, w.run.ID(), info.Parent)
			require.Equal(t, v, info.ForkVersion)
			require.Equal(t, []uint64{versions[0], v, uint64(i + 1)},
				[]uint64{info.FirstVersion, info.LastVersion, info.Commits}, "commit numbers go on")
			own, err := child.KV().Put(ctx, "k", inmem.String("mine"))
			require.NoError(t, err)
			_, err = child.Events().Append(ctx, "mine", inmem.Null())
			require.NoError(t, err)
			require.Equal(t, uint64(i+3), w.info(child).Commits)
			require.Greater(t, w.info(child).LastVersion, own)
			w.requireStep(w.run, 4)
			chain, err := child.Events().Verify(ctx)
			require.NoError(t, err)
			require.True(t, chain.Valid, chain.Reason)
		}
		w.put("k", "the parent goes on")
		for c, err := range w.run.Record().Children(ctx) {
			require.NoError(t, err)
			run, err := w.Run(ctx, c.ID)
			require.NoError(t, err)
			require.Equal(t, "mine", text(t, run.KV(), "k"))
		}
	})
}

// requireStep demands that a run shows the state after step i of the test above.
func (w *world) requireStep(r *inmem.Run, i int) {
	w.t.Helper()
	ctx := w.ctx()
	k, _, err := inmem.Get[int](ctx, r.KV(), "k")
	require.NoError(w.t, err)
	keys, err := r.KV().Count(ctx, inmem.ScanOptions{})
	require.NoError(w.t, err)
	only, err := r.KV().Exists(ctx, fmt.Sprint("only ", i))
	require.NoError(w.t, err)
	cell, err := inmem.CellOf[int](r, "c").Get(ctx)
	require.NoError(w.t, err)
	events, err := r.Events().Len(ctx)
	require.NoError(w.t, err)
	spans, err := r.Traces().Count(ctx, inmem.SpanFilter{})
	require.NoError(w.t, err)
	require.Equal(w.t, []any{i, 2, true, i, i + 1, i + 1},
		[]any{k, keys, only, cell.Value, int(events), spans})
}

// R211: forks of forks, of ended and of archived runs; before the parent existed there is nothing.
func TestR211ForkOfAnything(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		before := w.Version()
		parent, err := w.BeginRun(ctx, inmem.RunOptions{Tenant: "t", App: "p", Agent: "a",
			Tags: []string{"parent"}, Metadata: inmem.Int(1)})
		require.NoError(t, err)
		_, err = parent.KV().Put(ctx, "k", inmem.String("old"))
		require.NoError(t, err)
		old := w.Version()
		_, err = parent.KV().Put(ctx, "k", inmem.String("new"))
		require.NoError(t, err)
		require.NoError(t, parent.End(ctx, inmem.Failed))
		child := w.fork(parent, inmem.ForkOptions{Agent: "b", Tags: []string{"child"}})
		info := w.info(child)
		require.Equal(t, inmem.Active, info.Status)
		require.Equal(t, []string{"t", "p", "b"}, []string{info.Tenant, info.App, info.Agent})
		require.Equal(t, []string{"child"}, info.Tags)
		require.True(t, info.Metadata.IsNull())
		require.Equal(t, "new", text(t, child.KV(), "k"))
		_, err = child.KV().Put(ctx, "k", inmem.String("of the child"))
		require.NoError(t, err)
		require.NoError(t, parent.Record().Archive(ctx))
		require.NoError(t, child.Record().Archive(ctx))

		grandchild := w.fork(child, inmem.ForkOptions{})
		require.Equal(t, "of the child", text(t, grandchild.KV(), "k"))
		through := w.fork(child, inmem.ForkOptions{At: old})
		require.Equal(t, "old", text(t, through.KV(), "k"), "before the child was made")
		empty := w.fork(child, inmem.ForkOptions{At: before})
		require.Equal(t, "(absent)", text(t, empty.KV(), "k"))
		require.Zero(t, w.info(empty).Commits)
		require.Equal(t, before, w.info(empty).ForkVersion)
		for _, r := range []*inmem.Run{grandchild, through, empty} {
			_, err := r.KV().Put(ctx, "k", inmem.String("mine"))
			require.NoError(t, err)
		}
		require.Equal(t, "of the child", text(t, child.KV(), "k"))
		var up []string
		for a, err := range grandchild.Record().Ancestors(ctx) {
			require.NoError(t, err)
			up = append(up, a.ID)
		}
		require.Equal(t, []string{child.ID(), parent.ID()}, up)
		requireIndex(t, w.DB)
	})
}

func requireIndex(t *testing.T, d *inmem.DB) {
	t.Helper()
	report, err := d.Runs().Verify(t.Context())
	require.NoError(t, err)
	require.True(t, report.Healthy(), "%+v", report)
}

func TestForkRefuses(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		for _, c := range []struct {
			o  inmem.ForkOptions
			is error
		}{
			{inmem.ForkOptions{At: w.Version() + 1}, inmem.ErrInvalidArgument},
			{inmem.ForkOptions{ID: "x"}, inmem.ErrInvalidArgument},
			{inmem.ForkOptions{ID: w.run.ID()}, inmem.ErrRunExists},
			{inmem.ForkOptions{Tags: []string{""}}, inmem.ErrInvalidArgument},
			{inmem.ForkOptions{Tenant: string(make([]byte, 2000))}, inmem.ErrTooLarge},
		} {
			before := w.Version()
			_, err := w.run.Fork(w.ctx(), c.o)
			require.ErrorIs(t, err, c.is, "%+v", c.o)
			require.ErrorContains(t, err, w.run.ID())
			require.Equal(t, before, w.Version())
		}
		require.NoError(t, w.DeleteRun(w.ctx(), w.run.ID()))
		_, err := w.run.Fork(w.ctx(), inmem.ForkOptions{})
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		again, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: w.run.ID()})
		require.NoError(t, err)
		_, err = w.run.Fork(w.ctx(), inmem.ForkOptions{})
		require.ErrorIs(t, err, inmem.ErrRunNotFound, "the handle is of the old one")
		w.fork(again, inmem.ForkOptions{})
	})
}

// Forks of one run, made at the same time, do not conflict, though the run is written to meanwhile.
func TestForksInParallel(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		w.put("k", "0")
		const workers, each = 8, 60 // later the index of runs is swept now and then
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() {
				for j := range each {
					child, err := w.run.Fork(w.ctx(), inmem.ForkOptions{Tags: []string{"explorer"}})
					if err == nil {
						_, err = child.KV().Put(w.ctx(), "mine", inmem.String(fmt.Sprint(i, j)))
					}
					if err == nil {
						_, err = w.run.KV().Put(w.ctx(), fmt.Sprint(i), inmem.Int(int64(j)))
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		m := w.Metrics()
		require.Zero(t, m.Retries+m.AbortedByConflict+m.Conflicts)
		seen := map[string]bool{}
		for _, id := range idsOf(t, w.Runs(), inmem.RunQuery{Parent: w.run.ID()}) {
			child, err := w.Run(w.ctx(), id)
			require.NoError(t, err)
			require.Equal(t, "0", text(t, child.KV(), "k"))
			seen[text(t, child.KV(), "mine")] = true
		}
		require.Len(t, seen, workers*each)
		requireIndex(t, w.DB)
	})
}

// A run that forks read through is deleted only with a choice; then they show what they did before,
// at every version.
func TestDeleteRunWithForks(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		first := w.put("k", "1")
		second := w.put("k", "2")
		var forks []*inmem.Run
		for range 7 {
			forks = append(forks, w.fork(w.run, inmem.ForkOptions{}))
		}
		leaf := w.fork(forks[0], inmem.ForkOptions{})
		_, err := forks[0].KV().Put(ctx, "k", inmem.String("3"))
		require.NoError(t, err)
		require.NoError(t, forks[1].Record().Archive(ctx))

		err = w.DeleteRun(ctx, w.run.ID())
		var refused *inmem.ForksError
		require.ErrorIs(t, err, inmem.ErrHasForks)
		require.ErrorAs(t, err, &refused)
		require.Equal(t, 7, refused.Forks)
		require.Equal(t, w.run.ID(), refused.Run)
		require.Len(t, refused.First, 5)
		require.ErrorContains(t, err, "7 read through")
		require.Equal(t, "2", text(t, leaf.KV(), "k"))

		require.NoError(t, w.DeleteRun(ctx, forks[6].ID()), "a fork that nobody reads through goes")
		flatten := inmem.DeleteOptions{Forks: inmem.FlattenForks}
		require.NoError(t, w.DeleteRunWith(ctx, w.run.ID(), flatten))
		require.Equal(t, "3", text(t, forks[0].KV(), "k"))
		require.Equal(t, "2", text(t, leaf.KV(), "k"))
		for i, fork := range forks[1:6] {
			require.Equal(t, "2", text(t, fork.KV(), "k"), i)
			for v, want := range map[uint64]string{first - 1: "(absent)", first: "1", second: "2"} {
				then, err := fork.At(ctx, v)
				require.NoError(t, err)
				require.Equal(t, want, text(t, then.KV(), "k"))
				require.NoError(t, then.Close())
			}
			info := w.info(fork)
			require.Equal(t, w.run.ID(), info.Parent, "it keeps the id")
			require.NotZero(t, info.ForkVersion)
			require.Equal(t, uint64(2), info.Commits)
		}
		require.ErrorIs(t, w.DeleteRun(ctx, forks[0].ID()), inmem.ErrHasForks)
		require.NoError(t, w.DeleteRunWith(ctx, forks[0].ID(), flatten))
		require.Equal(t, "2", text(t, leaf.KV(), "k"))
		require.NoError(t, w.DeleteRun(ctx, leaf.ID()))
		err = w.DeleteRunWith(ctx, leaf.ID(), flatten)
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		err = w.DeleteRunWith(ctx, leaf.ID(), inmem.DeleteOptions{Forks: 7})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		requireIndex(t, w.DB)
		w.run, err = w.BeginRun(ctx, inmem.RunOptions{})
		require.NoError(t, err)
	})
}

// Erasing a tenant works whoever forks whom; what others have forked of it they keep.
func TestDeleteTenantWithForks(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		root, err := w.BeginRun(ctx, inmem.RunOptions{Tenant: "acme"})
		require.NoError(t, err)
		_, err = root.KV().Put(ctx, "k", inmem.String("root"))
		require.NoError(t, err)
		mine := 1
		var theirs []*inmem.Run
		line := root
		for i := range 6 { // a chain in which every third run is another tenant's
			o := inmem.ForkOptions{Tenant: "acme"}
			if i%3 == 2 {
				o.Tenant = "other"
			}
			line = w.fork(line, o)
			if _, err := line.KV().Put(ctx, fmt.Sprint(i), inmem.Int(1)); err != nil {
				t.Fatal(err)
			}
			if i%3 == 2 {
				theirs = append(theirs, line)
			} else {
				mine++
			}
		}
		for range 200 { // all at one time: the order of creation says nothing
			w.fork(root, inmem.ForkOptions{})
			mine++
		}
		w.clock.advance(time.Second)
		n, err := w.DeleteTenant(ctx, "acme")
		require.NoError(t, err)
		require.Equal(t, mine, n)
		require.Empty(t, idsOf(t, w.Runs(), inmem.RunQuery{Tenant: "acme", IncludeArchived: true}))
		for i, r := range theirs {
			require.Equal(t, "root", text(t, r.KV(), "k"))
			n, err := r.KV().Count(ctx, inmem.ScanOptions{})
			require.NoError(t, err)
			require.Equal(t, 1+3*(i+1), n)
		}
		requireIndex(t, w.DB)
	})
}
