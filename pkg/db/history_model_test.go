package inmem_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// What a database should hold, written down from the semantics with maps, slices and sorting. It
// knows nothing of snapshots, validation or indexes: a transaction works on a copy of everything,
// and a commit keeps the copy.

// pending is the version of what the open transaction wrote.
const pending = math.MaxUint64

type (
	mirror struct {
		now    time.Time
		epoch  int
		born   int // scopes ever made: each has its own number
		scopes map[string]*mirrorScope
		dead   map[int]uint64 // numbers of deleted scopes, with the version of the end
	}
	mirrorScope struct {
		name    string
		number  int
		keys    map[string]map[string]mirrorKey // by the name of the keyspace
		events  []inmem.Event
		cells   map[string]mirrorCell
		spans   map[string]mirrorSpan
		commits []uint64
		run     *mirrorRun // nil for a shared namespace
		above   []ancestor // of a fork: what it was forked from, and that one, and so on
	}
	mirrorKey struct {
		value            inmem.Value
		exists, swept    bool
		inherited        bool // by a fork: the sweeper leaves it alone
		version          uint64
		written, expires time.Time
	}
	mirrorCell struct {
		value          inmem.Value
		exists         bool
		version        uint64
		updated        time.Time
		machine        *inmem.Machine
		machineVersion uint64
	}
	mirrorSpan struct {
		inmem.Span
		version uint64
	}
	mirrorRun struct {
		inmem.RunInfo
		parent int  // number of the parent's scope
		reads  bool // it is a fork that reads through its parent
		epoch  int
	}
)

func newMirror(now time.Time) *mirror {
	return &mirror{now: now, scopes: map[string]*mirrorScope{}, dead: map[int]uint64{}}
}

// add makes an empty scope.
func (m *mirror) add(name string) *mirrorScope {
	m.born++
	s := &mirrorScope{
		name: name, number: m.born, keys: map[string]map[string]mirrorKey{},
		cells: map[string]mirrorCell{}, spans: map[string]mirrorSpan{},
	}
	m.scopes[name] = s
	return s
}

func (m *mirror) remove(name string, version uint64) {
	m.dead[m.scopes[name].number] = version
	delete(m.scopes, name)
}

func (m *mirror) clone() *mirror {
	c := *m
	c.scopes = map[string]*mirrorScope{}
	for name, s := range m.scopes {
		c.scopes[name] = s.clone()
	}
	return &c // dead is the one thing that old versions learn of
}

func (s *mirrorScope) clone() *mirrorScope {
	c := *s
	c.keys = map[string]map[string]mirrorKey{}
	for space, keys := range s.keys {
		c.keys[space] = maps.Clone(keys)
	}
	c.events, c.commits = slices.Clone(s.events), slices.Clone(s.commits)
	c.cells, c.spans = maps.Clone(s.cells), maps.Clone(s.spans)
	if s.run != nil {
		run := *s.run
		c.run = &run
	}
	return &c
}

