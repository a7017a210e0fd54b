package statecell

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
)

// R170: 50 goroutines meet on one cell, and every one of their 5000 updates takes effect once,
// without an error reaching anybody.
func TestR170ManyOnOneCell(t *testing.T) {
	ctx := t.Context()
	w := engineWorld(t, embedded.Options{Mode: embedded.None})
	const many, each = 50, 100
	counter := w.cell("counter")
	var group sync.WaitGroup
	errs := make(chan error, many*each)
	for range many {
		group.Go(func() {
			for i := range each {
				var err error
				if i%2 == 0 {
					_, err = counter.Update(ctx, plus(1))
				}
				if i%2 == 1 || errors.Is(err, ErrNotFound) {
					_, err = counter.UpdateOrInit(ctx, codec.Int(0), plus(1))
				}
				errs <- err
			}
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	s, err := counter.Get(ctx)
	require.NoError(t, err)
	require.Equal(t, codec.Int(many*each), s.Value)
}

// Events race on one governed cell: every Fire that succeeds is a step of one path, so as many
// tokens are taken as were given back, whoever came first.
func TestR173RacingEvents(t *testing.T) {
	ctx := t.Context()
	w := engineWorld(t, embedded.Options{Mode: embedded.None})
	c := w.cell("door")
	must(t)(c.Define(ctx, Machine{Initial: "open", Transitions: []Transition{
		{From: "open", Event: "close", To: "closed"}, {From: "closed", Event: "open", To: "open"}}}))
	must(t)(c.Init(ctx, codec.String("open")))
	fired := make([][2]int, 8)
	var group sync.WaitGroup
	for i := range fired {
		group.Go(func() {
			for range 50 {
				for j, event := range []string{"close", "open"} {
					_, err := c.Fire(ctx, event)
					if err == nil {
						fired[i][j]++
					} else if !errors.Is(err, ErrInvalidTransition) {
						t.Errorf("%s: %v", event, err)
					}
				}
			}
		})
	}
	group.Wait()
	closes, opens := 0, 0
	for _, n := range fired {
		closes, opens = closes+n[0], opens+n[1]
	}
	s, err := c.Get(ctx)
	require.NoError(t, err)
	want := codec.String("open")
	if closes != opens {
		want = codec.String("closed")
		opens++
	}
	require.Equal(t, closes, opens)
	require.Equal(t, want, s.Value)
}

// Definitions, writes of all kinds and deletes race. Whatever the history shows afterwards was
// admitted: at every version at which a machine governs the cell, its value is a state, and each
// change of it a declared step, or the machine or the cell is new.
func TestR173NothingSlipsPast(t *testing.T) {
	ctx := t.Context()
	w := engineWorld(t, embedded.Options{Mode: embedded.None})
	c := w.cell("c")
	m := Machine{Initial: "a", Transitions: []Transition{
		{From: "a", Event: "x", To: "b"}, {From: "b", Event: "x", To: "a"}}}
	values := []codec.Value{codec.String("a"), codec.String("b"), codec.String("c"), codec.Int(1)}
	store := func(v codec.Value) error { _, err := c.Store(ctx, v); return err }
	define := func(codec.Value) error { _, err := c.Define(ctx, m); return err }
	swap := func(v codec.Value) error {
		s, err := c.Get(ctx)
		if err == nil {
			_, err = c.CompareAndSwap(ctx, s.Version, v)
		}
		return err
	}
	remove := func(codec.Value) error { _, err := c.Delete(ctx); return err }
	inside := func(v codec.Value) error {
		_, err := w.update(func(x Cells) error {
			_, err := x.Cell("c").Store(ctx, v)
			return err
		})
		return err
	}
	ops := []func(codec.Value) error{store, store, define, define, swap, swap, inside, remove}
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			dice := rand.New(rand.NewPCG(1, uint64(n)))
			for range 400 {
				i := dice.IntN(len(ops))
				err := ops[i](values[dice.IntN(len(values))])
				if err != nil && !errors.Is(err, ErrInvalidTransition) &&
					!errors.Is(err, backend.ErrConflict) {
					t.Errorf("op %d: %v", i, err)
				}
			}
		})
	}
	group.Wait()
	governed := checkHistory(ctx, t, w, m)
	require.NotZero(t, governed, "the history has governed writes")
}

// checkHistory walks all versions and holds every write against the machine of its moment.
func checkHistory(ctx context.Context, t *testing.T, w *world, m Machine) (governed int) {
	var before codec.Value
	var exists, defined bool
	for commit, err := range w.b.Tail(ctx, 1) {
		require.NoError(t, err)
		cell, err := w.b.Get(ctx, w.run, codec.Cells, "c", commit.Version)
		require.NoError(t, err)
		machine, err := w.b.Get(ctx, w.run, codec.Machines, "c", commit.Version)
		require.NoError(t, err)
		var now codec.Value
		if cell.Exists() {
			now, err = codec.DecodeValue(cell.Value)
			require.NoError(t, err)
		}
		where := fmt.Sprintf("version %d: %v to %v", commit.Version, before, now)
		if machine.Exists() && cell.Exists() {
			require.Contains(t, m.states(), state(now), where)
			if defined && cell.Version == commit.Version {
				governed++
				if exists {
					require.True(t, next1(m, state(before), now), where)
				} else {
					require.Equal(t, m.Initial, state(now), where)
				}
			}
		}
		if !cell.Exists() && exists {
			require.False(t, machine.Exists(), "%s: deleted without its machine", where)
		}
		before, exists, defined = now, cell.Exists(), machine.Exists()
	}
	return governed
}
