package vectors

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	"github.com/inmem-db/inmem/pkg/vector"
)

// pair is how many goroutines search at once.
const pair = 2

// workers is the search of bare by several goroutines at once, and how many times as many searches
// they do in a second as one goroutine by itself, just before. It says something on a machine that
// has so many idle cores.
func (b *bare) workers() measure.Workload {
	return measure.Workload{
		Name:    "vector/bare_workers/" + b.src.name + "/" + strconv.Itoa(pair),
		Fixture: &b.Fixture, Workers: pair,
		About: aboutBare + ", two at once",
		Setup: func(ctx context.Context, _ string) (*measure.Trial, error) {
			one, err := b.alone(ctx)
			if err != nil {
				return nil, err
			}
			return b.together(one), nil
		},
	}
}

// examined is an exam and a trial of its own for each goroutine.
func (b *bare) examined() (*exam, *measure.Trial) {
	e := &exam{set: b.set, truth: b.truths.of(b.set, nil), least: leastRecall}
	return e, b.trial(e, vector.SearchOptions{K: depth, At: 1})
}

// alone returns how many searches a second one goroutine does: each query twice, of which the
// second time counts.
func (b *bare) alone(ctx context.Context) (float64, error) {
	_, t := b.examined()
	n := len(b.set.queries)
	begun := time.Now()
	for i := range 2 * n {
		if i == n {
			begun = time.Now()
		}
		if err := t.Op(ctx, 0, i); err != nil {
			return 0, err
		}
	}
	return float64(n) / max(time.Since(begun).Seconds(), 1e-9), nil
}

// together is the trial of all of them. one is the rate of one alone.
func (b *bare) together(one float64) *measure.Trial {
	var exams [pair]*exam
	var trials [pair]*measure.Trial
	for i := range exams {
		exams[i], trials[i] = b.examined()
	}
	var begun, ended, searches atomic.Int64
	start := time.Now()
	return &measure.Trial{
		Op: func(ctx context.Context, worker, i int) error {
			begun.CompareAndSwap(0, max(int64(time.Since(start)), 1))
			err := trials[worker].Op(ctx, worker, i)
			ended.Store(int64(time.Since(start)))
			searches.Add(1)
			return err
		},
		Check: func(context.Context, []int) error {
			for i, e := range exams {
				if i > 0 {
					exams[0].found += e.found
					exams[0].expected += e.expected
				}
			}
			return exams[0].verdict()
		},
		Metrics: func() []measure.Metric {
			took := time.Duration(ended.Load() - begun.Load()).Seconds()
			rate := float64(searches.Load()) / max(took, 1e-9)
			return []measure.Metric{exams[0].metric(),
				{Name: "to one alone", Unit: "x", Value: rate / one}}
		},
	}
}
