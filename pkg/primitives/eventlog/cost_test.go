package eventlog

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// counting counts what a log asks of its authority, and calls a test after each; of a scan it tells
// the letter.
type counting struct {
	backend.Backend
	gets, scans, steps int
	after              func(p codec.Primitive, key string)
}

func (c *counting) Get(ctx context.Context, s *backend.Scope, p codec.Primitive, key string,
	at uint64,
) (backend.Record, error) {
	c.gets++
	if c.after != nil {
		defer c.after(p, key)
	}
	return c.Backend.Get(ctx, s, p, key, at)
}

func (c *counting) Scan(ctx context.Context, s *backend.Scope, p codec.Primitive,
	r backend.Range, at uint64,
) backend.Cursor {
	c.scans++
	if c.after != nil {
		defer c.after(p, "scan")
	}
	return &countingCursor{c.Backend.Scan(ctx, s, p, r, at), c}
}

type countingCursor struct {
	backend.Cursor
	c *counting
}

func (c *countingCursor) Next() bool {
	c.c.steps++
	return c.Cursor.Next()
}

// What the package comment says of costs: by the hits, not by the length of the log.
func TestCosts(t *testing.T) {
	w := newWorld(t.Context(), t)
	const n = 2000
	w.fill(t, n)
	_, err := w.log().Append(t.Context(), "rare", codec.Null())
	require.NoError(t, err)
	c := &counting{Backend: w.b}
	w.m = txn.New(c, txn.Config{})
	l, ctx := w.log(), t.Context()
	const log = 2 * 12 // steps of doubling length and a binary search over 2,000 events
	for _, m := range []struct {
		name               string
		do                 func()
		gets, scans, steps int
	}{
		{"by type", func() { all(t, l.List(ctx, ListOptions{Type: "rare"})) }, 1, 1, 2},
		{"by type, limited", func() {
			all(t, l.List(ctx, ListOptions{Type: "odd", Reverse: true, Limit: 3}))
		}, 3, 1, 3},
		{"by type, in a range", func() {
			all(t, l.List(ctx, ListOptions{Type: "odd", Start: 100, End: 104}))
		}, 2, 1, 3},
		{"since", func() { all(t, l.List(ctx, ListOptions{Since: at(n - 1)})) }, log, 1, 4},
		{"since and until", func() {
			all(t, l.List(ctx, ListOptions{Since: at(1000), Until: at(1002)}))
		}, 2 * log, 1, 3},
		{"since early", func() { all(t, l.List(ctx, ListOptions{Since: at(2), Limit: 1})) }, 3, 1, 1},
		{"a range", func() { all(t, l.Range(ctx, 1000, 1010)) }, 0, 1, 11},
		{"the last", func() { all(t, l.List(ctx, ListOptions{Reverse: true, Limit: 1})) }, 0, 1, 1},
		{"types", func() { all(t, l.Types(ctx)) }, 0, 4, 4},
		{"head", func() { _, _, _ = l.Head(ctx) }, 1, 1, 1},
		{"len", func() { _, _ = l.Len(ctx) }, 0, 1, 1},
		{"verify", func() { _, _ = l.Verify(ctx) }, 0, 1, n + 2},
	} {
		*c = counting{Backend: w.b}
		m.do()
		require.LessOrEqual(t, c.gets, m.gets, "gets: %s", m.name)
		require.LessOrEqual(t, c.scans, m.scans, "scans: %s", m.name)
		require.LessOrEqual(t, c.steps, m.steps, "steps: %s", m.name)
	}
}

// All that one call shows comes from one version, whatever is appended meanwhile.
func TestOneVersion(t *testing.T) {
	ctx := t.Context()
	for name, read := range map[string]func(*testing.T, Log){
		"until": func(t *testing.T, l Log) { // event 3 comes right after it was found absent
			found := all(t, l.List(ctx, ListOptions{Until: at(9)}))
			require.Equal(t, []uint64{0, 1, 2}, seqs(found))
		},
		"types": func(t *testing.T, l Log) {
			require.Equal(t, []string{"even", "odd"}, all(t, l.Types(ctx)))
		},
		"index": func(t *testing.T, l Log) {
			r, err := l.VerifyIndex(ctx)
			require.NoError(t, err)
			require.Equal(t, IndexReport{Events: 3, Entries: 3}, r)
		},
		"verify": func(t *testing.T, l Log) {
			v, err := l.Verify(ctx)
			require.NoError(t, err)
			require.EqualValues(t, 3, v.Length)
		},
		"head": func(t *testing.T, l Log) {
			e, ok, err := l.Head(ctx)
			require.NoError(t, err)
			require.True(t, ok)
			require.EqualValues(t, 2, e.Seq)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(ctx, t)
			w.fill(t, 3)
			outside := w.log()
			appended := 0
			c := &counting{Backend: w.b, after: func(p codec.Primitive, key string) {
				if name == "until" && key != codec.EventUserKey(3) || appended == 5 {
					return
				}
				appended++
				w.clock.Store(start + 20_000)
				_, err := outside.AppendMany(ctx, []NewEvent{{"odd", codec.Null()},
					{"z", codec.Null()}})
				require.NoError(t, err)
			}}
			w.m = txn.New(c, txn.Config{})
			read(t, w.log())
			require.NotZero(t, appended)
		})
	}
}

// By type a transaction reads the entries of the index, and what a bound of time looked at not at
// all.
func TestReadSetOfAList(t *testing.T) {
	w := newWorld(t.Context(), t)
	w.fill(t, 100)
	for _, c := range []struct {
		o     ListOptions
		reads int
	}{
		{ListOptions{Type: "odd", End: 10}, 5},
		{ListOptions{Start: 3, End: 10}, 7},
		{ListOptions{Since: at(50), Until: at(53)}, 3},
		{ListOptions{Since: at(50), Until: at(54), Type: "odd"}, 2},
		{ListOptions{Start: 90}, 10 + 1}, // and the end of the log
	} {
		tx, in := w.begin(t, txn.Options{})
		all(t, in.List(t.Context(), c.o))
		require.Equal(t, c.reads, tx.Counts().Reads, "%+v", c.o)
		require.NoError(t, tx.Rollback())
	}
}

// A get allocates its key and nothing else, unless the payload is an array or map.
func TestGetAllocatesTheKey(t *testing.T) {
	w := newEngine(t, embedded.Options{Mode: embedded.None, SweepInterval: -1})
	l, ctx := w.log(), t.Context()
	w.fill(t, 100)
	_, err := l.Append(ctx, "text", codec.String("what the model said"))
	require.NoError(t, err)
	for _, seq := range []uint64{0, 99, 100, 101} {
		require.LessOrEqual(t, testing.AllocsPerRun(1000, func() {
			if _, _, err := l.Get(ctx, seq); err != nil {
				t.Fatal(err)
			}
		}), 1.0, "get %d", seq)
	}
}
