package diff

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/terminal"
	"github.com/inmem-db/inmem/pkg/codec"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// golden holds a text against a file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

// full is a report with a bit of everything.
func full(t testing.TB) *Report {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	step := func(at int, typ, name string, version uint64) *Step {
		return &Step{Position: uint64(at), Type: typ, Name: name, Version: version,
			Time: start.Add(time.Duration(at) * time.Second)}
	}
	values := func(a, b string) Changes { return Values(parse(t, a), parse(t, b), Limits{}) }
	whole := func(op Op, v string) Changes { return Whole(parse(t, v), op, Limits{}) }
	long := `"` + strings.Repeat("the same beginning ", 5)
	key := Entry{Primitive: KV, Op: Changed, Key: "seat", VersionA: 12, VersionB: 31,
		Changes: values(`"aisle"`, `"window"`)}
	r := &Report{
		A: Side{Run: "01890000-0000-7000-8000-00000000000a", Version: 40, Status: "completed",
			Agent: "planner", Totals: Totals{Commits: 20, Events: 5, Spans: 3, InputTokens: 854,
				OutputTokens: 157, Cost: 222_300, Duration: 1234 * time.Millisecond}},
		B: Side{Run: "01890000-0000-7000-8000-00000000000b", Version: 44, Status: "failed",
			Agent: "planner", Totals: Totals{Commits: 22, Events: 6, Spans: 3, Errors: 1,
				InputTokens: 1854, OutputTokens: 57, Cost: 1_222_300, Duration: 99 * time.Millisecond}},
		Record: values(`{"status":"completed","tags":["a"]}`, `{"status":"failed","tags":["a","b"]}`),
		State: State{KV: Counts{A: 4, B: 4, Same: 1, Added: 1, Removed: 1, Changed: 2},
			Extensions: Counts{A: 1, Removed: 1}, Cells: Counts{A: 1, B: 1, Changed: 1}},
		Events: Sequence{Counts: Counts{A: 5, B: 6, Same: 3, Added: 2, Removed: 1, Changed: 1},
			Prefix: 2, Suffix: 1, Windowed: true},
		Spans: Sequence{Counts: Counts{A: 3, B: 3, Same: 2, Changed: 1}, Prefix: 2},
		Entries: []Entry{
			{Primitive: KV, Op: Added, Key: "a key", VersionB: 30, Changes: whole(Added, `1`)},
			{Primitive: KV, Op: Removed, Key: "goal\n", VersionA: 9, Changes: whole(Removed, `null`)},
			key,
			{Primitive: KV, Op: Changed, Key: "\xff", VersionA: 3, VersionB: 4,
				Changes: values(`{"plan":[1,2,{"x/y":3}]}`, `{"plan":[0,1,2,{"x/y":4}],"n":null}`)},
			{Primitive: Extensions, Op: Removed, Extension: "queue", Key: "0001", VersionA: 9,
				Changes: whole(Removed, `{"state":"ready"}`)},
			{Primitive: Cells, Op: Changed, Key: "phase", VersionA: 8, VersionB: 9,
				Changes: values(long+`A"`, long+`B"`)},
			{Primitive: Events, Op: Changed, A: step(2, "tool_call", "book", 20),
				B: step(2, "tool_call", "book", 33), Changes: Changes{List: values(`{"n":1}`,
					`{"n":2}`).List, More: 7, Coarse: true}},
			{Primitive: Events, Op: Removed, A: step(3, "note", "", 21),
				Changes: whole(Removed, `{"args":{"text":"`+strings.Repeat("long ", 20)+`","n":1}}`)},
			{Primitive: Traces, Op: Changed, A: step(2, "tool_call", "book", 20),
				B:       step(3, "tool_call", "book", 33),
				Changes: values(`{"error":"no seat"}`, `{"open":true}`)},
		},
		Omitted: 3,
	}
	r.Events.Divergence = &Divergence{Primitive: Events, Position: 2,
		LastA: step(1, "decision", "choose", 19), LastB: step(1, "decision", "choose", 30),
		NextA: step(2, "tool_call", "book", 20), NextB: step(2, "tool_call", "book", 33),
		Changes: values(`{"n":1}`, `{"n":2}`), VersionA: 19, VersionB: 32,
		State: &StateBefore{State: State{KV: Counts{A: 2, B: 2, Same: 1, Changed: 1}},
			Entries: []Entry{key}, Omitted: 1}}
	r.Spans.Divergence = &Divergence{Primitive: Traces, Position: 0,
		NextB: step(0, "thought", "", 33), Changes: whole(Added, `{"model":"small"}`),
		VersionA: 40, VersionB: 32}
	r.First = r.Events.Divergence
	return r
}

func TestText(t *testing.T) {
	r := full(t)
	golden(t, "full.txt", r.Text())
	for _, line := range strings.Split(r.Text(), "\n") {
		require.LessOrEqual(t, utf8.RuneCountInString(line), textWidth, line)
	}
	var b strings.Builder
	require.NoError(t, r.WriteText(&b, TextOptions{Colour: true}))
	golden(t, "full.colour.txt", b.String())
	plain := b.String()
	for _, escape := range append(escapes[1:], "\x1b[0m") {
		plain = strings.ReplaceAll(plain, escape, "")
	}
	require.Equal(t, r.Text(), plain, "colour changes nothing else")

	same := &Report{A: Side{Run: "x", Version: 1}, B: Side{Run: "x", Version: 2}, Identical: true}
	golden(t, "identical.txt", same.Text())
}

func TestJSON(t *testing.T) {
	data, err := json.MarshalIndent(full(t), "", "  ")
	require.NoError(t, err)
	golden(t, "full.json", string(data)+"\n")
}

// stuck is a writer that fails after some bytes.
type stuck struct{ left int }

var errStuck = errors.New("stuck")

func (s *stuck) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		return 0, errStuck
	}
	return len(p), nil
}

func TestTextTellsOfTheWriter(t *testing.T) {
	require.ErrorIs(t, full(t).WriteText(&stuck{left: 300}, TextOptions{}), errStuck)
}

func TestTextIsSafe(t *testing.T) {
	require.Equal(t, `\x1b[31m`, terminal.Clean("\x1b[31m"))
	require.Equal(t, `"a b"`, keyText("a b"))
	require.Equal(t, `""`, keyText(""))
	require.Equal(t, "über", keyText("über"))
	require.Equal(t, `"\xff"`, keyText("\xff"))
	v := codec.String(strings.Repeat("x", 5000))
	require.Equal(t, "(5003 bytes)", shown(nil, v.EncodedSize()))
	require.Equal(t, "-$0.0012", dollars(-1_200_000))
	require.Equal(t, "$12.00", dollars(12e9))
	require.Equal(t, 1230*time.Millisecond, rounded(1234*time.Millisecond))
}
