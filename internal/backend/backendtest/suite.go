// Package backendtest holds a commit authority to the contract of package backend.
//
// Run is the suite. It consists of checks, each a story told against one freshly opened authority:
// tables of edge cases (named by their ids: E07, R067...), random histories compared with a dumb
// twin, and concurrent ones that are written down and judged afterwards. Checks report by returning
// an error, so that a test can also prove that they catch a broken authority (Check.Try).
//
// Some edge cases live above this seam and are not here: E13 and E23 (reads answered from a
// transaction's own writes never reach the authority), E16 (a transaction is used once), E44 (no
// such call), E72 (replay). R096 (the version counter runs out) needs the inside of an authority.
package backendtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
)

// Env is one authority, alone, and what a check needs beside it.
type Env struct {
	// Backend is open and empty but for what opening writes. It never sweeps by itself.
	Backend backend.Backend
	// Clock is the only clock that the authority asks for the time.
	Clock *Clock
	// Reopen, if not nil, closes Backend, unless that is done, and opens the same store again.
	Reopen func() (backend.Backend, error)
	// Settle, if not nil, returns when the space of all scopes that b has deleted is freed.
	Settle func(ctx context.Context, b backend.Backend) error
	// Sweep, if not nil, deletes what has expired by Clock from the Active scopes of b.
	Sweep func(ctx context.Context, b backend.Backend) error
}

// Check is one story of the suite.
type Check struct {
	// Name is the group and the subtest, with a slash between.
	Name string
	run  func(w *world)
}

// ErrSkipped is what Check.Try answers when the Env lacks something that the check needs.
var ErrSkipped = errors.New("skipped")

// patience bounds each check, so that an authority that hangs fails by name.
const patience = 2 * time.Minute

// Run opens an authority for each check of the suite and holds it to that check. The opener cleans
// up by itself (t.Cleanup); closing an authority twice must do no harm. With -short the random and
// concurrent checks are shortened.
func Run(t *testing.T, open func(t testing.TB) Env) {
	for _, c := range Checks() {
		t.Run(c.Name, func(t *testing.T) {
			err := c.Try(open(t))
			if errors.Is(err, ErrSkipped) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Checks lists the suite in the order in which Run goes through it.
func Checks() []Check {
	var all []Check
	for _, group := range []struct {
		name   string
		checks []Check
	}{
		{"Conflict", conflictChecks},
		{"ConflictError", conflictErrorChecks},
		{"Serializable", rangeChecks},
		{"CAS", casChecks},
		{"Writes", writeChecks},
		{"Reads", readChecks},
		{"Keys", keyChecks},
		{"Expiry", expiryChecks},
		{"Clock", clockChecks},
		{"Sweep", sweepChecks},
		{"Scopes", scopeChecks},
		{"Indexes", indexChecks},
		{"ScopeRaces", scopeRaceChecks},
		{"Deletion", deletionChecks},
		{"Retention", retentionChecks},
		{"Appends", appendChecks},
		{"Imports", importChecks},
		{"Versions", versionChecks},
		{"Tail", tailChecks},
		{"Commits", commitsChecks},
		{"Durable", durableChecks},
		{"Times", timeChecks},
		{"Journal", journalChecks},
		{"Forks", forkChecks},
		{"ForkedTxn", forkedTxnChecks},
		{"Flatten", flattenChecks},
		{"Reopen", reopenChecks},
		{"Lifecycle", lifecycleChecks},
		{"Derived", derivedChecks},
		{"Races", raceChecks},
		{"Random", randomChecks},
		{"Concurrent", concurrentChecks},
	} {
		for _, c := range group.checks {
			all = append(all, Check{Name: group.name + "/" + c.Name, run: c.run})
		}
	}
	return all
}

// Try holds an authority to the check. It returns nil, ErrSkipped, or what is wrong. The authority
// may be left closed, and with open pins if the check failed.
func (c Check) Try(env Env) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	t := newTrial(c.Name)
	return t.run(func() { c.run(newWorld(ctx, t, &env)) })
}

// Clock is a clock that stands still unless it is moved. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at an arbitrary but fixed time.
func NewClock() *Clock {
	return &Clock{now: time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)}
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, back if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
