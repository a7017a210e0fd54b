package transcript_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

func open(t *testing.T, o *inmem.Options) *inmem.DB {
	t.Helper()
	if o == nil {
		o = &inmem.Options{Durability: inmem.None}
	}
	d, err := inmem.Open(t.TempDir(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func source(name, text string) transcript.Source {
	return transcript.Source{Name: name, Reader: strings.NewReader(text), Size: int64(len(text))}
}

func sample(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "samples", name))
	require.NoError(t, err)
	return string(b)
}

// TestImports imports what the scripts name and shows the runs.
func TestImports(t *testing.T) {
	datadriven.Walk(t, "testdata/imports", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			var name string
			c.ScanArgs(t, "name", &name)
			d := open(t, nil)
			res, err := transcript.Import(t.Context(), d, source(name, sample(t, name)),
				transcript.Options{Tenant: "t", Tags: []string{"mine"}})
			require.NoError(t, err)
			b, err := json.Marshal(res)
			require.NoError(t, err)
			return string(b) + "\n" + contents(t, d, true)
		})
	})
}

// contents shows all runs in the order of their records, and all that is in them but times of
// commits, which are those of the clock.
func contents(t *testing.T, d *inmem.DB, short bool) string {
	t.Helper()
	ctx := t.Context()
	texts := map[string]string{}
	for info, err := range d.Runs().All(ctx, inmem.RunQuery{IncludeArchived: true}) {
		require.NoError(t, err)
		run, err := d.Run(ctx, info.ID)
		require.NoError(t, err)
		var b strings.Builder
		fmt.Fprintf(&b, "run %s %v %q agent=%s tags=%v\n  %v\n", info.ID, info.Status, info.Error,
			info.Agent, info.Tags, info.Metadata)
		for name, err := range run.Cells().List(ctx, "") {
			require.NoError(t, err)
			s, err := run.Cell(name).Get(ctx)
			require.NoError(t, err)
			fmt.Fprintf(&b, "  cell %s=%v\n", name, s.Value)
		}
		for e, err := range run.KV().Scan(ctx, inmem.ScanOptions{}) {
			require.NoError(t, err)
			fmt.Fprintf(&b, "  key %s=%v\n", e.Key, e.Value)
		}
		events, err := run.Events().Len(ctx)
		require.NoError(t, err)
		fmt.Fprintf(&b, "  %d events\n", events)
		v, err := run.Events().Verify(ctx)
		require.NoError(t, err)
		require.True(t, v.Valid, v.Reason)
		if !short {
			for e, err := range run.Events().List(ctx, inmem.EventOptions{}) {
				require.NoError(t, err)
				fmt.Fprintf(&b, "  %d %s %v\n", e.Seq, e.Type, e.Payload)
			}
		}
		for s, err := range run.Traces().List(ctx, inmem.SpanFilter{}) {
			require.NoError(t, err)
			fmt.Fprintf(&b, "  span %s under %q %v %v %v\n", s.ID, s.Parent, s.Start, s.ToolCallID,
				s.Attributes)
		}
		roots, err := run.Traces().Forest(ctx)
		require.NoError(t, err)
		for _, n := range roots {
			b.WriteString(n.String())
		}
		number, _ := info.Metadata.Lookup("record")
		texts[fmt.Sprintf("%v%08v%s", info.Tags, number, info.ID)] = b.String()
	}
	var all strings.Builder
	for _, key := range sorted(texts) {
		all.WriteString(texts[key])
	}
	return all.String()
}

