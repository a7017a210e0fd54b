package cli

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/internal/show"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// The runs of the fixture.
const (
	planned = "01a20000-0000-7000-8000-00000000000a" // completed, with everything in it
	failing = "01a20000-0000-7000-8000-00000000000b" // failed, parted from planned
	forking = "01a30000-0000-7000-8000-00000000000c" // a fork of planned, active
)

// began is when the spans of the fixture begin.
var began = time.Date(2026, 5, 14, 9, 30, 0, 0, time.UTC)

// fixture makes a database with three runs.
func fixture(t testing.TB, dir string) {
	t.Helper()
	ctx := context.Background()
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	a := attempt(t, db, planned, "TP935", 129)
	attempt(t, db, failing, "LX2084", 189)
	require.NoError(t, a.End(ctx, inmem.Completed))
	b, err := db.Run(ctx, failing)
	require.NoError(t, err)
	require.NoError(t, b.Record().Fail(ctx, "over the\nlimit"))
	info, err := a.Info(ctx)
	require.NoError(t, err)
	_, err = a.Fork(ctx, inmem.ForkOptions{
		ID: forking, At: info.FirstVersion, Tags: []string{"retry"},
	})
	require.NoError(t, err)
	require.NoError(t, db.Close())
}

// attempt is a run that books a flight.
func attempt(t testing.TB, db *inmem.DB, id, flight string, price int64) *inmem.Run {
	t.Helper()
	ctx := context.Background()
	run, err := db.BeginRun(ctx, inmem.RunOptions{
		ID: id, Tenant: "acme", App: "travel", Agent: "planner", Tags: []string{"task_id=7", "exp"},
		Metadata: must(inmem.ValueOf(map[string]any{"task_id": "7"})),
	})
	require.NoError(t, err)
	step := func(fn func(tx *inmem.Tx) error) {
		_, err := run.Update(ctx, fn)
		require.NoError(t, err)
	}
	step(func(tx *inmem.Tx) error {
		_, err := tx.KV().Put(ctx, "goal", inmem.String("book a flight"))
		require.NoError(t, err)
		_, err = tx.Cell("status").Init(ctx, inmem.String("starting"))
		require.NoError(t, err)
		_, err = tx.Events().Append(ctx, "message.user", inmem.String("book a flight"))
		return err
	})
	step(func(tx *inmem.Tx) error {
		_, err := tx.Traces().Start(ctx, inmem.Span{
			ID: "task", Type: inmem.SpanCustom, Name: "book a flight", Start: began,
		})
		return err
	})
	step(func(tx *inmem.Tx) error {
		_, err := tx.Events().Append(ctx, "tool_call", must(inmem.ValueOf(map[string]any{
			"name": "book", "flight": flight,
		})))
		require.NoError(t, err)
		_, err = tx.Cell("status").Store(ctx, inmem.String("acting"))
		require.NoError(t, err)
		_, err = tx.KV().Put(ctx, "price", inmem.Int(price))
		require.NoError(t, err)
		span := inmem.Span{
			ID: "call", Parent: "task", Type: inmem.SpanToolCall, Name: "book",
			Start: began.Add(time.Second), End: began.Add(3 * time.Second),
			InputTokens: 221, OutputTokens: 64, Cost: inmem.Dollar / 1000,
		}
		if price > 150 {
			span.Error = "over the\nlimit"
		}
		_, err = tx.Traces().Record(ctx, span)
		return err
	})
	step(func(tx *inmem.Tx) error {
		notes, goLang := tx.Vectors("notes"), must(inmem.ValueOf(map[string]any{"lang": "go"}))
		_, err := notes.Create(ctx, inmem.CollectionOptions{Dim: 2, Metric: inmem.Cosine})
		require.NoError(t, err)
		_, err = notes.UpsertMany(ctx, []inmem.VectorRow{
			{ID: "east", Vector: []float32{1, 0}, Metadata: goLang},
			{ID: "north", Vector: []float32{0, 1}},
			{ID: "northeast", Vector: []float32{1, 1}},
		})
		return err
	})
	step(func(tx *inmem.Tx) error {
		_, err := tx.KV().Delete(ctx, "goal")
		require.NoError(t, err)
		return tx.Traces().End(ctx, "task", inmem.SpanEnd{Time: began.Add(4 * time.Second)})
	})
	return run
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// world runs command lines on one database.
type world struct {
	t     testing.TB
	tmp   string // $TMP; the database is $TMP/db
	input string
	out   string // of the last command
	err   string
	code  int
}

func newWorld(t testing.TB) *world { return &world{t: t, tmp: filepath.ToSlash(t.TempDir())} }

func (w *world) dir() string { return w.tmp + "/db" }

// run runs a command line, and returns what it wrote and how it ended, without what differs from
// time to time.
func (w *world) run(line string) string {
	args, err := words(strings.ReplaceAll(line, "$TMP", w.tmp))
	require.NoError(w.t, err)
	w.do(args...)
	text := w.out
	for out := range strings.Lines(text) {
		if !strings.Contains(line, "--json") && !strings.Contains(out, w.tmp) {
			require.LessOrEqual(w.t, utf8.RuneCountInString(out), show.Width+1, "%s: %s", line, out)
		}
	}
	if w.err != "" {
		text += "stderr: " + strings.TrimSuffix(strings.ReplaceAll(w.err, "\n", "\n        "), "        ")
	}
	if w.code != 0 {
		text += fmt.Sprintf("exit %d\n", w.code)
	}
	return w.steady(text)
}

// do runs a command line on the database, unless it names one itself.
func (w *world) do(args ...string) {
	var out, errs bytes.Buffer
	e := &env{
		in: strings.NewReader(w.input), stdout: &out, err: &errs, zone: time.UTC, now: time.Now,
		dir: w.dir(),
	}
	w.input = ""
	w.code = e.execute(context.Background(), args)
	w.out, w.err = out.String(), errs.String()
}

// What differs from time to time, and what stands for it: as wide where it stands in columns.
var unsteady = []struct{ from, to string }{
	{`\b20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "<time>"},
	{`\b20[2-9]\d-\d\d-\d\d \d\d:\d\d:\d\d`, "YYYY-MM-DD hh:mm:ss"},
	{`\b[0-9a-f]{64}\b`, "<hash>"},
	{`"(took_ns|duration_ns|bytes|size|files)": ?\d+`, `"$1": <n>`},
	{`took \S+`, "took <time>"},
	{`\d+ files?, [0-9.]+ \S+, in \S+`, "<n> files, <size>, in <time>"},
	{`events?, [0-9.]+ \S+  `, "events, <size>  "},
	{`process \d+`, "process <pid>"},
	{`--after \S+`, "--after <token>"},
	{`on disk .*`, "on disk <less>"},
	// How many commits share a key of the journal depends on when they went to the store.
	{`(RECORDS) +BYTES`, "$1  BYTES"},
	{`(\d+) +[0-9.]+ B  +`, "$1  <size>  "},
	{`(\d+ runs?), [0-9.]+ \S+, `, "$1, <size>, "},
}

// steady replaces what differs from time to time. The times of the fixture's spans stay.
func (w *world) steady(text string) string {
	text = strings.ReplaceAll(text, w.tmp, "$TMP")
	const keep, kept = "2026-05-14", "\x00"
	text = strings.ReplaceAll(text, keep, kept)
	for _, u := range unsteady {
		text = regexp.MustCompile(u.from).ReplaceAllString(text, u.to)
	}
	return strings.ReplaceAll(text, kept, keep)
}

// words splits a command line as a shell would, with quotes of both kinds.
func words(line string) ([]string, error) {
	var list []string
	var word strings.Builder
	quote, inside := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inside = r, true
		case r == ' ':
			if inside {
				list = append(list, word.String())
				word.Reset()
				inside = false
			}
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote is not closed: %s", line)
	}
	if inside {
		list = append(list, word.String())
	}
	return list, nil
}
