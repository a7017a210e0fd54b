package simtest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Config says what is simulated.
type Config struct {
	// Seed decides everything; see the package.
	Seed uint64
	// Steps is how many steps are played in all; 0: until the context is done.
	Steps int
	// Episode is the number of the first episode, Length how many steps each has; 0: 1000.
	Episode, Length int
	// Only, if not nil, are the steps of the one episode that is played.
	Only []int
	// Progress is told now and then where the simulation is; nil: nobody.
	Progress io.Writer

	plant *plant
}

// Summary says what was simulated. It is not safe for concurrent use.
type Summary struct {
	Seed            uint64
	Steps, Episodes int
	// Kinds counts the actions by their kind, Faults what was injected and survived.
	Kinds, Faults map[string]int
	// Crashes and Reopens count how often the database was opened after one, and after a close.
	Crashes, Reopens int
	// Compared counts the comparisons of all that there is at some version, Verified the
	// verifications of all that is stored, Copies the checkpoints that were opened and compared.
	Compared, Verified, Copies int
	// Committed and Conflicts count how transactions ended.
	Committed, Conflicts int
	// Took is how long it took.
	Took time.Duration
}

func (s *Summary) outcome(said string) {
	switch {
	case strings.HasPrefix(said, "version"):
		s.Committed++
	case strings.Contains(said, "conflict"):
		s.Conflicts++
	}
}

// String is the summary for people.
func (s *Summary) String() string {
	var b strings.Builder
	_, _ = fmt.Fprintf(&b, "seed %d: %d steps in %d episodes, %v\n", s.Seed, s.Steps, s.Episodes,
		s.Took.Round(time.Millisecond))
	_, _ = fmt.Fprintf(&b, "opened again after %d crashes and %d closes\n", s.Crashes, s.Reopens)
	_, _ = fmt.Fprintf(&b, "compared in full %d times, verified %d times, %d copies compared\n",
		s.Compared, s.Verified, s.Copies)
	_, _ = fmt.Fprintf(&b, "transactions: %d committed, %d lost a conflict\n", s.Committed,
		s.Conflicts)
	table(&b, "operations", s.Kinds)
	table(&b, "faults survived", s.Faults)
	return b.String()
}

func table(w io.Writer, title string, counts map[string]int) {
	total := 0
	for _, n := range counts {
		total += n
	}
	_, _ = fmt.Fprintf(w, "%s: %d\n", title, total)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		_, _ = fmt.Fprintf(w, "  %-42s %8d\n", name, counts[name])
	}
}

// Failure is something that the simulation found wrong.
type Failure struct {
	Seed    uint64
	Episode int
	// Steps are those that were played, the last one is that in which it showed.
	Steps []int
	// Story is what happened, line by line.
	Story []string
	Err   error
}

// Error is what is wrong, without the story.
func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d, episode %d, step %d: %v", f.Seed, f.Episode,
		f.Steps[len(f.Steps)-1], f.Err)
}

// Unwrap returns what is wrong.
func (f *Failure) Unwrap() error { return f.Err }

// defaultLength is how many steps an episode has: databases that live longer are slower to compare,
// and a failure in one is harder to make small.
const defaultLength = 1000

// Run simulates until the steps are played, something is wrong (a *Failure), or ctx is done.
func Run(ctx context.Context, c Config) (*Summary, error) {
	s := &Summary{Seed: c.Seed, Kinds: map[string]int{}, Faults: map[string]int{}}
	began, told := time.Now(), time.Now()
	if c.Length == 0 {
		c.Length = defaultLength
	}
	for number := c.Episode; ctx.Err() == nil && (c.Steps == 0 || s.Steps < c.Steps); number++ {
		steps := c.Only
		if steps == nil {
			length := c.Length
			if c.Steps > 0 {
				length = min(length, c.Steps-s.Steps)
			}
			for i := range length {
				steps = append(steps, i)
			}
		}
		s.Episodes++
		failure := playEpisode(ctx, c, number, steps, s)
		s.Took = time.Since(began)
		if failure != nil {
			return s, failure
		}
		if c.Progress != nil && time.Since(told) > 10*time.Second {
			told = time.Now()
			_, _ = fmt.Fprintf(c.Progress, "%v: seed %d, %d episodes, %d steps, %d crashes\n",
				s.Took.Round(time.Second), c.Seed, s.Episodes, s.Steps, s.Crashes)
		}
		if c.Only != nil {
			break
		}
	}
	return s, nil
}

// playEpisode plays steps of one episode.
func playEpisode(ctx context.Context, c Config, number int, steps []int, s *Summary) *Failure {
	e := newEpisode(context.WithoutCancel(ctx), c, number, s)
	played := []int{}
	for _, step := range steps {
		if ctx.Err() != nil || e.failure != nil {
			break
		}
		e.play(actionAt(c.Seed, number, step))
		played = append(played, step)
	}
	if e.failure == nil && ctx.Err() == nil && !e.disk.hasFired() {
		e.examine("at the end")
	}
	e.end()
	if e.failure == nil {
		return nil
	}
	return &Failure{
		Seed: c.Seed, Episode: number, Steps: played, Story: e.story, Err: e.failure,
	}
}