func sorted(m map[string]string) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// A record is known again, however the source is indented and whatever was added to it; what is
// equal within a source remains several runs.
func TestImportIsIdempotent(t *testing.T) {
	d := open(t, nil)
	text := sample(t, "trials.json")
	first, err := transcript.Import(t.Context(), d, source("a", text), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, first.Runs)
	before := contents(t, d, false)

	again, err := transcript.Import(t.Context(), d, source("a", text), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, again.Skipped)
	require.Zero(t, again.Runs+again.Events+again.Spans+again.Redone)
	require.Equal(t, before, contents(t, d, false))

	var flat bytes.Buffer
	require.NoError(t, json.Compact(&flat, []byte(text)))
	res, err := transcript.Import(t.Context(), d, source("a", flat.String()), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, res.Skipped)
	require.Equal(t, before, contents(t, d, false))

	more := `[{"messages":[]},` + flat.String()[1:len(flat.String())-1] + `, {"messages": [ ]}]`
	res, err = transcript.Import(t.Context(), d, source("a", more), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, res.Skipped)
	require.Equal(t, 2, res.Runs, "two equal records are two runs")

	res, err = transcript.Import(t.Context(), d, source("b", text), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, res.Runs, "another source")
}

// What an import that was broken off has left is written anew, whatever it was; what has ended is
// left alone, archived or not.
func TestImportRedoesRemnants(t *testing.T) {
	ctx := t.Context()
	whole := open(t, nil)
	text := sample(t, "trials.json")
	_, err := transcript.Import(ctx, whole, source("a", text), transcript.Options{})
	require.NoError(t, err)
	var ids []string
	for x, err := range transcript.Read(ctx, source("a", text), transcript.ReadOptions{}) {
		require.NoError(t, err)
		ids = append(ids, x.ID)
	}

	d := open(t, nil)
	for i, id := range ids[:2] {
		run, err := d.BeginRun(ctx, inmem.RunOptions{ID: id})
		require.NoError(t, err)
		_, err = run.Events().Append(ctx, "left", inmem.Int(1))
		require.NoError(t, err)
		if i == 1 {
			require.NoError(t, run.Record().Pause(ctx))
		}
	}
	res, err := transcript.Import(ctx, d, source("a", text), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, res.Runs)
	require.Equal(t, 2, res.Redone)
	require.Equal(t, contents(t, whole, false), contents(t, d, false))

	run, err := d.Run(ctx, ids[0])
	require.NoError(t, err)
	require.NoError(t, run.Record().Archive(ctx))
	res, err = transcript.Import(ctx, d, source("a", text), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 4, res.Skipped)
}

// The number of workers and of entries in a commit changes nothing of what is there in the end.
func TestImportIsDeterministic(t *testing.T) {
	text := many(30)
	var want string
	for _, o := range []transcript.Options{
		{Workers: 1}, {Workers: 4}, {EntriesPerCommit: 3}, {EntriesPerCommit: 1000, Workers: 8},
	} {
		d := open(t, nil)
		res, err := transcript.Import(t.Context(), d, source("a", text), o)
		require.NoError(t, err)
		require.Equal(t, 30, res.Runs)
		got := contents(t, d, false)
		if want == "" {
			want = got
		}
		require.Equal(t, want, got)
	}
}

// many makes a source of so many attempts.
func many(n int) string {
	var b strings.Builder
	b.WriteString("[")
	for i := range n {
		if i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, `{"task_id": %d, "trial": %d, "reward": %d, "traj": [
{"role": "user", "content": "do %d"},
{"role": "assistant", "content": null, "tool_calls": [{"id": "x", "function": {"name": "f", "arguments": "{\"n\": %d}"}}]},
{"role": "tool", "tool_call_id": "x", "content": "Error: %d"},
{"role": "assistant", "content": "no"}]}`, i/3, i%3, i%2, i, i, i)
	}
	b.WriteString("]")
	return b.String()
}

