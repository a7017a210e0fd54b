package statecell

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// job is a machine with a loop, two events to one state, and two ends.
func job() Machine {
	return Machine{
		Initial: "queued",
		Transitions: []Transition{
			{From: "queued", Event: "start", To: "running"},
			{From: "running", Event: "retry", To: "queued"},
			{From: "running", Event: "tick", To: "running"},
			{From: "running", Event: "finish", To: "done"},
			{From: "running", Event: "skip", To: "done"},
			{From: "running", Event: "break", To: "failed"},
		},
		Terminal: []string{"done", "failed"},
	}
}

// begins puts a cell under a machine and into a state.
func begins(t require.TestingT, c Cell, m Machine, state string) uint64 {
	ctx := context.Background()
	_, err := c.Delete(ctx)
	require.NoError(t, err)
	v := must(t)(c.Store(ctx, codec.String(state)))
	must(t)(c.Define(ctx, m))
	return v
}

// R173: from every state every state is tried, through every way to write, directly and inside a
// transaction. Declared steps are taken, all others are refused and change nothing.
func TestR173EveryStepThroughEveryWrite(t *testing.T) {
	ctx := t.Context()
	m := job()
	ways := map[string]func(Cell, uint64, codec.Value) error{
		"store": func(c Cell, _ uint64, v codec.Value) error {
			_, err := c.Store(ctx, v)
			return err
		},
		"swap": func(c Cell, version uint64, v codec.Value) error {
			_, err := c.CompareAndSwap(ctx, version, v)
			return err
		},
		"update": func(c Cell, _ uint64, v codec.Value) error {
			_, err := c.Update(ctx, set(v))
			return err
		},
		"update or init": func(c Cell, _ uint64, v codec.Value) error {
			_, err := c.UpdateOrInit(ctx, codec.String("queued"), set(v))
			return err
		},
	}
	values := []codec.Value{codec.Null(), codec.Int(1), codec.String(""), codec.String("(Null)"),
		codec.Bytes([]byte("done")), codec.String("unknown")}
	for _, s := range m.states() {
		values = append(values, codec.String(s))
	}
	for _, f := range forms {
		for way, write := range ways {
			t.Run(f.name+" "+way, func(t *testing.T) {
				w := newWorld(t)
				for _, from := range m.states() {
					for _, to := range values {
						version := begins(t, w.cell("c"), m, from)
						err := f.on(w, func(x Cells) error { return write(x.Cell("c"), version, to) })
						want := next1(m, from, to)
						if want {
							require.NoError(t, err, "%s to %v", from, to)
							s, err := w.cell("c").Get(ctx)
							require.NoError(t, err)
							require.Equal(t, to, s.Value)
							continue
						}
						var refused *TransitionError
						require.ErrorIs(t, err, ErrInvalidTransition, "%s to %v", from, to)
						require.ErrorAs(t, err, &refused)
						require.Equal(t, &TransitionError{Run: "the-run", Cell: "c", From: from,
							To: describe(to), Allowed: m.next(from)}, refused)
						shows(t, w.cell("c"), codec.String(from), version)
					}
				}
			})
		}
	}
}

// next1 says whether a step is declared, the dumb way.
func next1(m Machine, from string, to codec.Value) bool {
	for _, t := range m.Transitions {
		if t.From == from && codec.String(t.To) == to {
			return true
		}
	}
	return false
}

