package statecell

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// twin is what cells should show: a map, and the rules written down once more, without care for
// time.
type twin map[string]twinCell

type twinCell struct {
	exists  bool
	value   codec.Value
	version uint64 // of the committed state; what a transaction writes leaves it alone
	machine *Machine
}

// judge says with which error a write of v ends; nil if it may be.
func (c twinCell) judge(v codec.Value) error {
	switch {
	case c.machine == nil:
		return nil
	case !c.exists && v == codec.String(c.machine.Initial):
		return nil
	case c.exists && next1(*c.machine, state(c.value), v):
		return nil
	}
	return ErrInvalidTransition
}

// The machines that are drawn. In the second nothing leads to "c"; the third knows no "b".
var machines = []Machine{
	{Initial: "a", Transitions: []Transition{
		{From: "a", Event: "x", To: "b"}, {From: "b", Event: "x", To: "c"},
		{From: "b", Event: "y", To: "a"}}, Terminal: []string{"c"}},
	{Initial: "a", Transitions: []Transition{
		{From: "a", Event: "y", To: "b"}, {From: "c", Event: "x", To: "b"}}},
	{Initial: "c", Transitions: []Transition{
		{From: "c", Event: "x", To: "a"}, {From: "a", Event: "y", To: "a"}}},
}

// accepts says with which error a definition ends, the dumb way: by trying all paths.
func (c twinCell) accepts(m Machine) error {
	reached := []string{m.Initial}
	current := state(c.value)
	if c.exists {
		if !slices.Contains(m.states(), current) {
			return ErrInvalidTransition
		}
		reached = append(reached, current)
	}
	for range m.Transitions {
		for _, t := range m.Transitions {
			if slices.Contains(reached, t.From) {
				reached = append(reached, t.To)
			}
		}
	}
	for _, s := range m.states() {
		if !slices.Contains(reached, s) {
			return codec.ErrInvalidArgument
		}
	}
	return nil
}

// game is one random history.
type game struct {
	w      *world
	x      Cells // what is played on
	now    twin
	inside bool
}

func (g *game) write(name string, v codec.Value, version uint64) {
	c := g.now[name]
	c.exists, c.value = true, v
	if !g.inside {
		c.version = version
	}
	g.now[name] = c
}

var (
	drawName  = rapid.SampledFrom([]string{"", "a", "a\x00", "ab", "\xff"})
	drawValue = rapid.SampledFrom([]codec.Value{codec.Null(), codec.Int(1), codec.String("a"),
		codec.String("b"), codec.String("c"), codec.String("d")})
)

// R170, R173: after every step of a random history everything that cells show equals a map:
// directly, inside a transaction, and, for what was there before it, in a view and outside.
func TestR170AgainstAMap(t *testing.T) {
	for _, form := range []string{"direct", "transaction"} {
		t.Run(form, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { play(t, form == "transaction") })
		})
	}
}

func play(t *rapid.T, inside bool) {
	ctx := context.Background()
	g := &game{w: newWorld(t), now: twin{}}
	g.x = g.w.cells()
	for range rapid.IntRange(0, 10).Draw(t, "before") {
		g.step(t)
	}
	before := twin{}
	for name, c := range g.now {
		before[name] = c
	}
	var tx *txn.Tx
	if g.inside = inside; inside {
		var err error
		tx, err = g.w.m.Begin(ctx, g.w.run, txn.Options{Isolation: txn.Serializable})
		require.NoError(t, err)
		g.x = g.w.inside(tx)
	}
	require.NoError(t, g.w.view(func(view Cells) error {
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			g.step(t)
			compare(t, g.x, g.now, g.inside)
			compare(t, view, before, false)
			if inside {
				compare(t, g.w.cells(), before, false)
			}
		}
		return nil
	}))
	if !inside {
		return
	}
	_, err := tx.Commit(ctx)
	require.NoError(t, err)
	compare(t, g.w.cells(), g.now, true)
}

// step plays one operation on both sides.
func (g *game) step(t *rapid.T) {
	ctx := context.Background()
	name, v := drawName.Draw(t, "name"), drawValue.Draw(t, "value")
	c, was := g.x.Cell(name), g.now[name]
	var version uint64
	var err, want error
	op := rapid.SampledFrom([]string{"init", "store", "store", "swap", "update", "or init", "delete",
		"define", "fire", "fire"}).Draw(t, "op")
	switch op {
	case "init":
		if want = was.judge(v); was.exists {
			want = ErrExists
		}
		version, err = c.Init(ctx, v)
	case "store":
		want = was.judge(v)
		version, err = c.Store(ctx, v)
	case "swap":
		version, err, want = g.swap(t, c, was, v)
	case "update":
		if want = was.judge(v); !was.exists {
			want = ErrNotFound
		}
		var s State
		s, err = c.Update(ctx, set(v))
		version = s.Version
	case "or init":
		from, initial := was, drawValue.Draw(t, "initial")
		if !was.exists {
			want = was.judge(initial)
			from.exists, from.value = true, initial
		}
		if want == nil {
			want = from.judge(v)
		}
		var s State
		s, err = c.UpdateOrInit(ctx, initial, set(v))
		version = s.Version
	case "delete":
		g.delete(t, c, was)
		return
	case "define":
		g.define(t, c, was)
		return
	case "fire":
		v, version, err, want = fire(t, c, was)
	}
	if want != nil {
		require.ErrorIs(t, err, want, "%s %q", op, name)
		return
	}
	require.NoError(t, err, "%s %q", op, name)
	require.Equal(t, g.inside, version == 0)
	g.write(name, v, version)
}

