package isolation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// store is a database in miniature, with the rules of both levels and switches to break them. Its
// transactions interleave as the generator wants it.
type store struct {
	rng  *rand.Rand
	h    History
	now  int64
	last uint64
	next int64 // value
	data map[Key][]past
	fork map[string]Fork

	noReads, noRanges bool // what is not validated
	stale             bool // snapshots may be old
	torn              bool // scans read what is newest
}

// past is a version of a key: a register's value, or a list.
type past struct {
	version uint64
	value   int64
	list    []int64
}

// open is a transaction on its way.
type open struct {
	Txn
	reads  map[Key]uint64
	ranges []Op
	values map[Key]int64
	lists  map[Key][]int64
}

func newStore(seed uint64) *store {
	return &store{rng: rand.New(rand.NewPCG(seed, 8)), data: map[Key][]past{}, fork: map[string]Fork{}}
}

// look is the newest version of a key up to a version, through forks.
func (s *store) look(k Key, at uint64) past {
	for {
		all := s.data[k]
		for i := len(all) - 1; i >= 0; i-- {
			if all[i].version <= at {
				return all[i]
			}
		}
		f, ok := s.fork[k.Scope]
		if !ok {
			return past{}
		}
		k.Scope, at = f.Parent, min(at, f.At)
	}
}

func (s *store) moment() int64 { s.now++; return s.now }

func (s *store) begin(client int) *open {
	t := &open{reads: map[Key]uint64{}, values: map[Key]int64{}, lists: map[Key][]int64{}}
	t.Began, t.Pinned, t.Snapshot, t.Client = s.moment(), true, s.last, client
	if s.stale && s.last > 2 && s.rng.IntN(4) == 0 {
		t.Snapshot -= 2
	}
	t.Level = Level(s.rng.IntN(2))
	return t
}

// scopes are those that there are, the first of them from the beginning.
func (s *store) scope() string { return fmt.Sprint(s.rng.IntN(1 + len(s.fork))) }

func (s *store) step(t *open) {
	scope := s.scope()
	r := Key{scope, fmt.Sprint("r", s.rng.IntN(5))}
	l := Key{scope, fmt.Sprint("l", s.rng.IntN(3), " ", s.last/40)} // a new one now and then
	switch s.rng.IntN(7) {
	case 0:
		s.readList(t, l)
	case 1:
		s.readList(t, l)
		s.next++
		t.lists[l] = append(t.lists[l], s.next)
		t.Ops = append(t.Ops, Op{Kind: Append, Key: l, Value: s.next})
	case 2:
		s.next++
		t.values[r] = s.next
		t.Ops = append(t.Ops, Op{Kind: Write, Key: r, Value: s.next})
	case 3:
		t.values[r] = 0
		t.Ops = append(t.Ops, Op{Kind: Remove, Key: r})
	case 4, 5:
		op := Op{Kind: Read, Key: r, Told: true}
		if v, ok := t.values[r]; ok {
			op.Value = v
		} else {
			p := s.look(r, t.Snapshot)
			op.Value, op.Version = p.value, p.version
			t.reads[r] = p.version
		}
		t.Ops = append(t.Ops, op)
	case 6:
		s.scan(t, scope)
	}
}

func (s *store) readList(t *open, k Key) {
	p := s.look(k, t.Snapshot)
	t.reads[k] = p.version
	t.Ops = append(t.Ops, Op{Kind: ReadList, Key: k, List: slices.Concat(p.list, t.lists[k])})
}

func (s *store) scan(t *open, scope string) {
	from := s.rng.IntN(5)
	op := Op{Kind: Scan, Key: Key{scope, fmt.Sprint("r", from)},
		End: fmt.Sprint("r", from+1+s.rng.IntN(5))}
	for i := range 5 {
		k := Key{scope, fmt.Sprint("r", i)}
		if !op.covers(k) {
			continue
		}
		v, own := t.values[k]
		if !own {
			at := t.Snapshot
			if s.torn {
				at = s.last
			}
			p := s.look(k, at)
			if v = p.value; v != 0 {
				t.reads[k] = p.version
			}
		}
		if v != 0 {
			op.Found = append(op.Found, Found{k.Name, v})
		}
	}
	t.ranges = append(t.ranges, op)
	t.Ops = append(t.Ops, op)
}

