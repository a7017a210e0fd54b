package inmem_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// R033, R034: a shared namespace is one place for all who name it, each level is a place of its
// own, and no run and no query sees it.
func TestR033SharedNamespaces(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		spaces := []inmem.Namespace{
			{Tenant: "t"}, {Tenant: "t", App: "p"}, {Tenant: "t", App: "p", Agent: "a"},
			{Tenant: "p"}, {Tenant: "t\x00"}, {Tenant: "t", App: "p\x00"}, {Tenant: "_shared"},
			{Tenant: "@"}, {Tenant: "t/p"}, {Tenant: strings.Repeat("\x00", 1024)},
		}
		for i, n := range spaces {
			s, err := w.Shared(w.ctx(), n)
			require.NoError(t, err)
			require.Equal(t, n, s.Namespace())
			ok, err := s.KV().Exists(w.ctx(), "who")
			require.NoError(t, err)
			require.False(t, ok, "%s is another one's", n)
			_, err = s.KV().Put(w.ctx(), "who", inmem.Int(int64(i)))
			require.NoError(t, err)
		}
		for i, n := range spaces {
			s, err := w.Shared(w.ctx(), n)
			require.NoError(t, err)
			who, _, err := inmem.Get[int](w.ctx(), s.KV(), "who")
			require.NoError(t, err)
			require.Equal(t, i, who)
		}
		// A run of the same names has keys of its own, also one that is called as what marks them.
		for _, o := range []inmem.RunOptions{{Tenant: "t", App: "p", Agent: "a"},
			{Tenant: "_shared", App: "_shared", Agent: "_shared"}, {Tenant: "@", Tags: []string{"@"}}} {
			r, err := w.BeginRun(w.ctx(), o)
			require.NoError(t, err)
			require.Equal(t, "(absent)", text(t, r.KV(), "who"))
			found := idsOf(t, w.Runs(), inmem.RunQuery{Tenant: o.Tenant, IncludeArchived: true})
			require.Equal(t, []string{r.ID()}, found, "no shared namespace is a run")
		}
		stats, err := w.Runs().Stats(w.ctx(), inmem.RunQuery{})
		require.NoError(t, err)
		require.Equal(t, inmem.RunStats{Active: 4}, stats)
		for _, bad := range []inmem.Namespace{{}, {App: "p"}, {Agent: "a"}, {Tenant: "t", Agent: "a"},
			{Tenant: "\xff"}} {
			_, err := w.Shared(w.ctx(), bad)
			require.ErrorIs(t, err, inmem.ErrInvalidArgument, bad.String())
		}
		_, err = w.Shared(w.ctx(), inmem.Namespace{Tenant: strings.Repeat("t", 1025)})
		require.ErrorIs(t, err, inmem.ErrTooLarge)
		_, err = w.Run(w.ctx(), "@")
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	})
}

// Of many that use a shared namespace first, all get the same one.
func TestSharedRace(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				s, err := w.Shared(w.ctx(), inmem.Namespace{Tenant: "t"})
				if err == nil {
					_, err = s.KV().Put(w.ctx(), fmt.Sprint(i), inmem.Int(1))
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s, err := w.Shared(w.ctx(), inmem.Namespace{Tenant: "t"})
		require.NoError(t, err)
		n, err := s.KV().Count(w.ctx(), inmem.ScanOptions{})
		require.NoError(t, err)
		require.Equal(t, 8, n)
	})
}

