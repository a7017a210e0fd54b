package crashtest

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// found is what a database holds: all keys that the ledger knows, and all that scans and lists
// show.
type found struct {
	entries map[place]kv.Entry
	scanned map[place]string
	names   map[string]map[uint64]string // of events, by run and seq
}

// look reads the places. Of the runs that exist for the whole test it also lists everything.
func look(t *testing.T, db *inmem.DB, places []place) found {
	t.Helper()
	f := found{
		entries: map[place]kv.Entry{}, scanned: map[place]string{},
		names: map[string]map[uint64]string{},
	}
	runs := map[string]*inmem.Run{}
	for i := range banks + 1 {
		id := bankID(i)
		if i == banks {
			id = prunedID
		}
		run, err := db.Run(t.Context(), id)
		if errors.Is(err, inmem.ErrRunNotFound) {
			continue
		}
		require.NoError(t, err)
		runs[id] = run
		f.list(t, run)
	}
	for _, p := range places {
		run, known := runs[p.run]
		if !known {
			var err error
			if run, err = db.Run(t.Context(), p.run); errors.Is(err, inmem.ErrRunNotFound) {
				run, err = nil, nil
			}
			require.NoError(t, err)
			runs[p.run] = run
		}
		if run != nil {
			f.read(t, run, p)
		}
	}
	return f
}

// read reads one place. Of a span, and of a vector that is not there, it is not told which commit
// wrote it: see dated. Events, spans and vectors were listed.
func (f *found) read(t *testing.T, run *inmem.Run, p place) {
	t.Helper()
	switch p.kind {
	case ofKV:
		e, err := run.KV().GetVersioned(t.Context(), p.key)
		require.NoError(t, err)
		f.entries[p] = e
	case ofCell:
		c, err := run.Cell(p.key).Get(t.Context())
		require.NoError(t, err)
		f.entries[p] = kv.Entry{Value: c.Value, Exists: c.Exists, Version: c.Version}
	}
}

// list lists all that a run holds.
func (f *found) list(t *testing.T, run *inmem.Run) {
	t.Helper()
	at := func(k kind, key string) place { return place{run.ID(), k, key} }
	for pair, err := range run.KV().Scan(t.Context(), inmem.ScanOptions{}) {
		require.NoError(t, err)
		text, err := pair.Value.AsString()
		require.NoError(t, err)
		f.scanned[at(ofKV, pair.Key)] = text
	}
	for name, err := range run.Cells().List(t.Context(), "") {
		require.NoError(t, err)
		c, err := run.Cell(name).Get(t.Context())
		require.NoError(t, err)
		f.scanned[at(ofCell, name)] = text(t, kv.Entry{Value: c.Value, Exists: c.Exists})
	}
	names := map[uint64]string{}
	f.names[run.ID()] = names
	for e, err := range run.Events().List(t.Context(), inmem.EventOptions{}) {
		require.NoError(t, err)
		require.Equal(t, uint64(len(names)), e.Seq)
		value, err := e.Payload.AsString()
		require.NoError(t, err)
		names[e.Seq], _, _ = strings.Cut(value, " ")
		p := at(ofEvent, names[e.Seq])
		require.NotContains(t, f.scanned, p, "an event twice")
		f.scanned[p] = value
		f.entries[p] = kv.Entry{Value: e.Payload, Exists: true, Version: e.Version}
	}
	for s, err := range run.Traces().List(t.Context(), inmem.SpanFilter{}) {
		require.NoError(t, err)
		f.carry(t, at(ofSpan, s.ID), s.Attributes, 0)
		require.Equal(t, s.IsOpen(), !strings.HasSuffix(f.scanned[at(ofSpan, s.ID)], ended))
	}
	f.listVectors(t, run, at)
}

// listVectors also searches for one of them.
func (f *found) listVectors(t *testing.T, run *inmem.Run, at func(kind, string) place) {
	t.Helper()
	notes, searched := run.Vectors(collection), false
	for row, err := range notes.Scroll(t.Context(), inmem.ScrollOptions{}) {
		if errors.Is(err, inmem.ErrNotFound) {
			return // the run is young
		}
		require.NoError(t, err)
		p := at(ofVector, row.ID)
		f.carry(t, p, row.Metadata, row.Version)
		require.Equal(t, point(f.scanned[p]), row.Vector)
		if searched {
			continue
		}
		searched = true
		r, err := notes.Search(t.Context(), inmem.SearchOptions{Vector: row.Vector, K: 1})
		require.NoError(t, err)
		require.Len(t, r.Hits, 1)
		require.Equal(t, row.ID, r.Hits[0].ID)
	}
}

// carry takes the text of a span or a vector.
func (f *found) carry(t *testing.T, p place, attributes inmem.Value, version uint64) {
	t.Helper()
	v, ok := attributes.Lookup(textOf)
	require.True(t, ok, "%v", p)
	e := kv.Entry{Value: v, Exists: true, Version: version}
	f.entries[p], f.scanned[p] = e, text(t, e)
}

// dated completes what was found by the versions that the log tells, or that were known before.
func (l *ledger) dated(f found, places []place, commits map[uint64]*logged) {
	newest := map[place]uint64{}
	for v, c := range commits {
		for p := range c.changed {
			newest[p] = max(newest[p], v)
		}
	}
	for _, p := range places {
		e := f.entries[p]
		if e.Version > 0 || p.kind == ofKV || p.kind == ofCell {
			continue
		}
		if e.Version = newest[p]; e.Version == 0 && len(l.state[p].versions) > 0 {
			e.Version = l.state[p].versions[0]
		}
		f.entries[p] = e
	}
}

