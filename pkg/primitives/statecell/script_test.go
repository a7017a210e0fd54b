package statecell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// TestScripts plays the scripts in testdata: each file is a story with one run. A block "play"
// holds steps, one per line, and its output repeats each with what came of it.
//
//	begin T                       start transaction T
//	T commit | rollback
//	[T] init N V | store N V      values are Strings; without T directly on the run
//	[T] swap N VERSION V          VERSION is 0 or a name such as v2
//	[T] update N X                append X to the value
//	[T] orinit N V X              the same, from V if the cell is missing
//	[T] delete N | get N | load N | exists N
//	[T] list [PREFIX] | count [PREFIX]
//	[T] define N INITIAL [FROM-EVENT->TO[?GUARD]]... [TERMINAL!]...
//	[T] machine N | fire N EVENT | can N EVENT | terminal N
//	clock D                       move the clock
//
// Versions are named in the order in which they appear: v1, v2... The word _ stands for the empty
// string. The guards are yes, which agrees, and no, which refuses.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{t: t, world: newWorld(t), txs: map[string]*txn.Tx{}}
		s.guards = Guards{
			"yes": func(context.Context, GuardContext) error { return nil },
			"no":  func(context.Context, GuardContext) error { return errors.New("not now") },
		}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			require.Equal(t, "play", d.Cmd)
			var out strings.Builder
			for _, line := range strings.Split(d.Input, "\n") {
				fmt.Fprintf(&out, "%s -> %s\n", line, s.step(strings.Fields(line)))
			}
			return out.String()
		})
	})
}

type script struct {
	*world
	t        *testing.T
	txs      map[string]*txn.Tx
	versions []uint64 // versions[i] is called v(i+1)
}

// step plays one line.
func (s *script) step(words []string) string {
	for i, word := range words {
		if word == "_" {
			words[i] = ""
		}
	}
	switch verb := words[0]; verb {
	case "begin":
		tx, err := s.m.Begin(s.t.Context(), s.run, txn.Options{})
		s.txs[words[1]] = tx
		return s.outcome("ok", err)
	case "clock":
		d, err := time.ParseDuration(words[1])
		s.now = s.now.Add(d)
		return s.outcome("ok", err)
	default:
		tx := s.txs[verb]
		if tx == nil {
			return s.play(s.cells(), words)
		}
		switch words[1] {
		case "commit":
			v, err := tx.Commit(s.t.Context())
			return s.outcome("committed "+s.name(v), err)
		case "rollback":
			return s.outcome("rolled back", tx.Rollback())
		}
		return s.play(s.inside(tx), words[1:])
	}
}

func (s *script) play(x Cells, words []string) string {
	ctx := s.t.Context()
	verb, args := words[0], append(words[1:], "", "", "")
	c, v := x.Cell(args[0]), codec.String(args[1])
	var version uint64
	var err error
	switch verb {
	case "init":
		version, err = c.Init(ctx, v)
	case "store":
		version, err = c.Store(ctx, v)
	case "swap":
		version, err = c.CompareAndSwap(ctx, s.version(args[1]), codec.String(args[2]))
	case "define":
		version, err = c.Define(ctx, machine(words[2:]))
	case "update":
		return s.state(c.Update(ctx, grow(args[1])))
	case "orinit":
		return s.state(c.UpdateOrInit(ctx, v, grow(args[2])))
	case "fire":
		return s.state(c.Fire(ctx, args[1]))
	case "get":
		return s.state(c.Get(ctx))
	case "load":
		return s.state(c.Load(ctx))
	case "list", "count":
		return s.list(x, verb, args[0])
	default:
		return s.ask(c, verb, args[1])
	}
	return s.outcome(s.name(version), err)
}

