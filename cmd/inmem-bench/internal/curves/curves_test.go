package curves

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

func config() measure.Config {
	return measure.Config{Seed: measure.DefaultSeed, Mode: "batched", Memory: 64 << 20}
}

func run(t *testing.T, all []measure.Workload) ([]measure.Result, error) {
	var plan []measure.Case
	for _, w := range all {
		plan = append(plan, measure.Case{Workload: w})
	}
	r := measure.Runner{Repeats: 1, Length: 2 * time.Millisecond, Dir: t.TempDir()}
	return r.Run(context.Background(), plan)
}

// Every operation runs and finds what it expects, at small sizes of every curve.
func TestEveryPointRuns(t *testing.T) {
	m := &maker{config(), 2000}
	all := slices.Concat(m.keys(leastKeys), m.keys(1000), m.runs(20), m.forks(3))
	if !testing.Short() {
		all = append(all, m.runs(1)...)
	}
	for _, w := range m.goroutines() {
		if w.Workers == 4 {
			all = append(all, w)
		}
	}
	results, err := run(t, all)
	require.NoError(t, err)
	require.Len(t, results, len(all))
	for i := range results {
		r := &results[i]
		require.Positive(t, r.Rate().Median, r.Name)
		require.Equal(t, r.Curve.Name(), r.Name)
	}
}

// The points of a curve differ in nothing but their number.
func TestPointsOfACurveAreAlike(t *testing.T) {
	type curve struct{ over, of string }
	first := map[curve]measure.Workload{}
	points := map[curve]int{}
	for _, w := range Workloads(config()) {
		c := curve{w.Curve.Over, w.Curve.Of}
		if points[c]++; points[c] == 1 {
			first[c] = w
		}
		require.Equal(t, first[c].About, w.About)
		require.True(t, w.Extra)
		require.Equal(t, w.Curve.At > 1_000_000, w.Heavy, w.Name)
	}
	for c, n := range points {
		require.GreaterOrEqual(t, n, 3, "%v", c)
	}
}

// A place that holds something else than it should is noticed.
func TestWrongAnswersEndTheRun(t *testing.T) {
	spoil := func(ctx context.Context, p *place) error {
		for _, kv := range append(slices.Clone(p.kvs), p.forks...) {
			for i := range p.keys.Len() {
				if _, err := kv.Put(ctx, p.key(i), inmem.String("another")); err != nil {
					return err
				}
			}
		}
		for _, run := range []*inmem.Run{p.small, p.runs[0]} {
			if _, err := run.KV().Put(ctx, "another", inmem.String("too")); err != nil {
				return err
			}
		}
		p.version = p.db.Version()
		_, err := p.db.BeginRun(ctx, namespace)
		return err
	}
	for _, o := range []op{
		get, txn, begin, scan, fork, replay, replayAll, beginRun, forkGet,
	} {
		m := &maker{config(), 0}
		p := m.place("spoiled", 1, 200, 2)
		setup := p.Setup
		p.Setup = func(ctx context.Context, dir string) error {
			if err := setup(ctx, dir); err != nil {
				return err
			}
			return spoil(ctx, p)
		}
		_, err := run(t, []measure.Workload{p.point(measure.Curve{Over: overKeys, At: 200}, o)})
		var wrong *measure.WrongAnswer
		require.ErrorAs(t, err, &wrong, o.name)
	}
}
