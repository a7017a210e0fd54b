package vectors

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/vecindex"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
	"github.com/inmem-db/inmem/pkg/vector"
)

// TestScripts plays the scripts in testdata: each file is a story with one run. A block "play"
// holds steps, one per line, and its output repeats each with what came of it.
//
//	begin T [serializable]                 a transaction; other steps take its name in front
//	T commit | T rollback
//	mark V | V STEP                        remembers the version; the step on a view of it
//	create|ensure COLLECTION DIM METRIC
//	describe|drop COLLECTION | collections
//	upsert COLLECTION ID NUMBERS [KEY=VALUE]...    NUMBERS as 1,2.5
//	delete|get COLLECTION ID
//	list|count COLLECTION [after=ID] [prefix=ID] [limit=N] [where=KEY=VALUE]
//	search COLLECTION NUMBERS K [where=KEY=VALUE]
//	history COLLECTION ID
//	keys                                   how many keys there are
func TestScripts(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		index := vecindex.New(w.b, vecindex.Options{})
		defer func() { require.NoError(t, index.Close()) }()
		datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
			s := &script{
				world: w, t: t, index: index, txs: map[string]*txn.Tx{}, marks: map[string]uint64{},
			}
			s.run = w.begin(t.Context(), t, nil, 0)
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				require.Equal(t, "play", d.Cmd)
				var out strings.Builder
				for _, line := range strings.Split(d.Input, "\n") {
					result := s.step(w.m.Scope(s.run), strings.Fields(line))
					fmt.Fprintf(&out, "%s -> %s\n", line, result)
				}
				return out.String()
			})
		})
	})
}

type script struct {
	*world
	t     *testing.T
	run   *backend.Scope
	index *vecindex.Manager
	txs   map[string]*txn.Tx
	marks map[string]uint64
}

// step plays one line.
func (s *script) step(scope txn.Scope, words []string) string {
	ctx, verb, args := s.t.Context(), words[0], words[1:]
	if tx := s.txs[verb]; tx != nil {
		switch args[0] {
		case "commit":
			_, err := tx.Commit(ctx)
			return outcome("ok", err)
		case "rollback":
			return outcome("ok", tx.Rollback())
		}
		return s.step(tx.Scope(s.run), args)
	}
	if at, ok := s.marks[verb]; ok {
		v, err := s.m.ViewAt(ctx, s.run, at)
		require.NoError(s.t, err)
		defer func() { require.NoError(s.t, v.End()) }()
		return s.step(v.Scope(s.run), args)
	}
	switch verb {
	case "begin":
		o := txn.Options{}
		if len(args) > 1 {
			o.Isolation = txn.Serializable
		}
		tx, err := s.m.Begin(ctx, s.run, o)
		s.txs[args[0]] = tx
		return outcome("ok", err)
	case "mark":
		s.marks[args[0]] = s.b.Published()
		return "ok"
	case "keys":
		return strconv.Itoa(len(keysOf(s.t, scope)))
	case "collections":
		return fmt.Sprint(names(s.t, scope))
	}
	c := NewIndexed(scope, s.index).Collection(args[0])
	if answer, ok := s.write(ctx, c, verb, args[1:]); ok {
		return answer
	}
	return s.read(ctx, c, verb, args[1:])
}

func (s *script) write(ctx context.Context, c Collection, verb string, args []string,
) (string, bool) {
	switch verb {
	case "create", "ensure":
		m, _ := vector.ParseMetric(args[1])
		o := CollectionOptions{Dim: int(s.numbers(args[0])[0]), Metric: m}
		if verb == "ensure" {
			return outcome("ok", c.Ensure(ctx, o)), true
		}
		_, err := c.Create(ctx, o)
		return outcome("ok", err), true
	case "drop":
		existed, err := c.Drop(ctx)
		return outcome(fmt.Sprint(existed), err), true
	case "upsert":
		entries, m := map[string]any{}, codec.Null()
		for _, arg := range args[2:] {
			key, value, _ := strings.Cut(arg, "=")
			entries[key] = value
		}
		if len(entries) > 0 {
			m = metadata(s.t, entries)
		}
		_, err := c.Upsert(ctx, args[0], s.numbers(args[1]), m)
		return outcome("ok", err), true
	case "delete":
		existed, err := c.Delete(ctx, args[0])
		return outcome(fmt.Sprint(existed), err), true
	}
	return "", false
}

func (s *script) read(ctx context.Context, c Collection, verb string, args []string) string {
	switch verb {
	case "describe":
		i, err := c.Describe(ctx)
		return outcome(fmt.Sprint(i.Dim, " ", i.Metric), err)
	case "get":
		row, ok, err := c.Get(ctx, args[0])
		if !ok {
			return outcome("(absent)", err)
		}
		return fmt.Sprint(row.Vector, " ", row.Metadata)
	case "count":
		n, err := c.Count(ctx, s.scroll(args))
		return outcome(strconv.Itoa(n), err)
	case "list":
		ids := []string{}
		for id, err := range c.List(ctx, s.scroll(args)) {
			if err != nil {
				return outcome("", err)
			}
			ids = append(ids, id)
		}
		return fmt.Sprint(ids)
	case "history":
		var all []string
		for p, err := range c.History(ctx, args[0]) {
			if err != nil {
				return outcome("", err)
			}
			text := fmt.Sprint(p.Vector)
			if p.Deleted {
				text = "deleted"
			}
			all = append(all, text)
		}
		return strings.Join(all, ", ")
	}
	require.Equal(s.t, "search", verb)
	k, err := strconv.Atoi(args[1])
	require.NoError(s.t, err)
	r, err := c.Search(ctx, SearchOptions{
		Vector: s.numbers(args[0]), K: k, Filter: s.scroll(args[2:]).Filter,
	})
	var hits []string
	for _, h := range r.Hits {
		hits = append(hits, fmt.Sprintf("%s %.4g", h.ID, h.Score))
	}
	return outcome(strings.Join(hits, ", "), err)
}

func (s *script) scroll(args []string) (o ScrollOptions) {
	for _, arg := range args {
		name, value, _ := strings.Cut(arg, "=")
		switch name {
		case "after":
			o.After = value
		case "prefix":
			o.Prefix = value
		case "limit":
			o.Limit = int(s.numbers(value)[0])
		case "where":
			key, want, _ := strings.Cut(value, "=")
			o.Filter = vector.Eq(key, want)
		default:
			require.Fail(s.t, "unknown", arg)
		}
	}
	return o
}

func (s *script) numbers(text string) (v []float32) {
	for part := range strings.SplitSeq(text, ",") {
		x, err := strconv.ParseFloat(part, 32)
		require.NoError(s.t, err)
		v = append(v, float32(x))
	}
	return v
}

// outcome is the answer, or what kind of error there was.
func outcome(answer string, err error) string {
	if err == nil {
		return answer
	}
	for _, known := range []error{
		ErrNotFound, ErrExists, ErrDimension, ErrNotFinite, backend.ErrConflict, backend.ErrReadOnly,
		txn.ErrTxnDone, codec.ErrTooLarge, codec.ErrInvalidArgument,
	} {
		if errors.Is(err, known) {
			return "error: " + known.Error()
		}
	}
	return "unexpected: " + err.Error()
}
