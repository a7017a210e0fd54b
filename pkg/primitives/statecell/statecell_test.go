package statecell

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// R170, R171, E28: the life of a cell, step by step.
func TestR170LifeOfACell(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	c := w.cell("plan")
	require.Equal(t, "plan", c.Name())
	s, err := c.Load(ctx)
	require.NoError(t, err)
	require.Equal(t, State{}, s)

	v1 := must(t)(c.Init(ctx, codec.Int(1)))
	shows(t, c, codec.Int(1), v1)
	_, err = c.Init(ctx, codec.Int(9))
	require.ErrorIs(t, err, ErrExists)
	shows(t, c, codec.Int(1), v1)

	w.now = w.now.Add(time.Minute)
	v2 := must(t)(c.Store(ctx, codec.Int(2)))
	require.Greater(t, v2, v1)
	w.now = w.now.Add(time.Minute)
	s, err = c.Load(ctx)
	require.NoError(t, err)
	require.Equal(t, State{Value: codec.Int(2), Version: v2, Updated: w.now.Add(-time.Minute),
		Exists: true}, s)

	v3 := must(t)(c.CompareAndSwap(ctx, v2, codec.Int(2)))
	require.Greater(t, v3, v2, "the same value is a new version")
	_, err = c.CompareAndSwap(ctx, v2, codec.Int(9))
	requireLost(t, err, v2, v3)
	shows(t, c, codec.Int(2), v3)

	s, err = c.Update(ctx, plus(3))
	require.NoError(t, err)
	require.Equal(t, codec.Int(5), s.Value)
	shows(t, c, codec.Int(5), s.Version)
	require.Greater(t, s.Version, v3)

	other := must(t)(w.cell("other").Store(ctx, codec.Null()))
	require.Greater(t, other, s.Version)
	shows(t, c, codec.Int(5), s.Version) // R171: cells are independent
	ok, err := w.cell("other").Exists(ctx)
	require.NoError(t, err)
	require.True(t, ok, "Null is a value")

	existed, err := c.Delete(ctx)
	require.NoError(t, err)
	require.True(t, existed)
	existed, err = c.Delete(ctx)
	require.NoError(t, err)
	require.False(t, existed)
	ok, err = c.Exists(ctx)
	require.NoError(t, err)
	require.False(t, ok)
}

// requireLost requires the conflict of a compare-and-swap on one cell.
func requireLost(t require.TestingT, err error, expected, found uint64) {
	require.ErrorIs(t, err, backend.ErrConflict)
	require.ErrorIs(t, err, backend.ErrVersionMismatch)
	var c *txn.ConflictError
	require.ErrorAs(t, err, &c)
	require.Len(t, c.Keys, 1)
	k := c.Keys[0]
	require.Equal(t, txn.ConflictKey{Run: "the-run", Primitive: codec.Cells, Key: k.Key,
		Expected: expected, Found: found, CAS: true}, k)
}

// E60: a version does not come back with a new life, so a stale compare-and-swap stays stale.
func TestE60VersionsDoNotRepeat(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			ctx, w := t.Context(), newWorld(t)
			c := w.cell("c")
			seen := map[uint64]bool{}
			last := must(t)(c.Init(ctx, codec.Int(0)))
			for range 5 {
				require.False(t, seen[last])
				seen[last] = true
				existed, err := c.Delete(ctx)
				require.NoError(t, err)
				require.True(t, existed)
				require.NoError(t, f.on(w, func(x Cells) error {
					_, err := x.Cell("c").Init(ctx, codec.Int(0))
					return err
				}))
				s, err := c.Get(ctx)
				require.NoError(t, err)
				require.Greater(t, s.Version, last)
				err = f.on(w, func(x Cells) error {
					_, err := x.Cell("c").CompareAndSwap(ctx, last, codec.Int(9))
					return err
				})
				requireLost(t, err, last, s.Version)
				last = s.Version
			}
		})
	}
}

// E61: several writes of one transaction make one version.
func TestE61OneVersionPerTransaction(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	v, err := w.update(func(x Cells) error {
		for i := range int64(3) {
			require.Zero(t, must(t)(x.Cell("c").Store(ctx, codec.Int(i))))
		}
		s, err := x.Cell("c").Update(ctx, plus(10))
		require.Equal(t, State{Value: codec.Int(12), Exists: true}, s)
		return err
	})
	require.NoError(t, err)
	shows(t, w.cell("c"), codec.Int(12), v)
}