// semantics 2.10: a transaction over runs and shared namespaces names each, and is as atomic as any
// other; one of a run, or of a shared namespace, has nothing to do with another.
func TestTransactionsOverScopes(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		other, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
		require.NoError(t, err)
		s, err := w.Shared(w.ctx(), inmem.Namespace{Tenant: "t"})
		require.NoError(t, err)
		write := func(tx *inmem.Tx) error {
			var errs []error
			for _, k := range []inmem.KV{tx.On(w.run).KV(), tx.On(other).KV(), tx.OnShared(s).KV()} {
				_, err := k.Put(w.ctx(), "k", inmem.String("v"))
				errs = append(errs, err)
			}
			return errors.Join(append(errs, tx.On(other).Record().Complete(w.ctx()))...)
		}
		cause := errors.New("no")
		_, err = w.Update(w.ctx(), func(tx *inmem.Tx) error {
			return errors.Join(write(tx), cause)
		})
		require.ErrorIs(t, err, cause)
		require.Equal(t, "(absent)", text(t, s.KV(), "k"))
		_, err = w.Update(w.ctx(), write)
		require.NoError(t, err)
		require.NoError(t, w.View(w.ctx(), func(v *inmem.View) error {
			for _, k := range []inmem.KV{v.On(w.run).KV(), v.On(other).KV(), v.OnShared(s).KV()} {
				require.Equal(t, "v", text(t, k, "k"))
			}
			require.Error(t, second(v.OnShared(s).KV().Put(w.ctx(), "k", inmem.Null())))
			require.Error(t, second(v.OnShared(nil).KV().Count(w.ctx(), inmem.ScanOptions{})))
			return nil
		}))
		_, err = w.Update(w.ctx(), write)
		require.ErrorIs(t, err, inmem.ErrInvalidTransition, "one of them has ended")

		// What a transaction read in a shared namespace is validated like anything else.
		_, err = w.UpdateWith(w.ctx(), inmem.TxOptions{Retry: &inmem.Retry{}},
			func(tx *inmem.Tx) error {
				_ = text(t, tx.OnShared(s).KV(), "k")
				_, err := s.KV().Put(w.ctx(), "k", inmem.String("changed"))
				require.NoError(t, err)
				_, err = tx.On(w.run).KV().Put(w.ctx(), "k", inmem.String("lost"))
				return err
			})
		require.ErrorIs(t, err, inmem.ErrConflict)

		_, err = w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			_, err := tx.OnShared(s).KV().Put(w.ctx(), "k", inmem.Null())
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
			err = tx.On(other).Record().AddTags(w.ctx(), "x")
			require.ErrorIs(t, err, inmem.ErrInvalidArgument, "another run's record is its own, too")
			_, err = tx.On(other).Record().Info(w.ctx())
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
			return nil
		})
		require.NoError(t, err)
		_, err = s.Update(w.ctx(), func(tx *inmem.Tx) error {
			_, err := tx.On(w.run).KV().Put(w.ctx(), "k", inmem.Null())
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
			require.ErrorIs(t, tx.Record().Complete(w.ctx()), inmem.ErrInvalidArgument)
			_, err = tx.KV().Put(w.ctx(), "k", inmem.String("mine"))
			return err
		})
		require.NoError(t, err)
		require.Equal(t, "mine", text(t, s.KV(), "k"))
		_, err = w.Update(w.ctx(), func(tx *inmem.Tx) error {
			return tx.Record().Complete(w.ctx())
		})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument, "no run is named")
	})
}

func second[T any](_ T, err error) error { return err }

// Another database's namespace is refused.
func TestSharedOfAnotherDatabase(t *testing.T) {
	w, foreign := newWorld(t, engines[0], nil), newWorld(t, engines[0], nil)
	s, err := foreign.Shared(w.ctx(), inmem.Namespace{Tenant: "t"})
	require.NoError(t, err)
	_, err = w.Update(w.ctx(), func(tx *inmem.Tx) error {
		return second(tx.OnShared(s).KV().Put(w.ctx(), "k", inmem.Null()))
	})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	tx, err := s.Begin(w.ctx(), inmem.TxOptions{})
	require.NoError(t, err)
	_, err = tx.KV().Put(w.ctx(), "k", inmem.Int(1))
	require.NoError(t, err)
	_, err = tx.Commit(w.ctx())
	require.NoError(t, err)
	_, err = s.UpdateWith(w.ctx(), inmem.TxOptions{Isolation: inmem.Serializable},
		func(tx *inmem.Tx) error {
			return second(tx.KV().Delete(w.ctx(), "k"))
		})
	require.NoError(t, err)
	require.NoError(t, s.View(w.ctx(), func(v *inmem.View) error {
		require.Equal(t, "(absent)", text(t, v.KV(), "k"))
		return nil
	}))
}