// names are the names of the runs, or of the shared namespaces, sorted.
func (m *mirror) names(runs bool) (names []string) {
	for name, s := range m.scopes {
		if (s.run != nil) == runs {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// live says whether a key shows a value.
func (k mirrorKey) live(now time.Time) bool {
	return k.exists && (k.expires.IsZero() || now.Before(k.expires))
}

// settle forgets what a transaction wrote without effect: deletes of what was not there before.
func (s *mirrorScope) settle(base *mirrorScope, now time.Time) {
	for space, keys := range s.keys {
		for name, k := range keys {
			if was, known := base.keys[space][name]; k.version == pending && !k.exists && !was.live(now) {
				keys[name] = was
				if !known {
					delete(keys, name)
				}
			}
		}
	}
	for name, c := range s.cells {
		was := base.cells[name]
		if c.version == pending && !c.exists && !was.exists {
			c.version, c.updated = was.version, was.updated
		}
		if c.machineVersion == pending && c.machine == nil && was.machine == nil {
			c.machineVersion = was.machineVersion
		}
		s.cells[name] = c
	}
}

// stamp gives everything that is pending its version and time, and says whether there was any.
func (s *mirrorScope) stamp(version uint64, now time.Time) (wrote bool) {
	for _, keys := range s.keys {
		for name, k := range keys {
			if k.version == pending {
				k.version, k.written, wrote = version, now, true
				keys[name] = k
			}
		}
	}
	for name, c := range s.cells {
		if c.version == pending {
			c.version, c.updated, wrote = version, now, true
		}
		if c.machineVersion == pending {
			c.machineVersion, wrote = version, true
		}
		s.cells[name] = c
	}
	for id, p := range s.spans {
		if p.version == pending {
			p.version, wrote = version, true
			s.spans[id] = p
		}
	}
	for i := range s.events {
		if s.events[i].Version == pending {
			s.events[i].Version, wrote = version, true
		}
	}
	if wrote {
		s.commits = append(s.commits, version)
	}
	return wrote
}

// condition is what a compare-and-set inside a transaction demands at the commit.
type condition struct {
	at, space, key string // space "cell" for a cell
	version        uint64
}

func (c condition) holds(m *mirror) bool {
	s := m.scopes[c.at]
	if s == nil {
		return false
	}
	if c.space == "cell" {
		return s.cells[c.key].version == c.version
	}
	return s.keys[c.space][c.key].version == c.version
}

// attempt is a transaction on a mirror; a direct operation is one of a single step.
type attempt struct {
	*mirror
	base   *mirror
	direct bool
	conds  []condition
	// touched: a record was written, perhaps with what it held.
	touched bool
}

func (m *mirror) begin(direct bool) *attempt {
	return &attempt{mirror: m.clone(), base: m, direct: direct}
}

// scope returns a scope of the transaction, and the error for one that is gone.
func (a *attempt) scope(name string) (*mirrorScope, string) {
	if s := a.scopes[name]; s != nil && a.dead[s.number] == 0 {
		return s, ""
	}
	return nil, "run not found"
}

// wrote says to which scopes the transaction wrote, for the commit.
func (a *attempt) wrote() (names []string) {
	for name, s := range a.scopes {
		if was := a.base.scopes[name]; was != nil {
			s.settle(was, a.now)
		}
		if s.clone().stamp(1, a.now) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// refusals are the reasons for which the commit must fail on the state that is committed by now.
func (a *attempt) refusals(current *mirror) (why []string) {
	for _, name := range a.wrote() {
		s := current.scopes[name]
		if s == nil || s.number != a.scopes[name].number {
			why = append(why, "run not found")
		} else if s.run != nil && s.run.Status != inmem.Active {
			why = append(why, "run not active")
		}
	}
	for _, c := range a.conds {
		if !c.holds(current) {
			why = append(why, lostCAS)
		}
	}
	return why
}

// commit makes what the attempt wrote the state at a version.
func (a *attempt) commit(version uint64) *mirror {
	for _, s := range a.scopes {
		s.stamp(version, a.now)
	}
	return a.mirror
}

// records says whether a record was changed.
func (a *attempt) records() bool {
	for name, s := range a.scopes {
		was := a.base.scopes[name]
		if s.run != nil && was != nil && (infoText(s.run.RunInfo) != infoText(was.run.RunInfo) ||
			s.run.epoch != was.run.epoch) {
			return true
		}
	}
	return false
}

// shown is a version as the transaction itself sees it.
func shown(version uint64) uint64 {
	if version == pending {
		return 0
	}
	return version
}

// admits says whether an outcome is one of those that the mirror allows, separated by "|".
func admits(want, got string) bool {
	return slices.Contains(strings.Split(want, "|"), got)
}

func clockText(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return fmt.Sprint(t.UnixNano())
}
