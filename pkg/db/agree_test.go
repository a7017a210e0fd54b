package inmem_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Random scripts, with several transactions open at once, read the same on every engine; and what
// reached the log is the same, change by change (E45: nothing depends on the order of a map).
func TestEnginesAgree(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var scripts []*script
		for _, e := range engines {
			w := newWorld(t, e, nil)
			defer func() { require.NoError(r, w.Close()) }()
			scripts = append(scripts, newScript(w))
		}
		g := &generator{t: r, open: map[string]bool{}}
		var story []string
		for range rapid.IntRange(1, 60).Draw(r, "steps") {
			line := g.line()
			want := scripts[0].step(strings.Fields(line))
			story = append(story, line+" -> "+want)
			got := scripts[1].step(strings.Fields(line))
			require.Equal(r, want, got, "%s\n%s", line, strings.Join(story, "\n"))
		}
		require.Equal(r, scripts[0].changes(), scripts[1].changes(), strings.Join(story, "\n"))
	})
}

// changes lists what was committed, with names instead of versions and runs.
func (s *script) changes() []string {
	var lines []string
	s.versions = nil
	for c, err := range s.b.Tail(s.ctx(), 1) {
		require.NoError(s.t, err)
		for _, scope := range c.Scopes {
			if scope.Scope == 0 {
				continue // the records of runs: their ids differ
			}
			lines = append(lines, fmt.Sprintf("%s at %d: number %d flags %d %v",
				s.name(c.Version), c.Time, scope.Number, c.Flags, scope.Changes))
		}
	}
	return lines
}

// generator makes lines for a script. Sweeping is left out of the middle of things: when it finds
// nothing to do is the engine's business.
type generator struct {
	t    *rapid.T
	open map[string]bool
}

func (g *generator) pick(label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(g.t, label)
}

func (g *generator) key() string { return g.pick("key", "a", "b", "c", "p/a", "p/b", "p/c", "q") }

func (g *generator) line() string {
	who := g.pick("who", "", "", "t1", "t2", "t3")
	if who == "" {
		if g.pick("what", "op", "op", "op", "clock") == "clock" {
			return "clock 400ms"
		}
		return g.op()
	}
	if !g.open[who] {
		g.open[who] = true
		return "begin " + who + g.pick("isolation", "", " serializable")
	}
	switch g.pick("what", "op", "op", "op", "op", "end") {
	case "end":
		g.open[who] = false
		return who + g.pick("end", " commit", " commit", " commit", " rollback")
	default:
		return who + " " + g.op()
	}
}

func (g *generator) op() string {
	switch g.pick("op", "put", "put", "get", "delete", "cas", "scan", "versioned", "ttl", "many") {
	case "put":
		return "put " + g.key() + " " + g.pick("value", "x", "y", "z")
	case "ttl":
		return "put " + g.key() + " short 1s"
	case "get":
		return g.pick("read", "get ", "exists ") + g.key()
	case "delete":
		return "delete " + g.key()
	case "cas":
		return "cas " + g.key() + " " + g.pick("version", "0", "v1", "v2", "v3", "v5", "v8") + " c"
	case "versioned":
		return "versioned " + g.key()
	case "many":
		return "many " + g.key() + " " + g.key()
	}
	return g.pick("scan", "scan", "list", "count") +
		g.pick("range", "", " prefix=p/", " start=b end=p/b", " start=p/b") +
		g.pick("limit", "", "", " limit=2") + g.pick("direction", "", " reverse")
}

// semantics 2.14, R222: what an engine refuses, or fails at, comes through with its name.
func TestStorageErrorsComeThrough(t *testing.T) {
	for _, cause := range []error{
		inmem.ErrStorage, inmem.ErrNoSpace, inmem.ErrReadOnly, inmem.ErrTxnTooOld,
		inmem.ErrCorrupt, &inmem.UnknownOutcomeError{Version: 7, Cause: inmem.ErrStorage},
	} {
		w := newWorld(t, engines[0], nil)
		broken, err := inmem.OpenOn(inmem.Hooks{Backend: failing{w.b, cause}}, nil)
		require.NoError(t, err)
		_, err = broken.BeginRun(t.Context(), inmem.RunOptions{})
		require.ErrorIs(t, err, cause)
		require.NotErrorIs(t, err, inmem.ErrRunExists)
		run, err := broken.Run(t.Context(), w.run.ID())
		require.NoError(t, err)
		_, err = run.KV().Put(t.Context(), "k", inmem.Null())
		require.ErrorIs(t, err, cause)
		require.ErrorContains(t, err, run.ID())
		v, err := run.Update(t.Context(), func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(t.Context(), "k", inmem.Null())
			return err
		})
		require.ErrorIs(t, err, cause)
		require.Zero(t, v)
		require.ErrorIs(t, run.End(t.Context(), inmem.Failed), cause)
	}
}

// failing refuses every commit.
type failing struct {
	backend.Backend
	cause error
}

func (f failing) Commit(context.Context, *backend.Request) (backend.Outcome, error) {
	return backend.Outcome{}, f.cause
}
