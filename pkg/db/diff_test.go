package inmem_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

func (w *world) begin2() (a, b *inmem.Run) {
	w.t.Helper()
	var runs [2]*inmem.Run
	for i := range runs {
		var err error
		runs[i], err = w.BeginRun(w.ctx(), inmem.RunOptions{Agent: "planner"})
		require.NoError(w.t, err)
	}
	return runs[0], runs[1]
}

func (w *world) diff(a, b inmem.Point, o inmem.DiffOptions) *inmem.Diff {
	w.t.Helper()
	d, err := w.Diff(w.ctx(), a, b, o)
	require.NoError(w.t, err)
	return d
}

func newest(r *inmem.Run) inmem.Point { return inmem.Point{Run: r} }

// brief shows an entry on one line.
func brief(e *inmem.DiffEntry) string {
	text := fmt.Sprintf("%s %s", e.Op, e.Primitive)
	if e.Extension != "" {
		text += " " + e.Extension
	}
	if e.Key != "" {
		text += " " + e.Key
	}
	if e.A != nil {
		text += fmt.Sprintf(" a#%d %s %s", e.A.Position, e.A.Type, e.A.Name)
	}
	if e.B != nil {
		text += fmt.Sprintf(" b#%d %s %s", e.B.Position, e.B.Type, e.B.Name)
	}
	for _, c := range e.Changes.List {
		text += fmt.Sprintf("; %s %q", c.Op, c.Path)
	}
	return text
}

func briefs(d *inmem.Diff) []string {
	var list []string
	for i := range d.Entries {
		list = append(list, brief(&d.Entries[i]))
	}
	return list
}

// work is what two runs of one agent have done, alike up to a point.
func (w *world) work(r *inmem.Run, seat string, extra bool) {
	t, ctx := w.t, w.ctx()
	w.clock.advance(time.Second)
	_, err := r.Update(ctx, func(tx *inmem.Tx) error {
		_, err := inmem.Put(ctx, tx.KV(), "goal", map[string]any{"to": "LIS", "seat": "any"})
		require.NoError(t, err)
		_, err = tx.Events().Append(ctx, "message", w.value(map[string]any{"role": "user"}))
		return err
	})
	require.NoError(t, err)
	_, err = inmem.Put(ctx, r.KV(), "seat", seat)
	require.NoError(t, err)
	w.clock.advance(time.Second)
	_, err = r.Update(ctx, func(tx *inmem.Tx) error {
		_, err := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanToolCall, Name: "book",
			Attributes:  w.value(map[string]any{"args": map[string]any{"seat": seat}}),
			InputTokens: 10, Cost: inmem.Dollar})
		require.NoError(t, err)
		_, err = tx.Events().Append(ctx, "tool_call",
			w.value(map[string]any{"tool": "book", "seat": seat}))
		return err
	})
	require.NoError(t, err)
	if extra {
		_, err = r.Events().Append(ctx, "note", inmem.Null())
		require.NoError(t, err)
		_, err = r.Extension("queue").Put(ctx, "1", inmem.Int(1))
		require.NoError(t, err)
	}
	_, err = r.Events().Append(ctx, "done", inmem.Null())
	require.NoError(t, err)
}

func (w *world) value(v any) inmem.Value {
	w.t.Helper()
	x, err := inmem.ValueOf(v)
	require.NoError(w.t, err)
	return x
}

func TestDiffNamesTheFirstDivergence(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		a, b := w.begin2()
		w.work(a, "aisle", false)
		w.work(b, "window", true)
		require.NoError(t, a.End(w.ctx(), inmem.Completed))
		d := w.diff(newest(a), newest(b), inmem.DiffOptions{})
		require.False(t, d.Identical)
		require.Equal(t, []string{
			`changed kv seat; changed ""`,
			`added extensions queue 1; added ""`,
			`changed events a#1 tool_call book b#1 tool_call book; changed "/seat"`,
			`added events b#2 note ; added ""`,
			`changed traces a#0 tool_call book b#0 tool_call book; ` +
				`changed "/attributes/args/seat"`,
		}, briefs(d))

		first := d.First
		require.Same(t, d.Events.Divergence, first)
		require.EqualValues(t, 1, first.Position)
		require.Equal(t, "user", first.LastA.Name)
		require.Equal(t, "book", first.NextB.Name)
		require.Equal(t, "/seat", first.Changes.List[0].Path)
		require.EqualValues(t, 1, first.State.Differences())
		require.Equal(t, `changed kv seat; changed ""`, brief(&first.State.Entries[0]))

		// The views at the versions that it names show the state just before.
		for run, version := range map[*inmem.Run]uint64{a: first.VersionA, b: first.VersionB} {
			v, err := run.At(w.ctx(), version)
			require.NoError(t, err)
			n, err := v.Events().Len(w.ctx())
			require.NoError(t, err)
			require.EqualValues(t, 1, n)
			ok, err := v.KV().Exists(w.ctx(), "seat")
			require.NoError(t, err)
			require.True(t, ok)
			require.NoError(t, v.Close())
		}
		require.Equal(t, "/status", d.Record.List[0].Path)
		require.EqualValues(t, 10, d.A.Totals.InputTokens)
		require.Zero(t, d.Delta().Cost)
		require.EqualValues(t, 2, d.Delta().Commits)
		require.EqualValues(t, 1, d.Delta().Events)
	})
}

