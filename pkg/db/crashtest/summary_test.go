package crashtest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// summary is what many rounds of killing came to, by mode.
type summary struct {
	mu     sync.Mutex // guards all below
	rounds int
	modes  map[inmem.Durability]*total
	begun  time.Time
	told   time.Time
}

// total is what the rounds of one mode came to.
type total struct {
	count
	kills, opening, early int
	shortest, longest     time.Duration
}

func newSummary(rounds int) *summary {
	return &summary{
		rounds: rounds, modes: map[inmem.Durability]*total{}, begun: time.Now(), told: time.Now(),
	}
}

// total finds the one of a mode. Call it with mu held.
func (s *summary) total(mode inmem.Durability) *total {
	if s.modes[mode] == nil {
		s.modes[mode] = &total{}
	}
	return s.modes[mode]
}

func (s *summary) of(mode inmem.Durability) total {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.total(mode)
}

// kill notes that an owner was killed after a time; early: whether it was at work or not.
func (s *summary) kill(mode inmem.Durability, after time.Duration, early bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.total(mode)
	if m.kills++; m.kills == 1 || after < m.shortest {
		m.shortest = after
	}
	m.longest = max(m.longest, after)
	if early {
		m.early++
	}
}

// killOpening notes that an owner was killed that had come to open what another one left.
func (s *summary) killOpening(mode inmem.Durability) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total(mode).opening++
}

func (s *summary) add(mode inmem.Durability, c count) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.total(mode)
	m.acknowledged += c.acknowledged
	m.lost += c.lost
	m.found += c.found
	m.underWay += c.underWay
	m.problems += c.problems
}

// progress tells every ten seconds how far a long form has come, past what go test holds back.
func (s *summary) progress(t *testing.T) {
	if os.Getenv(roundsEnv) == "" || t.Failed() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.told) < 10*time.Second {
		return
	}
	s.told = time.Now()
	kills, acknowledged := 0, 0
	for _, m := range s.modes {
		kills += m.kills
		acknowledged += m.acknowledged
	}
	fmt.Fprintf(os.Stderr, "kill: %d of %d rounds, %d commits acknowledged, %v\n", kills, s.rounds,
		acknowledged, time.Since(s.begun).Round(time.Second))
}

// String is a table with a column for each mode.
func (s *summary) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := &total{}
	columns := []*total{}
	for _, mode := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async} {
		m := s.total(mode)
		columns = append(columns, m)
		all.kills += m.kills
		all.opening += m.opening
		all.early += m.early
		all.acknowledged += m.acknowledged
		all.found += m.found
		all.lost += m.lost
		all.underWay += m.underWay
		all.problems += m.problems
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-42s%9s%9s%9s%9s\n", "", "strict", "batched", "async", "all")
	row := func(name string, cell func(*total) int) {
		fmt.Fprintf(&b, "%-42s", name)
		for _, m := range append(columns, all) {
			fmt.Fprintf(&b, "%9d", cell(m))
		}
		b.WriteByte('\n')
	}
	row("rounds: owners killed", func(m *total) int { return m.kills })
	row("  of them before they were at work", func(m *total) int { return m.early })
	row("owners killed while they recovered", func(m *total) int { return m.opening })
	row("commits acknowledged", func(m *total) int { return m.acknowledged })
	row("  found again, in whole", func(m *total) int { return m.found })
	row("  lost: behind the last sync", func(m *total) int { return m.lost })
	row("  lost for any other reason", func(m *total) int { return m.acknowledged - m.found - m.lost })
	row("commits found that were under way", func(m *total) int { return m.underWay })
	row("problems that Verify found", func(m *total) int { return m.problems })
	fmt.Fprintf(&b, "lives: %v to %v (strict)\n", columns[0].shortest.Round(time.Millisecond),
		columns[0].longest.Round(time.Millisecond))
	return b.String()
}