func (g *game) swap(t *rapid.T, c Cell, was twinCell, v codec.Value) (uint64, error, error) {
	expected, want := was.version, was.judge(v)
	if !g.inside && rapid.Bool().Draw(t, "stale") {
		expected, want = expected+1000, backend.ErrVersionMismatch
	}
	version, err := c.CompareAndSwap(context.Background(), expected, v)
	if was.machine != nil && errors.Is(err, ErrInvalidTransition) && expected != was.version {
		t.Fatalf("a lost swap is a loss first")
	}
	return version, err, want
}

func fire(t *rapid.T, c Cell, was twinCell) (codec.Value, uint64, error, error) {
	event := rapid.SampledFrom([]string{"x", "y"}).Draw(t, "event")
	s, err := c.Fire(context.Background(), event)
	if was.machine == nil || !was.exists {
		return codec.Value{}, 0, err, ErrNotFound
	}
	for _, tr := range was.machine.Transitions {
		if tr.From == state(was.value) && tr.Event == event {
			if err == nil {
				require.Equal(t, codec.String(tr.To), s.Value)
			}
			return codec.String(tr.To), s.Version, err, nil
		}
	}
	return codec.Value{}, 0, err, ErrInvalidTransition
}

func (g *game) delete(t *rapid.T, c Cell, was twinCell) {
	existed, err := c.Delete(context.Background())
	require.NoError(t, err)
	require.Equal(t, was.exists, existed)
	version := was.version
	if existed && !g.inside {
		s, err := c.Get(context.Background())
		require.NoError(t, err)
		require.Greater(t, s.Version, version)
		version = s.Version
	}
	g.now[c.Name()] = twinCell{version: version}
}

func (g *game) define(t *rapid.T, c Cell, was twinCell) {
	m := rapid.SampledFrom(machines).Draw(t, "machine")
	_, err := c.Define(context.Background(), m)
	if want := was.accepts(m); want != nil &&
		!(was.machine != nil && was.machine.Transitions[0] == m.Transitions[0]) {
		require.ErrorIs(t, err, want)
		return
	}
	require.NoError(t, err)
	was.machine = &m
	g.now[c.Name()] = was
}

// compare compares every reading method with the map. Pending: versions are not known.
func compare(t *rapid.T, x Cells, want twin, pending bool) {
	ctx := context.Background()
	var names []string
	for name, c := range want {
		if c.exists {
			names = append(names, name)
		}
		s, err := x.Cell(name).Get(ctx)
		require.NoError(t, err)
		if pending {
			s.Version = c.version
		}
		require.Equal(t, State{Value: s.Value, Version: c.version, Exists: c.exists}, s, "%q", name)
		if c.exists {
			require.Equal(t, c.value, s.Value)
		}
		exists, err := x.Cell(name).Exists(ctx)
		require.NoError(t, err)
		require.Equal(t, c.exists, exists)
		m, ok, err := x.Cell(name).Machine(ctx)
		require.NoError(t, err)
		if require.Equal(t, c.machine != nil, ok); ok {
			require.Equal(t, *c.machine, m)
		}
		end, err := x.Cell(name).IsTerminal(ctx)
		require.NoError(t, err)
		require.Equal(t, ok && c.exists && slices.Contains(m.Terminal, state(c.value)), end)
		for _, event := range []string{"x", "y"} {
			can, err := x.Cell(name).Can(ctx, event)
			require.NoError(t, err)
			require.Equal(t, ok && c.exists && m.find(state(c.value), event) != nil, can)
		}
	}
	slices.Sort(names)
	for _, prefix := range []string{"", "a", "\xff"} {
		i := 0
		mine := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
			return !strings.HasPrefix(n, prefix)
		})
		for name, err := range x.List(ctx, prefix) {
			require.NoError(t, err)
			require.Less(t, i, len(mine))
			require.Equal(t, mine[i], name)
			i++
		}
		n, err := x.Count(ctx, prefix)
		require.NoError(t, err)
		require.Equal(t, len(mine), n)
		require.Equal(t, len(mine), i)
	}
}