// Runs that did the same at other times are the same.
func TestDiffOfEqualWork(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		a, b := w.begin2()
		w.work(a, "aisle", true)
		w.clock.advance(time.Hour)
		w.work(b, "aisle", true)
		d := w.diff(newest(a), newest(b), inmem.DiffOptions{})
		require.True(t, d.Identical, d.Text())
		require.Nil(t, d.First)
		require.EqualValues(t, 4, d.Events.Prefix)
		require.EqualValues(t, 4, d.Events.Same)
		require.EqualValues(t, 1, d.Spans.Same)
		require.EqualValues(t, 2, d.KV.Same)
		require.Contains(t, d.Text(), "no differences")
	})
}

// What is made up anew in every run can be left out of the comparison.
func TestDiffIgnores(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	a, b := w.begin2()
	for i, r := range []*inmem.Run{a, b} {
		call := map[string]any{"call": map[string]any{"id": i, "n": 1}}
		_, err := r.Events().Append(w.ctx(), "x", w.value(call))
		require.NoError(t, err)
		_, err = r.Traces().Record(w.ctx(), inmem.Span{Type: inmem.SpanQuery,
			Model: fmt.Sprint("m", i), Attributes: w.value(call)})
		require.NoError(t, err)
	}
	d := w.diff(newest(a), newest(b), inmem.DiffOptions{Ignore: []string{"id"}})
	require.Equal(t, []string{`changed traces a#0 query  b#0 query ; changed "/model"`}, briefs(d))
	d = w.diff(newest(a), newest(b), inmem.DiffOptions{Ignore: []string{"id", "model"}})
	require.True(t, d.Identical, d.Text())
	d = w.diff(newest(a), newest(b), inmem.DiffOptions{Ignore: []string{"model"}})
	require.Len(t, d.Entries, 2)
}

func TestDiffRefuses(t *testing.T) {
	w, other := newWorld(t, engines[0], nil), newWorld(t, engines[0], nil)
	at := newest(w.run)
	for name, p := range map[string]inmem.Point{
		"no run": {}, "another database": {Run: other.run},
		"the future": {Run: w.run, Version: w.Version() + 1},
	} {
		_, err := w.Diff(w.ctx(), at, p, inmem.DiffOptions{})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument, name)
		require.ErrorContains(t, err, "side b", name)
		for _, err := range w.DiffEntries(w.ctx(), p, at, inmem.DiffOptions{}) {
			require.ErrorIs(t, err, inmem.ErrInvalidArgument, name)
		}
	}
	_, err := w.Diff(w.ctx(), at, at, inmem.DiffOptions{Window: -1})
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	ctx, cancel := context.WithCancel(w.ctx())
	cancel()
	_, err = w.Diff(ctx, at, at, inmem.DiffOptions{})
	require.ErrorIs(t, err, inmem.ErrCanceled)

	require.NoError(t, w.DeleteRun(w.ctx(), w.run.ID()))
	_, err = w.Diff(w.ctx(), at, at, inmem.DiffOptions{})
	require.ErrorIs(t, err, inmem.ErrRunNotFound)
}