// R173: every event in every state.
func TestR173EveryEvent(t *testing.T) {
	ctx := t.Context()
	m := job()
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			w := newWorld(t)
			for _, from := range m.states() {
				for _, event := range []string{"start", "retry", "tick", "finish", "skip", "break", "no"} {
					version := begins(t, w.cell("c"), m, from)
					to := ""
					for _, tr := range m.Transitions {
						if tr.From == from && tr.Event == event {
							to = tr.To
						}
					}
					err := f.on(w, func(x Cells) error {
						can, err := x.Cell("c").Can(ctx, event)
						require.NoError(t, err)
						require.Equal(t, to != "", can)
						s, err := x.Cell("c").Fire(ctx, event)
						if err == nil {
							require.Equal(t, codec.String(to), s.Value)
							require.Equal(t, f.name == "direct", s.Version > version)
						}
						return err
					})
					end, terr := w.cell("c").IsTerminal(ctx)
					require.NoError(t, terr)
					if to != "" {
						require.NoError(t, err)
						require.Equal(t, to == "done" || to == "failed", end)
						continue
					}
					require.Equal(t, from == "done" || from == "failed", end)
					var refused *TransitionError
					require.ErrorIs(t, err, ErrInvalidTransition)
					require.ErrorAs(t, err, &refused)
					require.Equal(t, &TransitionError{Run: "the-run", Cell: "c", From: from,
						Event: event, Allowed: m.events(from)}, refused)
					shows(t, w.cell("c"), codec.String(from), version)
				}
			}
		})
	}
}

// A governed cell begins in the initial state, whichever write creates it.
func TestR173FirstState(t *testing.T) {
	ctx := t.Context()
	for _, f := range forms {
		for way, write := range map[string]func(Cell, codec.Value) error{
			"init":  func(c Cell, v codec.Value) error { _, err := c.Init(ctx, v); return err },
			"store": func(c Cell, v codec.Value) error { _, err := c.Store(ctx, v); return err },
			"swap": func(c Cell, v codec.Value) error {
				_, err := c.CompareAndSwap(ctx, 0, v)
				return err
			},
			"update or init": func(c Cell, v codec.Value) error {
				_, err := c.UpdateOrInit(ctx, v, set(codec.String("running")))
				return err
			},
		} {
			w := newWorld(t)
			must(t)(w.cell("c").Define(ctx, job()))
			for _, v := range []codec.Value{codec.String("running"), codec.String("x"), codec.Null()} {
				err := f.on(w, func(x Cells) error { return write(x.Cell("c"), v) })
				var refused *TransitionError
				require.ErrorAs(t, err, &refused, way)
				require.Equal(t, &TransitionError{Run: "the-run", Cell: "c", To: describe(v),
					Allowed: []string{"queued"}}, refused, way)
			}
			for _, err := range []error{
				f.on(w, func(x Cells) error { _, err := x.Cell("c").Fire(ctx, "start"); return err }),
				f.on(w, func(x Cells) error {
					_, err := x.Cell("c").Update(ctx, set(codec.String("queued")))
					return err
				}),
			} {
				require.ErrorIs(t, err, ErrNotFound, way)
			}
			require.NoError(t, f.on(w, func(x Cells) error {
				return write(x.Cell("c"), codec.String("queued"))
			}), way)
		}
		w := newWorld(t)
		must(t)(w.cell("c").Define(ctx, job()))
		err := f.on(w, func(x Cells) error {
			_, err := x.Cell("c").UpdateOrInit(ctx, codec.String("queued"), set(codec.String("done")))
			return err
		})
		require.ErrorIs(t, err, ErrInvalidTransition, "two steps at once")
	}
}

// A cell without a machine, and one without a value, answer no and refuse events.
func TestNothingToAsk(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	ask := func(name string) {
		can, err := w.cell(name).Can(ctx, "start")
		require.NoError(t, err)
		require.False(t, can)
		end, err := w.cell(name).IsTerminal(ctx)
		require.NoError(t, err)
		require.False(t, end)
		_, err = w.cell(name).Fire(ctx, "start")
		require.ErrorIs(t, err, ErrNotFound)
	}
	must(t)(w.cell("free").Store(ctx, codec.String("queued")))
	must(t)(w.cell("defined").Define(ctx, job()))
	ask("nothing")
	ask("free")
	ask("defined")
	for _, event := range []string{"", "\xff", strings.Repeat("x", MaxMachineName+1)} {
		_, err := w.cell("free").Fire(ctx, event)
		require.Error(t, err)
		require.NotErrorIs(t, err, ErrNotFound)
		_, err = w.cell("free").Can(ctx, event)
		require.Error(t, err)
	}
}