// Every entry is a commit, so the run can be looked at as it was after each.
func TestImportedRunsTravelInTime(t *testing.T) {
	ctx := t.Context()
	d := open(t, nil)
	_, err := transcript.Import(ctx, d, source("a", sample(t, "chat.json")), transcript.Options{})
	require.NoError(t, err)
	page, err := d.Runs().Query(ctx, inmem.RunQuery{})
	require.NoError(t, err)
	run, err := d.Run(ctx, page.Runs[0].ID)
	require.NoError(t, err)
	var seen []string
	for e, err := range run.Events().List(ctx, inmem.EventOptions{}) {
		require.NoError(t, err)
		v, err := run.At(ctx, e.Version)
		require.NoError(t, err)
		status, err := v.Cell("status").Get(ctx)
		require.NoError(t, err)
		turns, err := v.Cell("turns").Get(ctx)
		require.NoError(t, err)
		spans, err := v.Traces().Count(ctx, inmem.SpanFilter{})
		require.NoError(t, err)
		seen = append(seen, fmt.Sprintf("%s %v %v %d", e.Type, status.Value, turns.Value, spans))
		require.NoError(t, v.Close())
	}
	require.Equal(t, []string{
		`message.system "starting" 0 1`,
		`message.user "thinking" 0 1`,
		`message.assistant "acting" 1 2`,
		`message.tool "thinking" 1 3`,
		`message.tool "thinking" 1 4`,
		`message.assistant "completed" 2 5`,
	}, seen)
}

func TestImportOfMalformedRecords(t *testing.T) {
	ctx := t.Context()
	text := `[{"messages": [{"role": "user"}]}, {"messages": 1}, {"messages": [{"role": ""}]},
	{"messages": [{"role": "user", "n": 1}]}]`
	d := open(t, nil)
	res, err := transcript.Import(ctx, d, source("a", text), transcript.Options{Workers: 1})
	var bad *transcript.RecordError
	require.ErrorAs(t, err, &bad)
	require.ErrorIs(t, err, transcript.ErrMalformed)
	require.EqualValues(t, 2, bad.Record)
	require.Equal(t, "1", text[bad.Offset:bad.Offset+1])
	require.EqualError(t, err,
		"import transcripts: a: record 2, offset 48: found a number, expected an array of messages")
	require.Equal(t, 1, res.Runs)

	skip := transcript.Options{Malformed: transcript.SkipMalformed}
	res, err = transcript.Import(ctx, d, source("a", text), skip)
	require.NoError(t, err)
	require.Equal(t, 2, res.Malformed)
	require.Equal(t, 2, res.Runs+res.Skipped)
	require.EqualValues(t, 2, res.Errors[0].Record)
	require.EqualValues(t, 3, res.Errors[1].Record)
	b, err := json.Marshal(res.Errors[1])
	require.NoError(t, err)
	require.JSONEq(t, `{"source": "a", "record": 3, "offset": 66, "error": "the message has no role"}`,
		string(b))

	res, err = transcript.Import(ctx, d, source("a", text[:60]), skip)
	require.NoError(t, err, "a source that was cut off in a record")
	require.Equal(t, 2, res.Malformed)
	_, err = transcript.Import(ctx, d, source("a", `[{"messages": []}; 1]`), skip)
	require.ErrorAs(t, err, &bad)
	require.True(t, bad.Fatal)
}

