// Package agents holds the workloads of what agents do beside keys and values: events, cells,
// traces, runs and their history. They are the original's event and scenario groups, its operations
// per primitive (tiers B and C), in a group that is called primitives here, and one of our own for
// what the original never had: history.
package agents

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Workloads lists them; all come when their groups are named.
func Workloads(cfg measure.Config) []measure.Workload {
	m := &maker{cfg}
	var all []measure.Workload
	for _, group := range [][]measure.Workload{
		m.eventMicro(), m.scenarios(), m.keys(), m.events(), m.cells(), m.together(), m.traces(),
		m.runs(), m.history(),
	} {
		for _, w := range group {
			w.Mode, w.Extra = cfg.Mode, true
			all = append(all, w)
		}
	}
	return all
}

// maker makes the workloads of one configuration.
type maker struct{ cfg measure.Config }

// world is a database of one trial with the run that it works in.
type world struct {
	db  *inmem.DB
	run *inmem.Run
}

// namespace is where all runs belong.
var namespace = inmem.RunOptions{Tenant: "tenant", App: "app", Agent: "agent"}

// workload makes one: its Setup opens a database in its directory, begins a run and prepares.
func (m *maker) workload(name, about string,
	prepare func(ctx context.Context, w *world) (*measure.Trial, error)) measure.Workload {
	return measure.Workload{Name: name, About: about,
		Setup: func(ctx context.Context, dir string) (_ *measure.Trial, err error) {
			w := &world{}
			o := &inmem.Options{MemoryBudget: m.cfg.Memory}
			if err := durability(o, m.cfg.Mode); err != nil {
				return nil, err
			}
			if w.db, err = inmem.Open(dir, o); err != nil {
				return nil, err
			}
			defer func() {
				if err != nil {
					err = errors.Join(err, w.db.Close())
				}
			}()
			if w.run, err = w.db.BeginRun(ctx, namespace); err != nil {
				return nil, err
			}
			t, err := prepare(ctx, w)
			if err != nil {
				return nil, err
			}
			prepared := t.Close
			t.Close = func() (err error) {
				if prepared != nil {
					err = prepared()
				}
				return errors.Join(err, w.db.Close())
			}
			return t, nil
		}}
}

// durability finds the mode by its name.
func durability(o *inmem.Options, mode string) error {
	for _, d := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async, inmem.None} {
		if d.String() == mode {
			o.Durability = d
			return nil
		}
	}
	return errors.New("no durability mode is called " + mode)
}

// expectEqual checks one figure of an answer.
func expectEqual[T comparable](what string, got, want T) error {
	if got != want {
		return measure.Wrongf("%s: found %v, expected %v", what, got, want)
	}
	return nil
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
