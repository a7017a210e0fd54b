package inmem_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// recounted is what a replay yields, in words.
func recounted(t testing.TB, run *inmem.Run, o inmem.ReplayOptions) (lines []string) {
	t.Helper()
	for c, err := range run.Replay(t.Context(), o) {
		require.NoError(t, err)
		var changes []string
		for i := range c.Changes {
			changes = append(changes, c.Changes[i].String())
		}
		lines = append(lines, fmt.Sprintf("%d: %s", c.Number, strings.Join(changes, ", ")))
	}
	return lines
}

// tale writes a few commits in all primitives, and returns their versions.
func tale(t testing.TB, run *inmem.Run) (versions []uint64) {
	t.Helper()
	ctx := t.Context()
	step := func(fn func(tx *inmem.Tx) error) {
		v, err := run.Update(ctx, fn)
		require.NoError(t, err)
		versions = append(versions, v)
	}
	step(func(tx *inmem.Tx) error {
		_, err := tx.KV().Put(ctx, "goal", inmem.String("book a flight"))
		require.NoError(t, err)
		_, err = tx.Cell("status").Init(ctx, inmem.String("open"))
		require.NoError(t, err)
		_, err = tx.Events().Append(ctx, "begin", inmem.Int(1))
		return err
	})
	step(func(tx *inmem.Tx) error {
		_, err := tx.Traces().Start(ctx, inmem.Span{ID: "s", Type: inmem.SpanThought})
		require.NoError(t, err)
		_, err = tx.Extension("queue").Put(ctx, "goal 2", inmem.Int(7))
		return err
	})
	step(func(tx *inmem.Tx) error {
		_, err := tx.KV().Delete(ctx, "goal")
		require.NoError(t, err)
		_, err = tx.Cell("status").Store(ctx, inmem.String("closed"))
		require.NoError(t, err)
		return tx.Traces().End(ctx, "s", inmem.SpanEnd{})
	})
	return versions
}

// R203, R133: a replay tells every commit with its changes; it filters, stops, and reports.
func TestR203Replay(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		versions := tale(t, w.run)
		require.Equal(t, []string{
			`1: cells put "status", events append 0, kv put "goal"`,
			`2: traces put "s", extension "queue" put "goal 2"`,
			`3: cells put "status", kv delete "goal", traces put "s"`,
		}, recounted(t, w.run, inmem.ReplayOptions{}))
		only := func(p ...inmem.Primitive) inmem.ReplayOptions {
			return inmem.ReplayOptions{Primitives: p, Values: inmem.NoValues}
		}
		require.Equal(t, []string{`1: kv put "goal"`, `3: kv delete "goal"`},
			recounted(t, w.run, only(inmem.PrimitiveKV)))
		require.Equal(t, []string{`1: events append 0`, `2: traces put "s"`, `3: traces put "s"`},
			recounted(t, w.run, only(inmem.PrimitiveTraces, inmem.PrimitiveEvents)))
		require.Equal(t, []string{
			`1: kv put "goal"`, `2: extension "queue" put "goal 2"`, `3: kv delete "goal"`,
		}, recounted(t, w.run, inmem.ReplayOptions{Prefix: "go"}))
		require.Empty(t, recounted(t, w.run, inmem.ReplayOptions{
			Prefix: "go", Primitives: []inmem.Primitive{inmem.PrimitiveEvents}}))
		require.Len(t, recounted(t, w.run, inmem.ReplayOptions{From: versions[1]}), 2)
		require.Len(t, recounted(t, w.run, inmem.ReplayOptions{From: versions[1], To: versions[1]}), 1)
		require.Len(t, recounted(t, w.run, inmem.ReplayOptions{To: versions[1]}), 2)
		require.Len(t, recounted(t, w.run, inmem.ReplayOptions{From: versions[0] + 1}), 2)

		var progress []inmem.ReplayProgress
		o := only(inmem.PrimitiveKV)
		o.From, o.Progress = versions[1], func(p inmem.ReplayProgress) { progress = append(progress, p) }
		recounted(t, w.run, o)
		require.Equal(t, []inmem.ReplayProgress{
			{Version: versions[1], Number: 2, Done: 1, Total: 2},
			{Version: versions[2], Number: 3, Done: 2, Total: 2},
		}, progress)

		for range w.run.Replay(w.ctx(), inmem.ReplayOptions{}) {
			break
		}
		for _, o := range []inmem.ReplayOptions{
			{From: w.Version() + 1}, {To: w.Version() + 1}, {From: 3, To: 2}, {Values: 9},
			{Primitives: []inmem.Primitive{'Z'}},
		} {
			for _, err := range w.run.Replay(w.ctx(), o) {
				require.ErrorIs(t, err, inmem.ErrInvalidArgument)
				require.ErrorContains(t, err, w.run.ID())
			}
		}
		require.NoError(t, w.DeleteRun(w.ctx(), w.run.ID()))
		failed := 0
		for _, err := range w.run.Replay(w.ctx(), inmem.ReplayOptions{}) {
			require.ErrorIs(t, err, inmem.ErrRunNotFound)
			failed++
		}
		require.Equal(t, 1, failed)
	})
}