// Delete ends the machine with the cell: what comes later is free.
func TestDeleteEndsTheMachine(t *testing.T) {
	ctx := t.Context()
	for _, f := range forms {
		w := newWorld(t)
		c := w.cell("c")
		remove := func() (existed bool) {
			require.NoError(t, f.on(w, func(x Cells) (err error) {
				existed, err = x.Cell("c").Delete(ctx)
				if err == nil {
					_, ok, err2 := x.Cell("c").Machine(ctx)
					require.NoError(t, err2)
					require.False(t, ok)
				}
				return err
			}))
			return existed
		}
		v := begins(t, c, job(), "done")
		require.True(t, remove(), f.name)
		require.False(t, remove(), f.name)
		v2 := must(t)(c.Init(ctx, codec.Int(1)))
		require.Greater(t, v2, v)
		require.True(t, remove(), f.name)
		must(t)(c.Define(ctx, job()))
		require.False(t, remove(), "a machine alone")
		must(t)(c.Store(ctx, codec.Int(1)))
		_, err := w.update(func(x Cells) error {
			_, err := x.Cell("c").Delete(ctx)
			require.NoError(t, err)
			must(t)(x.Cell("c").Store(ctx, codec.Int(2)))
			return nil
		})
		require.NoError(t, err)
	}
}

// Of racing deletes one says true: the answer of a direct one is that of its commit, with a machine
// or without.
func TestRacingDeletes(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	c := w.cell("c")
	remove := func() bool {
		existed, err := c.Delete(ctx)
		require.NoError(t, err)
		return existed
	}
	for _, prepare := range []func(){
		func() { begins(t, c, job(), "done") },
		func() { must(t)(c.Store(ctx, codec.Null())) },
	} {
		prepare()
		w.stub.between = func() { require.True(t, remove()) }
		require.False(t, remove())
		w.stub.between = prepare
		require.True(t, remove(), "what is there at the commit counts")
		prepare()
		w.stub.between = func() {
			require.True(t, remove())
			prepare()
		}
		require.True(t, remove())
	}
}