// E62 as semantics.md 2.12 has it, E20-E22: compare-and-swap of a cell that is missing follows the
// versions and nothing else.
func TestE62CompareAndSwapOfAMissingCell(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			ctx, w := t.Context(), newWorld(t)
			c := w.cell("c")
			swap := func(expected uint64) error {
				return f.on(w, func(x Cells) error {
					_, err := x.Cell("c").CompareAndSwap(ctx, expected, codec.Int(1))
					return err
				})
			}
			requireLost(t, swap(1), 1, 0)
			require.NoError(t, swap(0), "creates what never existed")
			s, err := c.Load(ctx)
			require.NoError(t, err)
			requireLost(t, swap(0), 0, s.Version)

			_, err = c.Delete(ctx)
			require.NoError(t, err)
			gone, err := c.Load(ctx)
			require.NoError(t, err)
			require.False(t, gone.Exists)
			require.True(t, gone.Value.IsNull())
			require.Greater(t, gone.Version, s.Version)
			require.Equal(t, w.now, gone.Updated)
			requireLost(t, swap(0), 0, gone.Version)
			requireLost(t, swap(s.Version), s.Version, gone.Version)
			require.NoError(t, swap(gone.Version), "creates anew")
		})
	}
}

// E23: a pending compare-and-swap is visible to its transaction.
func TestE23PendingSwapIsVisible(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	v := must(t)(w.cell("c").Store(ctx, codec.Int(1)))
	_, err := w.update(func(x Cells) error {
		must(t)(x.Cell("c").CompareAndSwap(ctx, v, codec.Int(2)))
		shows(t, x.Cell("c"), codec.Int(2), 0)
		s, err := x.Cell("c").Load(ctx)
		require.NoError(t, err)
		require.True(t, s.Updated.IsZero())
		must(t)(x.Cell("c").CompareAndSwap(ctx, v, codec.Int(3)))
		return nil
	})
	require.NoError(t, err)
}

// E63: of racing Inits exactly one succeeds, and the losers are told that the cell exists.
func TestE63RacingInits(t *testing.T) {
	w := engineWorld(t, embedded.Options{Mode: embedded.None})
	for round := range 20 {
		c := w.cell(string(rune('a' + round)))
		if round%2 == 1 {
			must(t)(c.Store(t.Context(), codec.Null()))
			_, err := c.Delete(t.Context())
			require.NoError(t, err)
		}
		const many = 16
		errs := make([]error, many)
		var group sync.WaitGroup
		for i := range many {
			group.Go(func() { _, errs[i] = c.Init(t.Context(), codec.Int(int64(i))) })
		}
		group.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, ErrExists)
			require.NotErrorIs(t, err, backend.ErrConflict)
		}
		require.Equal(t, 1, won)
	}
}

// E63, step by step: the other Init commits between the look and the write.
func TestE63InitLosesAtTheCommit(t *testing.T) {
	for _, f := range forms {
		ctx, w := t.Context(), newWorld(t)
		w.stub.between = func() { must(t)(w.cell("c").Init(ctx, codec.Int(1))) }
		err := f.on(w, func(x Cells) error {
			_, err := x.Cell("c").Init(ctx, codec.Int(2))
			return err
		})
		require.ErrorIs(t, err, ErrExists, f.name)
		require.NotErrorIs(t, err, backend.ErrConflict, f.name)
	}
}