// ask plays the steps whose answer is yes or no, and that for the machine.
func (s *script) ask(c Cell, verb, event string) string {
	ctx := s.t.Context()
	var yes bool
	var err error
	switch verb {
	case "delete":
		yes, err = c.Delete(ctx)
	case "exists":
		yes, err = c.Exists(ctx)
	case "can":
		yes, err = c.Can(ctx, event)
	case "terminal":
		yes, err = c.IsTerminal(ctx)
	case "machine":
		m, ok, err := c.Machine(ctx)
		if !ok {
			return s.outcome("none", err)
		}
		out := []string{m.Initial}
		for _, t := range m.Transitions {
			out = append(out, strings.TrimSuffix(t.From+"-"+t.Event+"->"+t.To+"?"+t.Guard, "?"))
		}
		for _, end := range m.Terminal {
			out = append(out, end+"!")
		}
		return s.outcome(strings.Join(out, " "), err)
	default:
		s.t.Fatalf("unknown step %q", verb)
	}
	return s.outcome(fmt.Sprint(yes), err)
}

// machine reads a definition.
func machine(words []string) Machine {
	m := Machine{Initial: words[0]}
	for _, word := range words[1:] {
		if end, ok := strings.CutSuffix(word, "!"); ok {
			m.Terminal = append(m.Terminal, end)
			continue
		}
		step, guard, _ := strings.Cut(word, "?")
		step, to, _ := strings.Cut(step, "->")
		from, event, _ := strings.Cut(step, "-")
		m.Transitions = append(m.Transitions,
			Transition{From: from, Event: event, To: to, Guard: guard})
	}
	return m
}

// grow appends to a String.
func grow(more string) func(codec.Value) (codec.Value, error) {
	return func(v codec.Value) (codec.Value, error) {
		text, err := v.AsString()
		return codec.String(text + more), err
	}
}

func (s *script) list(x Cells, verb, prefix string) string {
	if verb == "count" {
		n, err := x.Count(s.t.Context(), prefix)
		return s.outcome(fmt.Sprint(n), err)
	}
	names := []string{}
	for name, err := range x.List(s.t.Context(), prefix) {
		if err != nil {
			return s.outcome("", err)
		}
		names = append(names, name)
	}
	return fmt.Sprintf("%q", names)
}

func (s *script) state(now State, err error) string {
	out := "(absent)"
	if now.Exists && err == nil {
		out, err = now.Value.AsString()
	}
	out += " " + s.name(now.Version)
	if !now.Updated.IsZero() {
		out += " written " + s.now.Sub(now.Updated).String() + " ago"
	}
	return s.outcome(out, err)
}

// name is what a version is called in the script.
func (s *script) name(v uint64) string {
	if v == 0 {
		return "0"
	}
	if i := slices.Index(s.versions, v); i >= 0 {
		return fmt.Sprintf("v%d", i+1)
	}
	s.versions = append(s.versions, v)
	return fmt.Sprintf("v%d", len(s.versions))
}

// version is the inverse of name; an unknown name is a version that nothing has.
func (s *script) version(name string) uint64 {
	if name == "0" {
		return 0
	}
	var i int
	_, err := fmt.Sscanf(name, "v%d", &i)
	require.NoError(s.t, err)
	if i > len(s.versions) {
		return 1 << 40
	}
	return s.versions[i-1]
}

// outcome is the result, or which error came instead.
func (s *script) outcome(result string, err error) string {
	var conflict *txn.ConflictError
	var step *TransitionError
	switch {
	case err == nil:
		return result
	case errors.As(err, &conflict):
		var keys []string
		for _, k := range conflict.Keys {
			verb := "read"
			if k.CAS {
				verb = "expected"
			}
			keys = append(keys, fmt.Sprintf("%v/%s %s %s found %s", k.Primitive, k.Key, verb,
				s.name(k.Expected), s.name(k.Found)))
		}
		return "conflict: " + strings.Join(keys, ", ")
	case errors.As(err, &step):
		return step.Error()
	case errors.Is(err, backend.ErrReadOnly):
		return "read-only"
	}
	for errors.Unwrap(err) != nil && strings.HasPrefix(err.Error(), "cell ") {
		err = errors.Unwrap(err)
	}
	return "error: " + err.Error()
}