// What no cell could be governed by is refused, with the reason.
func TestDefineRefuses(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	long := strings.Repeat("x", MaxMachineName)
	step := func(from, event, to string) Transition {
		return Transition{From: from, Event: event, To: to}
	}
	many := make([]Transition, MaxTransitions)
	ends := make([]string, MaxTransitions+2)
	for i := range many {
		many[i] = step("a", fmt.Sprint(i), fmt.Sprint("to ", i))
	}
	for i := range ends {
		ends[i] = fmt.Sprint("to ", i)
	}
	for _, c := range []struct {
		m    Machine
		kind error
		text string
	}{
		{Machine{}, codec.ErrInvalidArgument, "initial state is empty"},
		{Machine{Initial: "\xff"}, codec.ErrInvalidArgument, "not UTF-8"},
		{Machine{Initial: long + "x"}, codec.ErrTooLarge, "initial state is too large: 1025"},
		{Machine{Initial: "a", Transitions: []Transition{step("", "e", "b")}},
			codec.ErrInvalidArgument, "state is empty"},
		{Machine{Initial: "a", Transitions: []Transition{step("a", "", "b")}},
			codec.ErrInvalidArgument, "event is empty"},
		{Machine{Initial: "a", Transitions: []Transition{step("a", "e", "")}},
			codec.ErrInvalidArgument, "state is empty"},
		{Machine{Initial: "a", Transitions: []Transition{
			{From: "a", Event: "e", To: "b", Guard: "\xff"}}},
			codec.ErrInvalidArgument, "guard is not UTF-8"},
		{Machine{Initial: "a", Transitions: []Transition{step("a", "e", "b"), step("a", "e", "c")}},
			codec.ErrInvalidArgument, `event "e" is declared twice in state "a"`},
		{Machine{Initial: "a", Transitions: []Transition{step("a", "e", "b"), step("x", "e", "b")}},
			codec.ErrInvalidArgument, `no transition leads to state "x"`},
		{Machine{Initial: "a", Transitions: []Transition{step("a", "e", "b"), step("x", "e", "x")}},
			codec.ErrInvalidArgument, `no transition leads to state "x"`},
		{Machine{Initial: "a", Terminal: []string{"b"}},
			codec.ErrInvalidArgument, `no transition leads to state "b"`},
		{Machine{Initial: "a", Transitions: []Transition{step("a", "e", "b")},
			Terminal: []string{"a"}}, codec.ErrInvalidArgument, `leaves the terminal state "a"`},
		{Machine{Initial: "a", Transitions: []Transition{step("a", "e", "b")},
			Terminal: []string{"b", "b"}}, codec.ErrInvalidArgument, "declared twice"},
		{Machine{Initial: "a", Terminal: []string{""}}, codec.ErrInvalidArgument, "is empty"},
		{Machine{Initial: "a", Transitions: append(many, step("a", "more", "a"))},
			codec.ErrTooLarge, "number of transitions"},
		{Machine{Initial: "a", Terminal: ends}, codec.ErrTooLarge, "number of terminal states"},
	} {
		_, err := w.cell("c").Define(ctx, c.m)
		require.ErrorIs(t, err, c.kind, c.text)
		require.ErrorContains(t, err, c.text)
		_, ok, err := w.cell("c").Machine(ctx)
		require.NoError(t, err)
		require.False(t, ok)
	}
	for _, m := range []Machine{
		{Initial: "a"}, {Initial: "a", Terminal: []string{"a"}},
		{Initial: long, Transitions: []Transition{
			{From: long, Event: long, To: "b", Guard: long}}},
		{Initial: "a", Transitions: many, Terminal: ends[:MaxTransitions]},
	} {
		must(t)(w.cell("c").Define(ctx, m))
		got, ok, err := w.cell("c").Machine(ctx)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, m.Initial, got.Initial)
		require.ElementsMatch(t, m.Transitions, got.Transitions)
		require.Equal(t, m.Terminal, got.Terminal)
	}
}

// Defining anew makes a new version and has to know the value; the same again writes nothing. What
// was defined before is still in older views.
func TestRedefinition(t *testing.T) {
	ctx := t.Context()
	for _, f := range forms {
		w := newWorld(t)
		c := w.cell("c")
		define := func(m Machine) (version uint64, err error) {
			err = f.on(w, func(x Cells) (err error) {
				version, err = x.Cell("c").Define(ctx, m)
				return err
			})
			return version, err
		}
		must(t)(c.Store(ctx, codec.Int(7)))
		_, err := define(job())
		var refused *TransitionError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, "(Int)", refused.From)
		require.ErrorContains(t, err, `the cell is in "(Int)", which the machine does not know`)
		must(t)(c.Store(ctx, codec.String("running")))
		v := must(t)(define(job()))
		e, err := w.m.Scope(w.run).Get(ctx, codec.Machines, "c")
		require.NoError(t, err)
		require.Equal(t, v, must(t)(define(job())), f.name)
		e2, err := w.m.Scope(w.run).Get(ctx, codec.Machines, "c")
		require.NoError(t, err)
		require.Equal(t, e, e2)

		// The new machine calls it "working": the old name is a state that is only left.
		renamed := Machine{Initial: "queued", Transitions: []Transition{
			{From: "queued", Event: "start", To: "working"},
			{From: "running", Event: "rename", To: "working"},
		}}
		require.NoError(t, w.view(func(before Cells) error {
			must(t)(define(renamed))
			old, _, err := before.Cell("c").Machine(ctx)
			require.NoError(t, err)
			require.Equal(t, job(), old)
			return nil
		}))
		e2, err = w.m.Scope(w.run).Get(ctx, codec.Machines, "c")
		require.NoError(t, err)
		require.Greater(t, e2.Version, e.Version)
		_, err = c.Fire(ctx, "rename")
		require.NoError(t, err)
		_, err = define(job())
		require.ErrorIs(t, err, ErrInvalidTransition, "working is unknown there")
		_, err = define(Machine{Initial: "working", Transitions: []Transition{
			{From: "working", Event: "e", To: "working"}, {From: "running", Event: "e", To: "working"}}})
		require.ErrorIs(t, err, codec.ErrInvalidArgument, "nothing is in running, nothing leads there")
	}
}