// Commits decode what was written, and say it in JSON.
func TestCommitAccessorsAndJSON(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	tale(t, w.run)
	_, err := w.run.KV().PutWithTTL(w.ctx(), "\xff", inmem.Bytes([]byte{1}), time.Minute)
	require.NoError(t, err)
	var commits []inmem.Commit
	for c, err := range w.run.Replay(w.ctx(), inmem.ReplayOptions{Values: inmem.OldAndNewValues}) {
		require.NoError(t, err)
		commits = append(commits, c)
	}
	event, err := commits[0].Changes[1].Event()
	require.NoError(t, err)
	stored, _, err := w.run.Events().Get(w.ctx(), 0)
	require.NoError(t, err)
	require.Equal(t, stored, event)
	span, err := commits[2].Changes[2].Span()
	require.NoError(t, err)
	require.False(t, span.IsOpen())
	old, ok, err := commits[2].Changes[2].OldSpan()
	require.NoError(t, err)
	require.True(t, ok && old.IsOpen())
	_, err = commits[0].Changes[0].Event()
	require.ErrorIs(t, err, inmem.ErrTypeMismatch)

	text, err := json.Marshal(commits[2])
	require.NoError(t, err)
	require.Contains(t, string(text), `{"primitive":"kv","op":"delete","key":"goal",`+
		`"old":"book a flight"}`)
	require.Contains(t, string(text), `"op":"put","key":"status","value":"closed","old":"open"}`)
	text, err = json.Marshal(commits[0].Changes[1])
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf(`{"primitive":"events","op":"append","event":{"seq":0,`+
		`"type":"begin","time":"2026-01-02T03:04:05Z","payload":1,"hash":"%x"}}`, event.Hash),
		string(text))
	text, err = json.Marshal(commits[3].Changes[0])
	require.NoError(t, err)
	require.Equal(t, `{"primitive":"kv","op":"put","key":{"$bytes":"/w=="},`+
		`"expires":"2026-01-02T03:05:05Z","value":{"$bytes":"AQ=="}}`, string(text))

	for c, err := range w.run.Replay(w.ctx(), inmem.ReplayOptions{Values: inmem.NoValues}) {
		require.NoError(t, err)
		_, err = c.Changes[0].Value()
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		_, err = json.Marshal(c)
		require.NoError(t, err)
		break
	}
}

// hashFiles is the hash of every file below a directory, the lock and its owner left out.
func hashFiles(t testing.TB, dir string) map[string][sha256.Size]byte {
	t.Helper()
	all := map[string][sha256.Size]byte{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (d.IsDir() || d.Name() == "LOCK" || d.Name() == "OWNER") {
			return nil
		}
		var data []byte
		if err == nil {
			data, err = os.ReadFile(path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		all[path] = sha256.Sum256(data)
		return err
	}))
	return all
}

// filesAtRest is hashFiles when nothing changes any more: when the compactions that an open leaves
// to be made are done.
func filesAtRest(t testing.TB, dir string) map[string][sha256.Size]byte {
	t.Helper()
	const rest = 2 * time.Second // far longer than it waits for quiet before it compacts
	last, since := hashFiles(t, dir), time.Now()
	for time.Since(since) < rest {
		time.Sleep(rest / 20)
		if now := hashFiles(t, dir); !maps.Equal(last, now) {
			last, since = now, time.Now()
		}
	}
	return last
}

// R206: a hundred replays, views and hashes of a state are equal, and leave every file as it was.
func TestR206ReplayWritesNothing(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	run, err := db.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	versions := tale(t, run)
	for i := range 500 {
		_, err := run.KV().Put(ctx, fmt.Sprint(i%50), inmem.Int(int64(i)))
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())
	db, err = inmem.Open(dir, nil)
	require.NoError(t, err)
	defer db.Close()
	run, err = db.Run(ctx, run.ID())
	require.NoError(t, err)
	before := filesAtRest(t, dir)
	require.NotEmpty(t, before)
	var first []string
	for range 100 {
		again := recounted(t, run, inmem.ReplayOptions{Values: inmem.OldAndNewValues})
		h, err := run.StateHash(ctx, versions[1])
		require.NoError(t, err)
		again = append(again, h.String())
		if first == nil {
			first = again
		}
		require.Equal(t, first, again)
	}
	require.Len(t, first, 504)
	for _, values := range []inmem.ReplayValues{inmem.NewValues, inmem.NoValues} {
		o := inmem.ReplayOptions{Values: values}
		require.Equal(t, recounted(t, run, o), recounted(t, run, o))
	}
	require.Equal(t, before, hashFiles(t, dir))
}