// text is the value of an entry, "" if absent.
func text(t *testing.T, e kv.Entry) string {
	t.Helper()
	if !e.Exists {
		return ""
	}
	s, err := e.Value.AsString()
	require.NoError(t, err)
	return s
}

// verify holds an opened database to the ledger, and makes what was found the new ground truth.
func (l *ledger) verify(t *testing.T, db *inmem.DB, mode inmem.Durability) (c count) {
	t.Helper()
	r := db.Recovery()
	require.GreaterOrEqual(t, db.Version(), r.Version)
	require.GreaterOrEqual(t, db.DurableVersion(), r.Version)
	c.acknowledged, c.lost = len(l.acknowledged()), l.checkPromises(t, r, mode)
	time.Sleep(40 * time.Millisecond) // whatever was short-lived has expired
	report, err := db.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	c.problems = report.Found
	require.Empty(t, report.Problems)
	l.findStories(t, db)
	places := l.places()
	f := look(t, db, places)
	commits := l.readLog(t, db, f)
	c.found, c.underWay = l.checkLog(t, commits, r.Version)
	l.dated(f, places, commits)
	want := l.expected(r.Version)
	for _, p := range places {
		if l.gone(p.run) {
			continue
		}
		e := f.entries[p]
		require.LessOrEqual(t, e.Version, r.Version, "%v", p)
		if !want[p].matches(t, e) {
			o := l.explain(t, p, want[p], e)
			require.NotNil(t, o, "%v is %q at %d, want %.60q at one of %d",
				p, cut(text(t, e)), e.Version, want[p].value, want[p].versions)
		}
		if _, listed := f.names[p.run]; listed {
			require.Equal(t, text(t, e), f.scanned[p], "%v: get and scan", p)
		}
		delete(f.scanned, p)
	}
	require.Empty(t, f.scanned, "keys that nobody wrote")
	l.checkAtoms(t, f)
	l.checkSum(t, f)
	l.checkRuns(t, db, mode)
	for _, p := range places {
		if l.gone(p.run) {
			delete(l.state, p)
			continue
		}
		e := f.entries[p]
		c := cell{value: text(t, e), versions: []uint64{e.Version}}
		if c.value != "" && !e.Expires.IsZero() {
			c.ttl = time.Hour
		}
		l.state[p] = c
	}
	l.since = r.Version
	l.newLife()
	return c
}

// count is how many commits of one life there were.
type count struct {
	acknowledged int
	lost         int // of these, by the crash
	found        int // of these, there
	underWay     int // not acknowledged, and there all the same
	problems     int // that Verify found
}

func cut(s string) string { return s[:min(len(s), 60)] }

// matches tells whether an entry is what the ledger expects.
func (c cell) matches(t *testing.T, e kv.Entry) bool {
	t.Helper()
	value := c.value
	if c.short() {
		value = ""
	}
	if text(t, e) != value {
		return false
	}
	if c.ttl == time.Hour {
		off := e.Expires.Sub(e.Written) - c.ttl
		require.Less(t, off.Abs(), 10*time.Second, "deadline")
	}
	if len(c.versions) == 0 {
		return e.Version == 0
	}
	return slices.Contains(c.versions, e.Version)
}

// explain finds the operation that was under way when the owner died and made a key what it is.
func (l *ledger) explain(t *testing.T, p place, c cell, e kv.Entry) *op {
	t.Helper()
	if len(c.versions) > 0 && e.Version < slices.Max(c.versions) {
		return nil
	}
	for _, o := range l.ops {
		if o.done > 0 || o.lost {
			continue
		}
		for _, w := range o.writes {
			if w.place() != p {
				continue
			}
			if e.Exists && text(t, e) == w.Value {
				require.True(t, o.version == 0 || o.version == e.Version, "%s is torn", o.name)
				o.version = e.Version
				return o
			}
			if !e.Exists && (w.Value == "" || w.TTL > 0 && w.TTL < time.Second) {
				return o
			}
		}
	}
	return nil
}

// checkAtoms demands of every operation under way that was found that all of it is there.
func (l *ledger) checkAtoms(t *testing.T, f found) {
	t.Helper()
	for _, o := range l.ops {
		if o.done > 0 || o.version == 0 {
			continue
		}
		for _, w := range o.writes {
			e := f.entries[w.place()]
			if l.gone(w.Run) || w.Value == "" && !e.Exists {
				continue
			}
			require.GreaterOrEqual(t, e.Version, o.version, "%s: %s is missing", o.name, w.Key)
			if e.Version == o.version && e.Exists {
				require.Equal(t, w.Value, text(t, e), "%s: %s", o.name, w.Key)
			}
		}
	}
}

// checkSum: no money was made or lost, once there is any.
func (l *ledger) checkSum(t *testing.T, f found) {
	t.Helper()
	sum, count := 0, 0
	for i := range banks {
		for j := range accounts {
			e := f.entries[write{Run: bankID(i), Key: account(j)}.place()]
			if e.Exists {
				n, err := money(text(t, e))
				require.NoError(t, err)
				sum += n
				count++
			}
		}
	}
	require.Equal(t, count*balance, sum)
	require.Contains(t, []int{0, banks * accounts}, count)
}