// E64, R172: an update of a missing cell fails and does not call the function; with an initial
// value it starts from that, and resets nothing. An error of the function rolls back.
func TestE64Updates(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			ctx, w := t.Context(), newWorld(t)
			c, boom := w.cell("c"), errors.New("boom")
			update := func(fn func(codec.Value) (codec.Value, error)) error {
				return f.on(w, func(x Cells) error {
					_, err := x.Cell("c").Update(ctx, fn)
					return err
				})
			}
			orInit := func(initial int64, fn func(codec.Value) (codec.Value, error)) error {
				return f.on(w, func(x Cells) error {
					_, err := x.Cell("c").UpdateOrInit(ctx, codec.Int(initial), fn)
					return err
				})
			}
			fail := func(codec.Value) (codec.Value, error) { return codec.Int(9), boom }
			require.ErrorIs(t, update(fail), ErrNotFound)
			require.ErrorIs(t, orInit(9, fail), boom)
			ok, err := c.Exists(ctx)
			require.NoError(t, err)
			require.False(t, ok)

			require.NoError(t, orInit(10, plus(1)))
			require.NoError(t, orInit(500, plus(1)))
			require.NoError(t, update(plus(1)))
			s, err := c.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, codec.Int(13), s.Value)

			require.ErrorIs(t, update(fail), boom)
			require.ErrorIs(t, update(set(codec.String("\xff"))), codec.ErrInvalidArgument)
			shows(t, c, codec.Int(13), s.Version)

			_, err = c.Delete(ctx)
			require.NoError(t, err)
			require.ErrorIs(t, update(plus(1)), ErrNotFound)
			require.NoError(t, orInit(20, plus(1)))
			s, err = c.Get(ctx)
			require.NoError(t, err)
			require.Equal(t, codec.Int(21), s.Value)
		})
	}
}

// R172: the function runs again on what another write left.
func TestR172UpdateRunsAgain(t *testing.T) {
	for _, f := range forms {
		ctx, w := t.Context(), newWorld(t)
		must(t)(w.cell("c").Store(ctx, codec.Int(1)))
		w.stub.between = func() { must(t)(w.cell("c").Store(ctx, codec.Int(100))) }
		calls := 0
		err := f.on(w, func(x Cells) error {
			_, err := x.Cell("c").Update(ctx, func(v codec.Value) (codec.Value, error) {
				calls++
				return plus(1)(v)
			})
			return err
		})
		require.NoError(t, err, f.name)
		require.Equal(t, 2, calls, f.name)
		s, err := w.cell("c").Get(ctx)
		require.NoError(t, err)
		require.Equal(t, codec.Int(101), s.Value, f.name)
	}
}

// A blind Store never conflicts, and neither does a Delete that found its cell.
func TestStoreIsBlind(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	tx, err := w.m.Begin(ctx, w.run, txn.Options{})
	require.NoError(t, err)
	x := w.inside(tx)
	must(t)(x.Cell("a").Store(ctx, codec.Int(1)))
	_, err = x.Cell("b").Delete(ctx)
	require.NoError(t, err)
	must(t)(w.cell("a").Store(ctx, codec.Int(2)))
	must(t)(w.cell("b").Store(ctx, codec.Int(2)))
	v := must(t)(tx.Commit(ctx))
	shows(t, w.cell("a"), codec.Int(1), v)
	ok, err := w.cell("b").Exists(ctx)
	require.NoError(t, err)
	require.False(t, ok, "deleted, although it did not exist in the snapshot")
}

// A direct write of an ungoverned cell is one request.
func TestOneRequest(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	c := w.cell("c")
	before := w.stub.commits
	v := must(t)(c.Store(ctx, codec.Int(1)))
	must(t)(c.CompareAndSwap(ctx, v, codec.Int(1)))
	_, err := c.Delete(ctx)
	require.NoError(t, err)
	require.Equal(t, before+3, w.stub.commits)
	require.Zero(t, w.m.Stats().Started-1, "no transaction but the one that began the run")
}