// Only so many details are kept, and all are counted; the stream has them all.
func TestDiffKeepsWhatWasAskedFor(t *testing.T) {
	w := newWorld(t, engines[1], nil)
	a, b := w.begin2()
	for i := range 50 {
		_, err := a.KV().Put(w.ctx(), fmt.Sprintf("%02d", i), inmem.Int(int64(i)))
		require.NoError(t, err)
		_, err = b.Events().Append(w.ctx(), "x", inmem.Int(int64(i)))
		require.NoError(t, err)
	}
	all := w.diff(newest(a), newest(b), inmem.DiffOptions{})
	require.Len(t, all.Entries, 100)
	few := w.diff(newest(a), newest(b), inmem.DiffOptions{Details: 60})
	require.Equal(t, all.Entries[:60], few.Entries)
	require.EqualValues(t, 40, few.Omitted)
	none := w.diff(newest(a), newest(b), inmem.DiffOptions{Details: -1})
	require.Empty(t, none.Entries)
	require.EqualValues(t, 100, none.Omitted)
	require.EqualValues(t, 50, none.KV.Removed)
	require.EqualValues(t, 50, none.Events.Added)

	var entries []inmem.DiffEntry
	for e, err := range w.DiffEntries(w.ctx(), newest(a), newest(b), inmem.DiffOptions{Details: 3}) {
		require.NoError(t, err)
		entries = append(entries, e)
	}
	require.Equal(t, all.Entries, entries)
	n := 0
	for _, err := range w.DiffEntries(w.ctx(), newest(a), newest(b), inmem.DiffOptions{}) {
		require.NoError(t, err)
		if n++; n == 70 {
			break
		}
	}
	require.Equal(t, 70, n)
	data, err := json.Marshal(few)
	require.NoError(t, err)
	require.True(t, json.Valid(data))
}

// deeds makes a run with a random history, and remembers what it did, by commit version.
type deeds struct {
	run    *inmem.Run
	states []deedState
}

// deedState is what a run held after a commit: the model of it.
type deedState struct {
	version uint64
	keys    map[string]string // keys and cells, and extensions, by a name for all
	events  []string
	spans   []string
}

func (w *world) randomDeeds(t *rapid.T, name string) *deeds {
	run, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
	require.NoError(t, err)
	d := &deeds{run: run}
	d.states = append(d.states, deedState{version: w.Version(), keys: map[string]string{}})
	w.moreDeeds(t, name, d)
	return d
}

// moreDeeds goes on with a run.
func (w *world) moreDeeds(t *rapid.T, name string, d *deeds) {
	now := d.states[len(d.states)-1]
	for range rapid.IntRange(0, 25).Draw(t, name+" deeds") {
		key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
		value := fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "value"))
		keys := map[string]string{}
		for k, v := range now.keys {
			keys[k] = v
		}
		now = deedState{keys: keys, events: slices.Clone(now.events),
			spans: slices.Clone(now.spans)}
		w.clock.advance(time.Millisecond)
		_, err := d.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			var err error
			switch rapid.IntRange(0, 6).Draw(t, "deed") {
			case 0:
				keys["kv "+key] = value
				_, err = tx.KV().Put(w.ctx(), key, inmem.String(value))
			case 1:
				delete(keys, "kv "+key)
				_, err = tx.KV().Delete(w.ctx(), key)
			case 2:
				keys["extensions x "+key] = value
				_, err = tx.Extension("x").Put(w.ctx(), key, inmem.String(value))
			case 3:
				keys["cells "+key] = value
				_, err = tx.Cell(key).Store(w.ctx(), inmem.String(value))
			case 4:
				now.spans = append(now.spans, key+value)
				_, err = tx.Traces().Record(w.ctx(), inmem.Span{Type: inmem.SpanToolCall, Name: key,
					Error: value, End: w.clock.now()})
			default:
				now.events = append(now.events, key+value)
				_, err = tx.Events().Append(w.ctx(), key, inmem.String(value))
			}
			return err
		})
		require.NoError(t, err)
		now.version = w.Version()
		d.states = append(d.states, now)
	}
}

// requireKeyDiff holds the entries that are not steps against what two models say.
func requireKeyDiff(t *rapid.T, a, b map[string]string, d *inmem.Diff) {
	want := map[string]inmem.DiffOp{}
	for key, v := range a {
		if other, ok := b[key]; !ok {
			want[key] = inmem.DiffRemoved
		} else if v != other {
			want[key] = inmem.DiffChanged
		}
	}
	for key := range b {
		if _, ok := a[key]; !ok {
			want[key] = inmem.DiffAdded
		}
	}
	got := map[string]inmem.DiffOp{}
	for _, e := range d.Entries {
		if e.A != nil || e.B != nil {
			continue
		}
		name := string(e.Primitive) + " "
		if e.Extension != "" {
			name += e.Extension + " "
		}
		got[name+e.Key] = e.Op
		if e.Op != inmem.DiffAdded {
			require.Equal(t, inmem.String(a[name+e.Key]), *e.Changes.List[0].Old)
			require.NotZero(t, e.VersionA)
		}
		if e.Op != inmem.DiffRemoved {
			require.Equal(t, inmem.String(b[name+e.Key]), *e.Changes.List[0].New)
			require.NotZero(t, e.VersionB)
		}
	}
	require.Equal(t, want, got)
	require.EqualValues(t, len(want), d.State.Differences())
}

