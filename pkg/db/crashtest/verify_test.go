package crashtest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/primitives/kv"
)

// found is what a database holds: all keys that the ledger knows, and all pairs that a scan shows.
type found struct {
	entries map[place]kv.Entry
	scanned map[place]string
}

func look(t *testing.T, db *inmem.DB, places []place) found {
	t.Helper()
	f := found{entries: map[place]kv.Entry{}, scanned: map[place]string{}}
	for i := range banks {
		run, err := db.Run(t.Context(), bankID(i))
		if errors.Is(err, inmem.ErrRunNotFound) {
			continue
		}
		require.NoError(t, err)
		for _, p := range places {
			if p.run != run.ID() {
				continue
			}
			f.entries[p], err = run.KV().GetVersioned(t.Context(), p.key)
			require.NoError(t, err)
		}
		for pair, err := range run.KV().Scan(t.Context(), inmem.ScanOptions{}) {
			require.NoError(t, err)
			text, err := pair.Value.AsString()
			require.NoError(t, err)
			f.scanned[place{run.ID(), pair.Key}] = text
		}
	}
	return f
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
func (l *ledger) verify(t *testing.T, db *inmem.DB, mode inmem.Durability) (lost int) {
	t.Helper()
	r := db.Recovery()
	require.GreaterOrEqual(t, db.Version(), r.Version)
	require.GreaterOrEqual(t, db.DurableVersion(), r.Version)
	lost = l.checkPromises(t, r, mode)
	time.Sleep(40 * time.Millisecond) // whatever was short-lived has expired
	report, err := db.Verify(t.Context(), inmem.VerifyOptions{})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
	places := l.places()
	f := look(t, db, places)
	want := l.expected(r.Version)
	for _, p := range places {
		e := f.entries[p]
		require.LessOrEqual(t, e.Version, r.Version, "%v", p)
		if !want[p].matches(t, e) {
			o := l.explain(t, p, want[p], e)
			require.NotNil(t, o, "%v is %q at %d, want %.60q at one of %d",
				p, cut(text(t, e)), e.Version, want[p].value, want[p].versions)
		}
		require.Equal(t, text(t, e), f.scanned[p], "%v: get and scan", p)
		delete(f.scanned, p)
	}
	require.Empty(t, f.scanned, "keys that nobody wrote")
	l.checkAtoms(t, f)
	l.checkSum(t, f)
	l.checkRuns(t, db, mode)
	for p, e := range f.entries {
		c := cell{value: text(t, e), versions: []uint64{e.Version}}
		if c.value != "" && !e.Expires.IsZero() {
			c.ttl = time.Hour
		}
		l.state[p] = c
	}
	l.newLife()
	return lost
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
			if (place{w.Run, w.Key}) != p {
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
			e := f.entries[place{w.Run, w.Key}]
			if w.Value == "" && !e.Exists {
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
			e := f.entries[place{bankID(i), account(j)}]
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

// checkRuns: what began is there, what ended has ended; what is lost is lost with all that was
// committed later.
func (l *ledger) checkRuns(t *testing.T, db *inmem.DB, mode inmem.Durability) {
	t.Helper()
	for id, status := range l.begun {
		run, err := db.Run(t.Context(), id)
		require.NoError(t, err)
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		require.Equal(t, status, info.Status)
	}
	kept := func(at int) bool { return at > 0 && (at < l.covered || mode == inmem.Strict) }
	for id, s := range l.runs {
		run, err := db.Run(t.Context(), id)
		if errors.Is(err, inmem.ErrRunNotFound) {
			require.False(t, kept(s.begun), "run %s, begun for good, is gone", id)
			l.mustBeLost(t, s.begun, db.Recovery().Version)
			continue
		}
		require.NoError(t, err)
		info, err := run.Info(t.Context())
		require.NoError(t, err)
		if kept(s.ended) {
			require.Equal(t, inmem.Completed, info.Status)
		}
		if s.ended > 0 && info.Status == inmem.Active {
			l.mustBeLost(t, s.ended, db.Recovery().Version)
		}
		l.begun[id] = info.Status
	}
}

// mustBeLost: what was acknowledged at a line is gone, so all that was started later must be, too.
func (l *ledger) mustBeLost(t *testing.T, at int, version uint64) {
	t.Helper()
	for _, o := range l.ops {
		if at > 0 && o.intended > at && o.version > 0 {
			require.Greater(t, o.version, version, "a hole: %s is there", o.name)
		}
	}
}