// R022, R198: names are any bytes, every one is a cell of its own, and none leads to the keys of
// anything else.
func TestR198Names(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	names := []string{"", "\x00", "/", "\xff", "\xff\xff\xff", "__meta__", "a\x00b", "a/b", "c/", "m/",
		"../m/x", "r/0000000001/k/x", strings.Repeat("k", codec.MaxKeySize)}
	for i, name := range names {
		c := w.cell(name)
		must(t)(c.Init(ctx, codec.Int(int64(i))))
		s, err := c.Update(ctx, plus(1))
		require.NoError(t, err, "%q", name)
		must(t)(c.CompareAndSwap(ctx, s.Version, codec.String("a")))
		must(t)(c.Define(ctx, Machine{Initial: "a",
			Transitions: []Transition{{From: "a", Event: "go", To: "b"}}}))
		_, err = c.Fire(ctx, "go")
		require.NoError(t, err, "%q", name)
	}
	for i, name := range names {
		s, err := w.cell(name).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, codec.String("b"), s.Value, "%q", name)
		if i%2 == 0 {
			existed, err := w.cell(name).Delete(ctx)
			require.NoError(t, err)
			require.True(t, existed)
		}
	}
	n, err := w.cells().Count(ctx, "")
	require.NoError(t, err)
	require.Equal(t, len(names)/2, n)

	long := strings.Repeat("k", codec.MaxKeySize+1)
	for op, err := range everything(ctx, w.cell(long), codec.Int(1)) {
		require.ErrorIs(t, err, codec.ErrTooLarge, op)
		require.ErrorContains(t, err, "cell "+op+" run the-run name \"kkk", op)
		require.Less(t, len(err.Error()), 300, op)
	}
	for _, err := range w.cells().List(ctx, long) {
		require.ErrorIs(t, err, codec.ErrTooLarge)
		require.ErrorContains(t, err, "cell list run the-run")
	}
	_, err = w.cells().Count(ctx, long)
	require.ErrorIs(t, err, codec.ErrTooLarge)
}

// writes calls every method that writes.
func writes(ctx context.Context, c Cell, v codec.Value) map[string]error {
	errs := map[string]error{}
	_, errs["init"] = c.Init(ctx, v)
	_, errs["store"] = c.Store(ctx, v)
	_, errs["compare and swap"] = c.CompareAndSwap(ctx, 0, v)
	_, errs["delete"] = c.Delete(ctx)
	_, errs["update"] = c.Update(ctx, set(v))
	_, errs["update or init"] = c.UpdateOrInit(ctx, v, set(v))
	_, errs["define"] = c.Define(ctx, Machine{Initial: "a"})
	_, errs["fire"] = c.Fire(ctx, "go")
	return errs
}

// everything calls every method.
func everything(ctx context.Context, c Cell, v codec.Value) map[string]error {
	errs := writes(ctx, c, v)
	_, errs["get"] = c.Get(ctx)
	_, errs["load"] = c.Load(ctx)
	_, errs["exists"] = c.Exists(ctx)
	_, _, errs["machine"] = c.Machine(ctx)
	_, errs["can"] = c.Can(ctx, "go")
	_, errs["is terminal"] = c.IsTerminal(ctx)
	return errs
}

// R196: nothing that is done to cells is seen in another primitive.
func TestR196NoCoupling(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	must(t)(w.cell("c").Init(ctx, codec.String("a")))
	for range everything(ctx, w.cell("c"), codec.String("a")) {
	}
	must(t)(w.cell("d").Store(ctx, codec.String("a")))
	s := w.m.Scope(w.run)
	for p := codec.Primitive('A'); p <= 'z'; p++ {
		if p > 'Z' && p < 'a' || p == codec.Journal {
			continue
		}
		n := 0
		c := s.Scan(ctx, p, txn.Range{})
		for c.Next() {
			n++
		}
		require.NoError(t, c.Err())
		c.Close()
		switch p {
		case codec.Cells:
			require.Equal(t, 2, n)
		case codec.Machines:
			require.Equal(t, 1, n)
		default:
			require.Zero(t, n, "%c", p)
		}
	}
}

// A view shows one version and refuses writes; after its end everything is refused.
func TestViews(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	c := w.cell("c")
	v := must(t)(c.Init(ctx, codec.String("a")))
	must(t)(c.Define(ctx, Machine{Initial: "a", Terminal: []string{"b"},
		Transitions: []Transition{{From: "a", Event: "go", To: "b"}}}))
	var kept Cells
	require.NoError(t, w.view(func(x Cells) error {
		kept = x
		_, err := c.Fire(ctx, "go")
		require.NoError(t, err)
		_, err = c.Delete(ctx)
		require.NoError(t, err)
		shows(t, x.Cell("c"), codec.String("a"), v)
		can, err := x.Cell("c").Can(ctx, "go")
		require.NoError(t, err)
		require.True(t, can)
		for op, err := range writes(ctx, x.Cell("c"), codec.String("a")) {
			require.ErrorIs(t, err, backend.ErrReadOnly, op)
		}
		n, err := x.Count(ctx, "")
		require.Equal(t, 1, n)
		return err
	}))
	refused := writes(ctx, kept.Cell("c"), codec.Int(1))
	for op, err := range everything(ctx, kept.Cell("c"), codec.Int(1)) {
		if refused[op] == nil {
			require.ErrorIs(t, err, txn.ErrTxnDone, op)
		} else {
			require.ErrorIs(t, err, backend.ErrReadOnly, op)
		}
	}
	_, err := kept.Count(ctx, "")
	require.ErrorIs(t, err, txn.ErrTxnDone)
}