// The guards that tests know, and a machine that names one more.
var errNotYet = errors.New("not yet")

func testGuards(asked *[]GuardContext) Guards {
	return Guards{
		"agree": func(_ context.Context, g GuardContext) error {
			*asked = append(*asked, g)
			return nil
		},
		"refuse": func(context.Context, GuardContext) error { return errNotYet },
	}
}

func guarded() Machine {
	return Machine{Initial: "a", Transitions: []Transition{
		{From: "a", Event: "yes", To: "b", Guard: "agree"},
		{From: "a", Event: "no", To: "c", Guard: "refuse"},
		{From: "a", Event: "gone", To: "d", Guard: "missing"},
		{From: "a", Event: "no too", To: "e", Guard: "refuse"},
		{From: "a", Event: "yes too", To: "e", Guard: "agree"},
		{From: "a", Event: "never asked", To: "f", Guard: "missing"},
		{From: "a", Event: "free", To: "f"},
		{From: "a", Event: "no, no", To: "g", Guard: "refuse"},
		{From: "a", Event: "but gone", To: "g", Guard: "missing"},
		{From: "a", Event: "no more", To: "h", Guard: "refuse"},
		{From: "a", Event: "at all", To: "h", Guard: "refuse"},
		{From: "a", Event: "gone first", To: "i", Guard: "missing"},
		{From: "a", Event: "then yes", To: "i", Guard: "agree"},
	}}
}

// Guards: the one that agrees, the one that refuses with an error of its own, the one that is
// missing; through events, and through values to which several transitions lead.
func TestR173Guards(t *testing.T) {
	ctx := t.Context()
	var asked []GuardContext
	for _, f := range forms {
		w := newWorld(t)
		w.guards = testGuards(&asked)
		for _, c := range []struct {
			event, to     string
			fires, stores error
		}{
			{"yes", "b", nil, nil},
			{"no", "c", errNotYet, errNotYet},
			{"gone", "d", codec.ErrInvalidArgument, codec.ErrInvalidArgument},
			{"no too", "e", errNotYet, nil},
			{"yes too", "e", nil, nil},
			{"never asked", "f", codec.ErrInvalidArgument, nil},
			{"free", "f", nil, nil},
			{"no, no", "g", errNotYet, codec.ErrInvalidArgument},
			{"no more", "h", errNotYet, errNotYet},
			{"then yes", "i", nil, codec.ErrInvalidArgument},
		} {
			check := func(want error, do func(Cell) error) {
				v := begins(t, w.cell("c"), guarded(), "a")
				err := f.on(w, func(x Cells) error { return do(x.Cell("c")) })
				if want == nil {
					require.NoError(t, err, c.event)
					return
				}
				require.ErrorIs(t, err, want, c.event)
				require.Equal(t, want == errNotYet, errors.Is(err, ErrInvalidTransition), c.event)
				shows(t, w.cell("c"), codec.String("a"), v)
			}
			to := codec.String(c.to)
			check(c.fires, func(x Cell) error { _, err := x.Fire(ctx, c.event); return err })
			check(c.stores, func(x Cell) error { _, err := x.Store(ctx, to); return err })
			check(c.stores, func(x Cell) error { _, err := x.Update(ctx, set(to)); return err })
			check(c.stores, func(x Cell) error {
				s, err := x.Get(ctx)
				require.NoError(t, err)
				_, err = x.CompareAndSwap(ctx, s.Version, to)
				return err
			})
			begins(t, w.cell("c"), guarded(), "a")
			can, err := w.cell("c").Can(ctx, c.event)
			require.Equal(t, c.fires == nil, can, c.event)
			require.Equal(t, errors.Is(c.fires, codec.ErrInvalidArgument), err != nil, c.event)
		}
	}
	g := asked[0]
	require.Equal(t, [...]string{"the-run", "c", "a", "yes", "b"},
		[...]string{g.Run, g.Cell, g.From, g.Event, g.To})
}

