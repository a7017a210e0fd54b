package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/transcript"
)

// samples are small transcripts of our own making, one of each format.
const samples = "../../../../pkg/transcript/testdata/samples"

// outcome is what a command line came to.
type outcome struct {
	out, err string
	code     int
}

// fleetLine runs a command line on a database, as main would.
func fleetLine(t *testing.T, dir, input string, args ...string) outcome {
	t.Helper()
	t.Setenv(environment, "")
	var out, errs bytes.Buffer
	e := &env{in: strings.NewReader(input), stdout: &out, err: &errs, zone: time.UTC,
		now: func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }}
	if dir != "" {
		args = append(args, "--db", dir)
	}
	code := e.execute(context.Background(), args)
	return outcome{out.String(), errs.String(), code}
}

// sampleLine runs a command line that must succeed.
func sampleLine(t *testing.T, dir string, args ...string) string {
	t.Helper()
	got := fleetLine(t, dir, "", args...)
	require.Zero(t, got.code, "%v: %s", args, got.err)
	require.Empty(t, got.err, "%v", args)
	return got.out
}

// TestFleetScripts runs the command lines of the scripts: $SAMPLES stands for the folder of
// samples, $TMP for one of the script's own. What stands below a command line after a blank line is
// its standard input.
func TestFleetScripts(t *testing.T) {
	datadriven.Walk(t, "testdata/fleet", func(t *testing.T, path string) {
		tmp := t.TempDir()
		dir := filepath.Join(tmp, "db")
		words := strings.NewReplacer("$SAMPLES", samples, "$TMP", tmp)
		shorten := strings.NewReplacer(filepath.ToSlash(tmp), "$TMP", samples, "$SAMPLES")
		datadriven.RunTest(t, path, func(t *testing.T, c *datadriven.TestData) string {
			line, input, _ := strings.Cut(c.Input, "\n\n")
			got := fleetLine(t, dir, input, strings.Fields(words.Replace(line))...)
			text := got.out
			if got.err != "" {
				text += got.err
			}
			if got.code != 0 {
				text += fmt.Sprintf("exit %d\n", got.code)
			}
			return shorten.Replace(text)
		})
	})
}

// What people see is the same as what --json says, in every one of the commands.
func TestFleetJSON(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	sampleLine(t, dir, "import", "transcripts", samples+"/trials.json", samples+"/timed.jsonl")
	var tasks struct {
		Tasks []struct {
			Task      string
			Passed    int
			AllFailed bool `json:"all_failed"`
			Runs      []struct{ Run string }
		}
	}
	decode(t, sampleLine(t, dir, "tasks", "--json"), &tasks)
	require.Len(t, tasks.Tasks, 3)
	require.Equal(t, "1", tasks.Tasks[1].Task)
	require.True(t, tasks.Tasks[1].AllFailed)
	decode(t, sampleLine(t, dir, "tasks", "--json", "--all-failed"), &tasks)
	require.Len(t, tasks.Tasks, 1)
	decode(t, sampleLine(t, dir, "tasks", "--json", "--tag", "no-such-tag"), &tasks)
	require.Empty(t, tasks.Tasks)
	require.NotNil(t, tasks.Tasks, "an empty list is no null")

	var slow slowestDoc
	decode(t, sampleLine(t, dir, "slowest", "--json", "--limit", "2"), &slow)
	require.Len(t, slow.Spans, 2)
	require.Equal(t, 6, slow.Runs)
	require.Equal(t, 5, slow.Untimed)
	require.Equal(t, 2500*time.Millisecond, slow.Spans[0].Took)

	var tools struct{ Tools []struct{ Tool string } }
	decode(t, sampleLine(t, dir, "tools", "--json"), &tools)
	require.Equal(t, "get_booking", tools.Tools[0].Tool)

	var compared struct{ Passed, Failed int }
	decode(t, sampleLine(t, dir, "compare", "--json", "--tag", "task_id=0"), &compared)
	require.Equal(t, 1, compared.Passed)
	require.Equal(t, 2, compared.Failed)
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), into), text)
}

// With --html a command writes a page that needs nothing else, and --json is printed beside it.
func TestFleetPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	sampleLine(t, dir, "import", "transcripts", samples+"/trials.json", samples+"/events.jsonl")
	for _, args := range [][]string{
		{"tasks"}, {"tools"}, {"slowest"}, {"compare", "--tag", "task_id=0"},
		{"compare", "--tag", "no-such-tag"}, {"tasks", "--tag", "no-such-tag"},
		{"tools", "--tag", "no-such-tag"}, {"slowest", "--tag", "no-such-tag"},
	} {
		file := filepath.Join(t.TempDir(), "page.html")
		said := sampleLine(t, dir, append(args, "--html", file)...)
		require.Regexp(t, `^wrote .*page\.html, [\d.]+ KiB: open it in a browser\n$`, said)
		page, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(page), "<!DOCTYPE html>")
		require.NotRegexp(t, `(?i)<script|<link|src=|href=|@import|url\((?:[^#])`, string(page))
		require.Equal(t, string(page), sampleLine(t, dir, append(args, "--html", "-")...))
		require.True(t, json.Valid([]byte(sampleLine(t, dir, append(args, "--json", "--html",
			file)...))))
		both := fleetLine(t, dir, "", append(args, "--json", "--html", "-")...)
		require.Equal(t, exitUsage, both.code)
	}
	bad := fleetLine(t, dir, "", "tasks", "--html", filepath.Join(dir, "no", "such", "folder"))
	require.Equal(t, exitNotFound, bad.code)
	require.Contains(t, bad.err, "write the page")
}