// What is refused says so before anything is written, in every form.
func TestRefusals(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	bad := codec.String("\xff")
	for op, err := range writes(ctx, w.cell("c"), bad) {
		switch op {
		case "delete", "define":
			require.NoError(t, err, op)
		case "update", "fire":
			require.ErrorIs(t, err, ErrNotFound, op)
		default:
			require.Error(t, err, op)
		}
	}
	_, err := w.cell("d").Init(ctx, bad)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	_, err = w.cell("d").Store(ctx, bad)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	_, err = w.cell("d").CompareAndSwap(ctx, 0, bad)
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	_, err = w.cell("d").UpdateOrInit(ctx, bad, set(bad))
	require.ErrorIs(t, err, codec.ErrInvalidArgument)
	for op, err := range everything(ctx, Cells{}.Cell("c"), codec.Int(1)) {
		require.ErrorIs(t, err, codec.ErrInvalidArgument, op)
		require.ErrorContains(t, err, "run (none)", op)
	}

	ended := w.newRun(t, "ended", codec.Completed)
	for op, err := range writes(ctx, New(w.m.Scope(ended)).Cell("c"), codec.Int(1)) {
		if op == "update" || op == "fire" {
			require.ErrorIs(t, err, ErrNotFound, op)
			continue
		}
		require.ErrorIs(t, err, backend.ErrScopeNotActive, op)
	}
}

// Lists are in byte order, stop where they are told, and look anew when they are used again.
func TestList(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	for _, name := range []string{"b", "\xff", "ab", "", "a", "a\x00"} {
		must(t)(w.cell(name).Store(ctx, codec.Null()))
	}
	must(t)(w.cell("aa").Define(ctx, Machine{Initial: "a"})) // no value
	list := func(x Cells, prefix string) (names []string) {
		for name, err := range x.List(ctx, prefix) {
			require.NoError(t, err)
			names = append(names, name)
		}
		n, err := x.Count(ctx, prefix)
		require.NoError(t, err)
		require.Equal(t, len(names), n)
		return names
	}
	require.Equal(t, []string{"", "a", "a\x00", "ab", "b", "\xff"}, list(w.cells(), ""))
	require.Equal(t, []string{"a", "a\x00", "ab"}, list(w.cells(), "a"))
	require.Equal(t, []string{"\xff"}, list(w.cells(), "\xff"))
	require.Empty(t, list(w.cells(), "c"))
	_, err := w.update(func(x Cells) error {
		_, err := x.Cell("a").Delete(ctx)
		require.NoError(t, err)
		must(t)(x.Cell("ac").Store(ctx, codec.Null()))
		require.Equal(t, []string{"a\x00", "ab", "ac"}, list(x, "a"))
		return nil
	})
	require.NoError(t, err)
	seq := w.cells().List(ctx, "")
	for range seq {
		break
	}
	_, err = w.cell("").Delete(ctx)
	require.NoError(t, err)
	for name := range seq {
		require.Equal(t, "a\x00", name)
		break
	}
	for i := range 300 {
		must(t)(w.cell(strings.Repeat("x", i+1)).Store(ctx, codec.Null()))
	}
	canceled, cancel := context.WithCancel(ctx)
	defer cancel()
	var errs []error
	for _, err := range w.cells().List(canceled, "x") {
		cancel()
		if err != nil {
			errs = append(errs, err)
		}
	}
	require.Len(t, errs, 1, "yielded once")
	require.ErrorIs(t, errs[0], txn.ErrCanceled)
}