// A refusal names the guard and the step.
func TestRefusalOfAGuard(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	w.guards = testGuards(new([]GuardContext))
	var refused *TransitionError
	begins(t, w.cell("c"), guarded(), "a")
	_, err := w.cell("c").Fire(ctx, "no")
	require.ErrorAs(t, err, &refused)
	require.Equal(t, &TransitionError{Run: "the-run", Cell: "c", From: "a", To: "c",
		Event: "no", Guard: "refuse", Cause: errNotYet}, refused)
	_, err = New(w.m.Scope(w.run)).Cell("c").Fire(ctx, "yes")
	require.ErrorIs(t, err, codec.ErrInvalidArgument, "no guards at all")
	require.ErrorContains(t, err, `guard "agree" of the event "yes" from "a" to "b" is not registered`)
}

// What a guard reads is read by the step: when it changes before the commit, the guard is asked
// again.
func TestGuardsReadWhatTheStepReads(t *testing.T) {
	ctx := t.Context()
	for _, f := range forms {
		w := newWorld(t)
		closed := errors.New("the door is closed")
		w.guards = Guards{"door": func(ctx context.Context, g GuardContext) error {
			require.False(t, g.Scope.Direct(), "nothing that commits by itself")
			if ok, err := New(g.Scope).Cell("open").Exists(ctx); err != nil || !ok {
				return errors.Join(err, closed)
			}
			return nil
		}}
		m := Machine{Initial: "out", Transitions: []Transition{
			{From: "out", Event: "enter", To: "in", Guard: "door"}}}
		begins(t, w.cell("c"), m, "out")
		must(t)(w.cell("open").Init(ctx, codec.Null()))
		can, err := w.cell("c").Can(ctx, "enter")
		require.NoError(t, err)
		require.True(t, can)
		w.stub.between = func() {
			_, err := w.cell("open").Delete(ctx)
			require.NoError(t, err)
		}
		err = f.on(w, func(x Cells) error { _, err := x.Cell("c").Fire(ctx, "enter"); return err })
		require.ErrorIs(t, err, closed, f.name)
		require.ErrorIs(t, err, ErrInvalidTransition, f.name)
	}
	w := newWorld(t)
	canceled, cancel := context.WithCancel(ctx)
	w.guards = Guards{"slow": func(ctx context.Context, _ GuardContext) error {
		cancel()
		return ctx.Err()
	}}
	begins(t, w.cell("c"), Machine{Initial: "a", Transitions: []Transition{
		{From: "a", Event: "e", To: "b", Guard: "slow"}}}, "a")
	_, err := w.cell("c").Can(canceled, "e")
	require.ErrorIs(t, err, context.Canceled, "no answer, not a no")
}