// The flags of the import reach the database and the library.
func TestTranscriptFlags(t *testing.T) {
	for name, want := range map[string]inmem.Durability{
		"strict": inmem.Strict, "batched": inmem.Batched, "async": inmem.Async,
	} {
		f := transcriptFlags{format: "jsonl", durability: name, skip: true}
		o, err := f.options()
		require.NoError(t, err)
		require.Equal(t, want, o.Durability)
		require.Negative(t, o.RetentionInterval, "an import removes no history")
		require.Equal(t, transcript.JSONL, f.o.Read.Format)
		require.Equal(t, transcript.SkipMalformed, f.o.Malformed)
	}
}

// stopping is a source that cancels the command when it is read on.
type stopping struct {
	io.Reader
	reads  int
	cancel context.CancelFunc
}

func (s *stopping) Read(b []byte) (int, error) {
	if s.reads++; s.reads == 2 {
		s.cancel()
	}
	return s.Reader.Read(b)
}

// Ctrl-C ends an import with what it has done so far, and leaves no run half done that the same
// command does not finish.
func TestFleetImportStopped(t *testing.T) {
	t.Setenv(environment, "")
	dir := filepath.Join(t.TempDir(), "db")
	var text strings.Builder
	const records = 3000
	for i := range records {
		fmt.Fprintf(&text, `{"task_id": %d, "messages": [{"role": "user", "content": %q}]}`+"\n", i,
			strings.Repeat("x", 300))
	}
	line := []string{"import", "transcripts", "-", "--name", "long", "--json", "--db", dir,
		"--format", "openai-messages"}
	var out, errs bytes.Buffer
	ctx, cancel := context.WithCancelCause(t.Context())
	e := &env{stdout: &out, err: &errs, zone: time.UTC, now: time.Now,
		in: &stopping{Reader: strings.NewReader(text.String()), cancel: func() { cancel(errStopped) }}}
	require.Equal(t, exitStopped, e.execute(ctx, line))
	var first, second transcriptsDoc
	decode(t, out.String(), &first)
	require.False(t, first.Complete)
	require.Less(t, first.Runs, records)

	out.Reset()
	e = &env{stdout: &out, err: &errs, zone: time.UTC, now: time.Now,
		in: strings.NewReader(text.String())}
	require.Equal(t, exitOK, e.execute(t.Context(), line), errs.String())
	decode(t, out.String(), &second)
	require.True(t, second.Complete)
	require.Equal(t, records, second.Runs+second.Skipped)
	db, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	for info, err := range db.Runs().All(t.Context(), inmem.RunQuery{}) {
		require.NoError(t, err)
		require.Equal(t, inmem.Completed, info.Status)
	}
	require.NoError(t, db.Close())
}

// airline is a recording of a real agent; it is not part of the repository.
const airline = "../../../../../shared/data/tau-bench/gpt-4o-airline.json"

// The recording becomes 200 runs. Exported, and imported into another database, each has the hash
// that it had.
func TestFleetOfAirline(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	if _, err := os.Stat(airline); err != nil {
		t.Skipf("the recording of tau-bench is not here: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "db")
	var doc transcriptsDoc
	decode(t, sampleLine(t, dir, "import", "transcripts", "--format", "openai-messages", "--json",
		airline), &doc)
	require.Equal(t, [5]int{200, 5308, 1164, 84, 116},
		[5]int{doc.Runs, doc.Messages, doc.ToolCalls, doc.Completed, doc.Failed})
	require.Contains(t, sampleLine(t, dir, "tasks"),
		"50 tasks, 200 trials: 84 passed, 116 failed; 14 tasks failed in all trials")
	require.Regexp(t, `update_reservation_flights +104 +\S+ +58 +42 +40%`,
		sampleLine(t, dir, "tools"))
	require.Contains(t, sampleLine(t, dir, "compare", "--tag", "task_id=7"),
		"4 runs, 1 passed, 3 failed")

	there := filepath.Join(t.TempDir(), "there")
	from, err := inmem.Open(dir, nil)
	require.NoError(t, err)
	to, err := inmem.Open(there, nil)
	require.NoError(t, err)
	n := 0
	for info, err := range from.Runs().All(t.Context(), inmem.RunQuery{}) {
		require.NoError(t, err)
		var bundle bytes.Buffer
		_, err := from.ExportRun(t.Context(), info.ID, &bundle, inmem.ExportOptions{})
		require.NoError(t, err)
		run, err := to.ImportRun(t.Context(), bytes.NewReader(bundle.Bytes()), inmem.ImportOptions{})
		require.NoError(t, err)
		require.Equal(t, hashOf(t, from, info.ID), hashOf(t, to, run.ID()))
		n++
	}
	require.Equal(t, 200, n)
	require.NoError(t, from.Close())
	require.NoError(t, to.Close())
	for _, args := range [][]string{{"tasks"}, {"tools"}, {"compare", "--tag", "task_id=7"}} {
		require.Equal(t, sampleLine(t, dir, args...),
			sampleLine(t, there, args...), "%v", args)
	}
}

func hashOf(t *testing.T, db *inmem.DB, id string) inmem.Hash {
	run, err := db.Run(t.Context(), id)
	require.NoError(t, err)
	h, err := run.StateHash(t.Context(), 0)
	require.NoError(t, err)
	return h
}
