package simtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// asked is what the environment asks for: INMEM_SIM_SEED, INMEM_SIM_STEPS (a number, or forever),
// INMEM_SIM_EPISODE, and INMEM_SIM_ONLY, the steps of that one episode. Set by make sim.
func asked(t *testing.T) (c Config, ok bool) {
	seed, steps := os.Getenv("INMEM_SIM_SEED"), os.Getenv("INMEM_SIM_STEPS")
	only := os.Getenv("INMEM_SIM_ONLY")
	if seed == "" {
		return c, false
	}
	var err error
	c.Seed, err = strconv.ParseUint(seed, 10, 64)
	require.NoError(t, err)
	if steps != "forever" && steps != "" {
		c.Steps, err = strconv.Atoi(steps)
		require.NoError(t, err)
	}
	if episode := os.Getenv("INMEM_SIM_EPISODE"); episode != "" {
		c.Episode, err = strconv.Atoi(episode)
		require.NoError(t, err)
	}
	if only != "" {
		c.Only, err = ParseSteps(only)
		require.NoError(t, err)
	}
	return c, true
}

// simulate runs a simulation, and makes what it finds as small as it can in some time.
func simulate(ctx context.Context, t *testing.T, c Config, patience time.Duration) *Summary {
	t.Helper()
	s, err := Run(ctx, c)
	var f *Failure
	if errors.As(err, &f) {
		t.Fatalf("%s\n%s", s, Shrink(ctx, c, f, patience).Report())
	}
	require.NoError(t, err)
	return s
}

// A fixed budget of some seeds, or what make sim asks for.
func TestSimulation(t *testing.T) {
	if c, ok := asked(t); ok {
		ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt)
		defer stop()
		c.Progress = os.Stdout
		fmt.Println(simulate(ctx, t, c, 2*time.Minute))
		return
	}
	seeds, steps := 4, 2000
	if testing.Short() {
		seeds, steps = 2, 600
	}
	for seed := range uint64(seeds) {
		s := simulate(t.Context(), t, Config{Seed: 1 + seed, Steps: steps}, 30*time.Second)
		t.Log(s)
		require.Equal(t, steps, s.Steps)
		require.Positive(t, s.Crashes)
		require.Positive(t, s.Reopens)
		require.Positive(t, s.Compared)
		require.Positive(t, s.Verified)
	}
}

// The script is a function of seed, episode and step: the same every time, another one for others.
func TestTheScriptIsAFunctionOfTheSeed(t *testing.T) {
	for step := range 100 {
		require.Equal(t, actionAt(7, 3, step), actionAt(7, 3, step))
		require.NotEqual(t, actionAt(7, 3, step).Args, actionAt(8, 3, step).Args)
		require.NotEqual(t, actionAt(7, 3, step).Args, actionAt(7, 4, step).Args)
	}
	steps, err := ParseSteps("3,17,29-31")
	require.NoError(t, err)
	require.Equal(t, []int{3, 17, 29, 30, 31}, steps)
	require.Equal(t, "3,17,29-31", (&Failure{Steps: steps}).Script())
	_, err = ParseSteps("3,x")
	require.Error(t, err)
}

// The twin goes back to a version as if what came later had never been, and goes on above what was
// handed out.
func TestTwinGoesBack(t *testing.T) {
	now := func() time.Time { return time.Unix(1000, 0) }
	w := newTwin(now)
	s, err := assemble(w, 1)
	require.NoError(t, err)
	run, err := s.db.BeginRun(t.Context(), inmem.RunOptions{ID: (&episode{}).id(1)})
	require.NoError(t, err)
	put := func(run *inmem.Run, n int64) uint64 {
		v, err := run.KV().Put(t.Context(), "k", inmem.Int(n))
		require.NoError(t, err)
		return v
	}
	kept := put(run, 1)
	hash, err := run.StateHash(t.Context(), kept)
	require.NoError(t, err)
	lost := put(run, 2)
	require.True(t, w.knows(kept) && w.knows(lost) && !w.knows(lost+1))
	require.NoError(t, w.rewind(kept, lost+10, now))
	require.False(t, w.knows(lost))
	s, err = assemble(w, 2)
	require.NoError(t, err)
	require.Equal(t, kept, s.db.Version())
	run, err = s.db.Run(t.Context(), run.ID())
	require.NoError(t, err)
	again, err := run.StateHash(t.Context(), kept)
	require.NoError(t, err)
	require.Equal(t, hash, again)
	require.Equal(t, lost+10, put(run, 3))
}