// Undeclared steps are refused at the commit: another write moves the cell, or a definition comes,
// between the look and the commit, for every write and in both forms.
func TestR173RefusedAtTheCommit(t *testing.T) {
	ctx := t.Context()
	finish := codec.String("done")
	writes := map[string]func(Cell, uint64) error{
		"store": func(c Cell, _ uint64) error { _, err := c.Store(ctx, finish); return err },
		"swap": func(c Cell, version uint64) error {
			_, err := c.CompareAndSwap(ctx, version, finish)
			return err
		},
		"update": func(c Cell, _ uint64) error { _, err := c.Update(ctx, set(finish)); return err },
		"fire":   func(c Cell, _ uint64) error { _, err := c.Fire(ctx, "finish"); return err },
	}
	for _, f := range forms {
		for name, write := range writes {
			w := newWorld(t)
			c := w.cell("c")
			version := begins(t, c, job(), "running")
			var moved uint64
			w.stub.between = func() { moved = must(t)(c.Store(ctx, codec.String("queued"))) }
			err := f.on(w, func(x Cells) error { return write(x.Cell("c"), version) })
			if name == "swap" {
				requireLost(t, swapOnly(err), version, moved)
			} else {
				require.ErrorIs(t, err, ErrInvalidTransition, "%s %s", f.name, name)
			}
			shows(t, c, codec.String("queued"), moved)
			if name == "fire" {
				continue // there is nothing to fire before the definition
			}

			w = newWorld(t)
			c = w.cell("c")
			version = must(t)(c.Store(ctx, codec.String("queued")))
			w.stub.between = func() { must(t)(c.Define(ctx, job())) }
			err = f.on(w, func(x Cells) error { return write(x.Cell("c"), version) })
			require.ErrorIs(t, err, ErrInvalidTransition, "%s %s past a definition", f.name, name)
			shows(t, c, codec.String("queued"), version)
		}
		w := newWorld(t)
		w.stub.between = func() { must(t)(w.cell("c").Define(ctx, job())) }
		err := f.on(w, func(x Cells) error { _, err := x.Cell("c").Init(ctx, finish); return err })
		require.ErrorIs(t, err, ErrInvalidTransition, f.name)
		w.stub.between = func() { must(t)(w.cell("d").Store(ctx, codec.Int(1))) }
		err = f.on(w, func(x Cells) error { _, err := x.Cell("d").Define(ctx, job()); return err })
		require.ErrorIs(t, err, ErrInvalidTransition, "%s: a definition past a write", f.name)
		v := must(t)(w.cell("e").Store(ctx, codec.String("queued")))
		w.stub.between = func() { must(t)(w.cell("e").Define(ctx, job())) }
		err = f.on(w, func(x Cells) error { _, err := x.Cell("e").Delete(ctx); return err })
		require.NoError(t, err)
		v2 := must(t)(w.cell("e").Init(ctx, finish))
		require.Greater(t, v2, v, "the delete took the definition along")
	}
}

// swapOnly reduces a conflict to its compare-and-swap: inside a transaction the read is listed,
// too.
func swapOnly(err error) error {
	var c *txn.ConflictError
	if !errors.As(err, &c) {
		return err
	}
	only := &txn.ConflictError{}
	for _, k := range c.Keys {
		if k.CAS {
			only.Keys = append(only.Keys, k)
		}
	}
	return only
}

// A swap that loses to both the cell and the machine is the caller's loss of the cell.
func TestSwapLosesCellAndMachine(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	c := w.cell("c")
	v := must(t)(c.Store(ctx, codec.String("queued")))
	var moved uint64
	w.stub.between = func() {
		must(t)(c.Define(ctx, job()))
		moved = must(t)(c.Store(ctx, codec.String("running")))
	}
	_, err := c.CompareAndSwap(ctx, v, codec.String("queued"))
	requireLost(t, err, v, moved)
}

// Inside a transaction a swap of a governed cell whose version is lost already is a conflict of the
// commit, as on any other cell; one on an own write is judged from that.
func TestSwapOfGovernedCellInside(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	c := w.cell("c")
	v := begins(t, c, job(), "queued")
	_, err := w.update(func(x Cells) error {
		_, err := x.Cell("c").CompareAndSwap(ctx, v+1000, codec.String("done"))
		return err
	})
	require.ErrorIs(t, err, backend.ErrVersionMismatch)
	require.NotErrorIs(t, err, ErrInvalidTransition)
	_, err = w.update(func(x Cells) error {
		_, err := x.Cell("c").Fire(ctx, "start")
		require.NoError(t, err)
		_, err = x.Cell("c").CompareAndSwap(ctx, v, codec.String("queued"))
		require.NoError(t, err)
		_, err = x.Cell("c").CompareAndSwap(ctx, v, codec.String("done"))
		require.ErrorIs(t, err, ErrInvalidTransition)
		existed, err := x.Cell("c").Delete(ctx)
		require.NoError(t, err)
		require.True(t, existed)
		must(t)(x.Cell("c").Define(ctx, job()))
		_, err = x.Cell("c").CompareAndSwap(ctx, v, codec.String("running"))
		require.ErrorIs(t, err, ErrInvalidTransition, "it has to begin anew")
		return nil
	})
	require.NoError(t, err)
}

