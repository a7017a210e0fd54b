package cli

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// ask runs a command with --json and decodes what it says.
func ask(t *testing.T, w *world, into any, args ...string) {
	t.Helper()
	w.do(append(args, "--json")...)
	require.Zero(t, w.code, w.err)
	require.NoError(t, json.Unmarshal([]byte(w.out), into), w.out)
}

// What commands print is what the library says.
func TestCommandsSayWhatTheLibrarySays(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	fixture(t, w.dir())
	var shown summary
	var state stateDoc
	var spans traceDoc
	var price keyDoc
	var page runsDoc
	ask(t, w, &shown, "show", planned)
	ask(t, w, &state, "state", planned, "--hash")
	ask(t, w, &spans, "trace", planned)
	ask(t, w, &price, "get", planned, "price")
	ask(t, w, &page, "runs", "--tag", "exp")

	db, err := inmem.Open(w.dir(), nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	run, err := db.Run(ctx, planned)
	require.NoError(t, err)
	info, err := run.Info(ctx)
	require.NoError(t, err)
	require.Equal(t, info.Commits, shown.Commits)
	require.Equal(t, []uint64{info.FirstVersion, info.LastVersion},
		[]uint64{shown.FirstVersion, shown.LastVersion})
	require.Equal(t, info.Ended.Sub(info.Created), shown.Took)
	require.True(t, info.Created.Equal(shown.Created))
	totals, err := run.Traces().RollupRun(ctx)
	require.NoError(t, err)
	require.Equal(t, []int64{totals.InputTokens, totals.OutputTokens, int64(totals.Cost)},
		[]int64{shown.Spans.InputTokens, shown.Spans.OutputTokens, int64(shown.Spans.CostNanoUSD)})
	require.Equal(t, totals.Spans, spans.Spans)
	require.Equal(t, totals.Duration, spans.Last.Sub(spans.First))
	head, _, err := run.Events().Head(ctx)
	require.NoError(t, err)
	require.Equal(t, inmem.Hash(head.Hash), *shown.Head)
	require.Equal(t, head.Seq, state.Last.Seq)
	hash, err := run.StateHash(ctx, db.Version())
	require.NoError(t, err)
	require.Equal(t, hash, *state.StateHash)
	entry, err := run.KV().GetVersioned(ctx, "price")
	require.NoError(t, err)
	require.True(t, entry.Value.Equal(price.Value))
	require.Equal(t, entry.Version, price.Version)
	require.True(t, entry.Written.Equal(price.Written))
	require.Len(t, page.Runs, 2)
}

// A page says how to ask for the next one; together they are all runs, each once.
func TestPagesOfRuns(t *testing.T) {
	w := newWorld(t)
	fixture(t, w.dir())
	var ids []string
	args := []string{"runs", "--limit", "1"}
	for {
		var page runsDoc
		ask(t, w, &page, args...)
		for _, r := range page.Runs {
			ids = append(ids, r.ID)
		}
		if page.Next == "" {
			break
		}
		args = []string{"runs", "--limit", "1", "--after", page.Next}
	}
	require.Equal(t, []string{forking, failing, planned}, ids)
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	e := &env{now: func() time.Time { return now }, zone: time.FixedZone("", 3600)}
	for text, want := range map[string]time.Time{
		"":                     {},
		"now":                  now,
		"10m":                  now.Add(-10 * time.Minute),
		"3d":                   now.Add(-72 * time.Hour),
		"1d12h":                now.Add(-36 * time.Hour),
		"2026-05-14":           time.Date(2026, 5, 13, 23, 0, 0, 0, time.UTC),
		"2026-05-14 09:30":     time.Date(2026, 5, 14, 8, 30, 0, 0, time.UTC),
		"2026-05-14T09:30:01Z": time.Date(2026, 5, 14, 9, 30, 1, 0, time.UTC),
		"2026-05-14 09:30:01":  time.Date(2026, 5, 14, 8, 30, 1, 0, time.UTC),
	} {
		got, err := e.time(text)
		require.NoError(t, err, text)
		require.True(t, want.Equal(got), "%s is %s", text, got)
	}
	for _, text := range []string{"-10m", "d", "xd", "3d-1h", "2026", "yesterday", "99999d"} {
		_, err := e.time(text)
		require.Error(t, err, text)
		require.Equal(t, exitUsage, describe(err).Code, text)
	}
}

// Every error of the library has a code, a kind and advice, and what a command adds counts more.
func TestErrors(t *testing.T) {
	seen := map[string]bool{}
	for _, k := range kinds {
		f := describe(k.err)
		require.Equal(t, k.code, f.Code, "%v", k.err)
		require.NotEmpty(t, f.Advice, "%v: what to do next", k.err)
		require.NotEmpty(t, f.Kind)
		seen[f.Kind] = true
	}
	require.True(t, seen["locked"])
	f := describe(advise(notFoundf("no %w", inmem.ErrConflict), "do this"))
	require.Equal(t, failure{exitNotFound, "conflict", "no conflict", "do this"}, f)
	require.Equal(t, exitError, describe(context.DeadlineExceeded).Code)
}

// Without a name no database is made in the middle of somebody's files.
func TestNoDatabaseByAccident(t *testing.T) {
	w := newWorld(t)
	w.do("export", "x", "--db", w.tmp)
	require.Equal(t, exitNotFound, w.code)
	t.Chdir(w.tmp)
	for _, args := range [][]string{{"init"}, {"import", "-"}, {"runs"}} {
		w.do(append(args, "--db", ".")...)
		require.Equal(t, exitNotFound, w.code, args)
		require.NoFileExists(t, marker)
	}
	w.do("init", ".")
	require.Zero(t, w.code, w.err)
	require.FileExists(t, marker)
}

// Looking removes nothing: policies are carried out by programs, and by inmem retention apply.
func TestCommandsDoNotRemoveHistory(t *testing.T) {
	require.Negative(t, options().RetentionInterval)
}