// valid says whether what a transaction has read still holds.
func (s *store) valid(t *open) bool {
	for k, version := range t.reads {
		if !s.noReads && s.look(k, s.last).version != version {
			return false
		}
	}
	for _, op := range t.ranges {
		for i := range 5 {
			k := Key{op.Key.Scope, fmt.Sprint("r", i)}
			if t.Level == Serializable && !s.noRanges && op.covers(k) &&
				s.look(k, s.last).version > t.Snapshot {
				return false
			}
		}
	}
	return true
}

func (s *store) commit(t *open) {
	if !s.valid(t) {
		t.Outcome = Aborted
		s.end(t)
		return
	}
	wrote := false
	version := s.last + 1 + uint64(s.rng.IntN(2))
	for k, v := range t.values {
		if v == 0 && s.look(k, s.last).value == 0 {
			continue // a delete of nothing
		}
		s.data[k] = append(s.data[k], past{version: version, value: v})
		wrote = true
	}
	for k, list := range t.lists {
		before := s.look(k, s.last).list
		if s.noReads {
			before = s.look(k, t.Snapshot).list // written back as it was read
		}
		s.data[k] = append(s.data[k], past{version: version, list: slices.Concat(before, list)})
		wrote = true
	}
	if wrote {
		t.Version, s.last = version, version
	}
	s.end(t)
}

func (s *store) end(t *open) {
	t.Ended = s.moment()
	s.h.Txns = append(s.h.Txns, t.Txn)
}

// run lets n transactions of some clients interleave, with a fork now and then.
func (s *store) run(n, clients int) *History {
	busy := make([]*open, clients)
	for len(s.h.Txns) < n {
		c := s.rng.IntN(clients)
		switch {
		case busy[c] == nil:
			busy[c] = s.begin(c)
		case s.rng.IntN(4) == 0:
			s.commit(busy[c])
			busy[c] = nil
		default:
			s.step(busy[c])
		}
		if s.rng.IntN(400) == 0 && len(s.fork) < 6 {
			child := fmt.Sprint(1 + len(s.fork))
			f := Fork{Parent: s.scope(), Child: child, At: s.last}
			s.fork[child] = f
			s.h.Forks = append(s.h.Forks, f)
		}
	}
	return &s.h
}

// R060: whatever a database does that keeps the rules, there is no anomaly in it: one client after
// the other, or many at once.
func TestCleanHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore(rapid.Uint64().Draw(t, "seed"))
		s.run(rapid.IntRange(1, 300).Draw(t, "transactions"), rapid.IntRange(1, 8).Draw(t, "clients"))
		report := Check(&s.h)
		require.Empty(t, report.Anomalies, "%s", report)
	})
}

// The checker finds what a database does that validates less, and says what it is.
func TestBrokenDatabasesAreCaught(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*store)
		want  []Class // at least
	}{
		{"reads are not validated", func(s *store) { s.noReads = true }, []Class{LostUpdate}},
		{"ranges are not validated", func(s *store) { s.noRanges = true }, []Class{G2}},
		{"snapshots are stale", func(s *store) { s.stale = true }, []Class{GSingle}},
		{"scans are not of the snapshot", func(s *store) { s.torn = true }, []Class{GSingle}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStore(60)
			c.spoil(s)
			report := Check(s.run(3000, 8))
			var classes []Class
			for _, a := range report.Anomalies {
				classes = append(classes, a.Class)
			}
			require.Subset(t, classes, c.want, "%s", report)
		})
	}
}

// A hundred thousand operations take a moment, with and without an anomaly at the end.
func TestLargeHistories(t *testing.T) {
	n := 40_000
	if testing.Short() {
		n = 5000
	}
	s := newStore(1)
	report := Check(s.run(n, 16))
	require.Empty(t, report.Anomalies, "%s", report)
	require.Greater(t, report.Ops, 2*n)
	t.Log(report)
	s.noReads = true
	report = Check(s.run(n+1000, 16))
	require.NotEmpty(t, report.Anomalies)
	a := report.Anomalies[0]
	require.GreaterOrEqual(t, slices.Max(a.Txns), n-200, "%s", a)
}