// What the database refuses is as malformed as what cannot be read, and nothing of it stays.
func TestImportOfWhatIsTooLarge(t *testing.T) {
	ctx := t.Context()
	d := open(t, &inmem.Options{Durability: inmem.None, MaxTxnBytes: 1 << 20})
	long := strings.Repeat("long ", 1<<18)
	text := fmt.Sprintf(`[[{"role": "user", "content": "a"}, {"role": "user", "content": %q}],
	[{"role": "user"}], [{"role": %q}]]`, long, long)
	res, err := transcript.Import(ctx, d, source("a", text), transcript.Options{
		Malformed: transcript.SkipMalformed})
	require.NoError(t, err)
	require.Equal(t, 1, res.Runs)
	require.Equal(t, 2, res.Malformed)
	require.ErrorIs(t, res.Errors[0].Err, inmem.ErrTooLarge)
	require.ErrorIs(t, res.Errors[1].Err, inmem.ErrTooLarge)
	n, err := d.Runs().Count(ctx, inmem.RunQuery{})
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestImportEnds(t *testing.T) {
	for _, c := range []struct {
		fields string
		pass   float64
		status inmem.Status
		reason string
	}{
		{``, 0, inmem.Completed, ""},
		{`"reward": 1,`, 0, inmem.Completed, ""},
		{`"reward": 0.9999999,`, 0, inmem.Completed, ""},
		{`"reward": 0.5,`, 0, inmem.Failed, "reward 0.5, below 1"},
		{`"reward": 0.5,`, 0.5, inmem.Completed, ""},
		{`"success": true,`, 0, inmem.Completed, ""},
		{`"success": false,`, 0, inmem.Failed, "reward 0, below 1"},
		{`"exit_status": "submitted (exit_cost)",`, 0, inmem.Completed, ""},
		{`"exit_status": "exit_cost",`, 0, inmem.Failed, "exit_cost"},
		{`"exit_status": "cancelled",`, 0, inmem.Cancelled, ""},
		{`"exit_status": "exit_cost", "reward": 1,`, 0, inmem.Completed, ""},
	} {
		d := open(t, nil)
		text := `{` + c.fields + ` "messages": []}`
		_, err := transcript.Import(t.Context(), d, source("a", text),
			transcript.Options{PassReward: c.pass})
		require.NoError(t, err)
		page, err := d.Runs().Query(t.Context(), inmem.RunQuery{})
		require.NoError(t, err)
		require.Len(t, page.Runs, 1)
		require.Equal(t, c.status, page.Runs[0].Status, text)
		require.Equal(t, c.reason, page.Runs[0].Error, text)
	}
}

func TestImportReportsProgress(t *testing.T) {
	text := many(10)
	var last transcript.Progress
	calls := 0
	res, err := transcript.Import(t.Context(), open(t, nil), source("a", text), transcript.Options{
		Progress: func(p transcript.Progress) {
			require.GreaterOrEqual(t, p.Bytes, last.Bytes)
			require.GreaterOrEqual(t, p.Runs, last.Runs)
			require.EqualValues(t, len(text), p.Total)
			last = p
			calls++
		}})
	require.NoError(t, err)
	require.Equal(t, 11, calls, "for every record, and at the end")
	require.EqualValues(t, len(text), last.Bytes)
	require.Equal(t, [3]int{10, 40, 40}, [3]int{last.Runs, last.Events, last.Spans})
	require.Equal(t, res.Bytes, last.Bytes)
}

// A context that ends breaks the import off; the next one finishes it.
func TestImportIsCancelled(t *testing.T) {
	d := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	text := many(50)
	res, err := transcript.Import(ctx, d, source("a", text), transcript.Options{
		Progress: func(p transcript.Progress) {
			if p.Runs == 5 {
				cancel()
			}
		}})
	require.ErrorIs(t, err, inmem.ErrCanceled)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, res.Runs, 50)
	next, err := transcript.Import(t.Context(), d, source("a", text), transcript.Options{})
	require.NoError(t, err)
	require.Equal(t, 50, next.Runs+next.Skipped)

	gone, stop := context.WithTimeout(t.Context(), time.Nanosecond)
	defer stop()
	_, err = transcript.Import(gone, d, source("a", text), transcript.Options{})
	require.ErrorIs(t, err, inmem.ErrTimeout)
}

// A panic of the caller's function goes up, and leaves nobody behind: the database can be closed.
func TestImportProgressPanics(t *testing.T) {
	d := open(t, nil)
	require.PanicsWithValue(t, "enough", func() {
		_, _ = transcript.Import(t.Context(), d, source("a", many(20)), transcript.Options{
			Progress: func(transcript.Progress) { panic("enough") }})
	})
}

func TestImportRefuses(t *testing.T) {
	d := open(t, nil)
	for _, o := range []transcript.Options{
		{Workers: -1}, {EntriesPerCommit: -1}, {Malformed: 9}, {Tags: make([]string, 100)},
		{Read: transcript.ReadOptions{Format: "xml"}},
	} {
		_, err := transcript.Import(t.Context(), d, source("a", "[]"), o)
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	}
	_, err := transcript.ImportFile(t.Context(), d, "no such file", transcript.Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = transcript.Import(t.Context(), d, source("a", "7"), transcript.Options{})
	require.ErrorIs(t, err, transcript.ErrUnknownFormat)
}