// R205: a replay costs what the run cost: what it reads is the same, to the key and the byte, with
// a thousand other runs beside it, whose commits lie between its own.
func TestR205ReplayCostsTheRun(t *testing.T) {
	ctx := t.Context()
	cost := func(beside int) (keys, bytes uint64) {
		db, err := inmem.Open(t.TempDir(), nil)
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		run, err := db.BeginRun(ctx, inmem.RunOptions{})
		require.NoError(t, err)
		others := make([]*inmem.Run, beside)
		for i := range others {
			others[i], err = db.BeginRun(ctx, inmem.RunOptions{})
			require.NoError(t, err)
		}
		for i := range 200 {
			for j := range beside / 20 {
				_, err := others[(i*37+j)%beside].KV().Put(ctx, fmt.Sprint(i, j), inmem.Int(int64(i)))
				require.NoError(t, err)
			}
			_, err := run.KV().Put(ctx, fmt.Sprint("key ", i%100), inmem.Int(int64(i)))
			require.NoError(t, err)
			_, err = run.Events().Append(ctx, "step", inmem.Int(int64(i)))
			require.NoError(t, err)
		}
		before := db.Metrics()
		require.Len(t, recounted(t, run, inmem.ReplayOptions{}), 400)
		after := db.Metrics()
		return after.HistoryKeys - before.HistoryKeys, after.HistoryBytes - before.HistoryBytes
	}
	keys, bytes := cost(0)
	require.NotZero(t, keys)
	require.LessOrEqual(t, keys, uint64(4*400))
	manyKeys, manyBytes := cost(1000)
	t.Logf("400 changes: %d entries, %d bytes; with 1000 runs beside: %d, %d", keys, bytes, manyKeys,
		manyBytes)
	// The run's own entries, whatever lies beside it. How many commits share a key of the journal
	// depends on what was committed between them: with a thousand runs beside each may have its own.
	require.LessOrEqual(t, manyKeys, keys+400)
	require.LessOrEqual(t, manyBytes, bytes+400*64)
}

// History of a key and of a cell, in all forms.
func TestHistoryOfAKey(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx, begun := w.ctx(), w.clock.now()
		w.put("k", "1")
		w.clock.advance(time.Second)
		_, err := w.run.KV().Delete(ctx, "k")
		require.NoError(t, err)
		then := w.Version()
		_, err = w.run.KV().PutWithTTL(ctx, "k", inmem.String("2"), time.Second)
		require.NoError(t, err)
		w.clock.advance(2 * time.Second)
		require.NoError(t, w.sweep())
		shown := func(k inmem.KV) (lines []string) {
			for p, err := range k.History(ctx, "k") {
				require.NoError(t, err)
				line := fmt.Sprint(p.Value, " after ", p.Written.Sub(begun))
				if !p.Expires.IsZero() {
					line += fmt.Sprint(" until ", p.Expires.Sub(begun))
				}
				lines = append(lines, line+fmt.Sprint(" ", p.Deleted, p.Swept))
			}
			return lines
		}
		want := []string{
			"null after 3s false true", `"2" after 1s until 2s false false`, "null after 1s true false",
			`"1" after 0s false false`,
		}
		require.Equal(t, want, shown(w.run.KV()))
		v, err := w.run.At(ctx, then)
		require.NoError(t, err)
		require.Equal(t, want[2:], shown(v.KV()))
		require.NoError(t, v.Close())
		require.Empty(t, shown(w.run.Extension("x")))

		tx := w.begin(inmem.TxOptions{})
		_, err = tx.KV().Put(ctx, "k", inmem.String("mine"))
		require.NoError(t, err)
		require.Equal(t, want, shown(tx.KV()))

		_, err = w.run.Cell("c").Init(ctx, inmem.Int(1))
		require.NoError(t, err)
		last, err := w.run.Cell("c").Store(ctx, inmem.Int(2))
		require.NoError(t, err)
		_, err = w.run.Cell("c").Delete(ctx)
		require.NoError(t, err)
		var states []inmem.CellState
		for s, err := range w.run.Cell("c").History(ctx) {
			require.NoError(t, err)
			states = append(states, s)
		}
		require.Len(t, states, 3)
		require.False(t, states[0].Exists)
		require.Equal(t, inmem.CellState{
			Value: inmem.Int(2), Version: last, Updated: w.clock.now(), Exists: true,
		}, states[1])
	})
}