// What is stored is what is documented; what is not is corrupt, and governs nothing silently.
func TestStoredMachine(t *testing.T) {
	ctx, w := t.Context(), newWorld(t)
	m := Machine{Initial: "a", Transitions: []Transition{
		{From: "a", Event: "go", To: "b", Guard: "g"}, {From: "b", Event: "back", To: "a"}},
		Terminal: nil}
	must(t)(w.cell("c").Define(ctx, m))
	s := w.m.Scope(w.run)
	e, err := s.Get(ctx, codec.Machines, "c")
	require.NoError(t, err)
	v, err := codec.DecodeValue(e.Value)
	require.NoError(t, err)
	require.Equal(t, `{"initial":"a","terminal":[],"transitions":[`+
		`{"to":"b","from":"a","event":"go","guard":"g"},{"to":"a","from":"b","event":"back"}]}`,
		v.String())
	for _, text := range []string{
		`1`, `{}`, `{"initial":""}`, `{"initial":"a"}`, `{"initial":"a","terminal":[]}`,
		`{"initial":"a","transitions":[]}`, `{"initial":"a","transitions":[],"terminal":[1]}`,
		`{"initial":"a","transitions":[1],"terminal":[]}`,
		`{"initial":"a","transitions":[{"from":"a"}],"terminal":[]}`,
		`{"initial":"a","transitions":[{"from":"a","event":"e"}],"terminal":[]}`,
		`{"initial":"a","transitions":[{"from":"a","event":"e","to":"a","guard":1}],"terminal":[]}`,
	} {
		var v codec.Value
		require.NoError(t, v.UnmarshalJSON([]byte(text)))
		data, err := codec.AppendValue(nil, v)
		require.NoError(t, err)
		must(t)(s.Put(ctx, codec.Machines, "c", data, 0))
		_, _, err = w.cell("c").Machine(ctx)
		require.ErrorIs(t, err, codec.ErrCorrupt, text)
		_, err = w.cell("c").Store(ctx, codec.Int(1))
		require.ErrorIs(t, err, codec.ErrCorrupt, text)
	}
}

// Errors tell the step and what could have been, and stay short.
func TestTransitionErrorText(t *testing.T) {
	long := strings.Repeat("s", MaxMachineName)
	for want, e := range map[string]*TransitionError{
		`invalid transition: no transition from "a" to "b" is declared, expected "c" or "d"`: {
			From: "a", To: "b", Allowed: []string{"c", "d"}},
		`invalid transition: no transition from "a" to "b" is declared, expected none`: {
			From: "a", To: "b"},
		`invalid transition: event "e" is not declared in state "a", expected "f"`: {
			From: "a", Event: "e", Allowed: []string{"f"}},
		`invalid transition: the first state is not "b", expected "a"`: {
			To: "b", Allowed: []string{"a"}},
		`invalid transition: the cell is in "a", which the machine does not know, expected "b"`: {
			From: "a", Allowed: []string{"b"}},
		`invalid transition: guard "g" refuses the event "e" from "a" to "b": boom`: {
			From: "a", To: "b", Event: "e", Guard: "g", Cause: errors.New("boom")},
	} {
		require.EqualError(t, e, want)
	}
	e := &TransitionError{From: long, To: long}
	for range 1000 {
		e.Allowed = append(e.Allowed, long)
	}
	require.Less(t, len(e.Error()), 1000)
	require.ErrorContains(t, e, "or 992 more")
}