// longest is the length of a longest common subsequence, by the book.
func longest(a, b []string) int {
	row := make([]int, len(b)+1)
	for i := range a {
		diagonal := 0
		for j := range b {
			above := row[j+1]
			if row[j+1] = max(above, row[j]); a[i] == b[j] {
				row[j+1] = diagonal + 1
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

// turned is what the other side says: what one calls added is removed for the other.
func turned(lines []string) []string {
	swap := strings.NewReplacer("added", "removed", "removed", "added", " a#", " b#", " b#", " a#")
	list := make([]string, len(lines))
	for i, line := range lines {
		list[i] = swap.Replace(line)
		// A changed step names a first.
		if at, bt := strings.Index(list[i], " b#"), strings.Index(list[i], " a#"); 0 <= at && at < bt {
			end := bt + strings.Index(list[i][bt:]+";", ";")
			list[i] = list[i][:at] + list[i][bt:end] + list[i][at:bt] + list[i][end:]
		}
	}
	return list
}

// requireParting holds a divergence against the steps of both sides, each a letter for its type or
// name and its content.
func requireParting(t *rapid.T, a, b []string, d *inmem.Divergence) {
	if slices.Equal(a, b) {
		require.Nil(t, d)
		return
	}
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	require.EqualValues(t, n, d.Position)
	for _, side := range []struct {
		steps      []string
		last, next *inmem.DiffStep
	}{{a, d.LastA, d.NextA}, {b, d.LastB, d.NextB}} {
		require.Equal(t, n > 0, side.last != nil)
		if n > 0 {
			require.Contains(t, side.last.Type+side.last.Name, side.steps[n-1][:1])
		}
		require.Equal(t, n < len(side.steps), side.next != nil)
		if n < len(side.steps) {
			require.Contains(t, side.next.Type+side.next.Name, side.steps[n][:1])
			require.NotZero(t, side.next.Version)
		}
	}
}

// R208: two runs, at random versions, against a model; swapping them swaps added and removed.
// R212: the same for one run at two versions.
func TestDiffOfRandomHistories(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		rapid.Check(t, func(t *rapid.T) {
			x := w.randomDeeds(t, "a")
			y := x
			if rapid.Bool().Draw(t, "two runs") {
				y = w.randomDeeds(t, "b")
			}
			a := rapid.SampledFrom(x.states).Draw(t, "at a")
			b := rapid.SampledFrom(y.states).Draw(t, "at b")
			pa, pb := inmem.Point{Run: x.run, Version: a.version},
				inmem.Point{Run: y.run, Version: b.version}
			d, err := w.Diff(w.ctx(), pa, pb, inmem.DiffOptions{})
			require.NoError(t, err)
			requireKeyDiff(t, a.keys, b.keys, d)
			require.EqualValues(t, longest(a.events, b.events), d.Events.Same)
			require.EqualValues(t, len(a.events), d.Events.A)
			require.EqualValues(t, len(b.events), d.Events.B)
			require.EqualValues(t, longest(a.spans, b.spans), d.Spans.Same)
			require.EqualValues(t, len(b.spans), d.Spans.B)
			requireParting(t, a.spans, b.spans, d.Spans.Divergence)
			requireParting(t, a.events, b.events, d.Events.Divergence)
			back, err := w.Diff(w.ctx(), pb, pa, inmem.DiffOptions{})
			require.NoError(t, err)
			require.Equal(t, d.KV.Added, back.KV.Removed)
			require.Equal(t, d.Events.Added, back.Events.Removed)
			require.Equal(t, d.Events.Changed, back.Events.Changed)
			require.ElementsMatch(t, turned(briefs(d)), briefs(back))
			require.Equal(t, d.First == nil, back.First == nil)
			if d.First != nil {
				require.Equal(t, d.First.NextA, back.First.NextB)
				require.Equal(t, d.First.VersionB, back.First.VersionA)
			}
		})
	})
}
