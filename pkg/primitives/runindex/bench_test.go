package runindex

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
)

// crowdSize is how many runs the benchmarks have.
func crowdSize() int {
	if n, err := strconv.Atoi(os.Getenv("INMEM_RUNS")); err == nil {
		return n
	}
	return 100_000
}

// crowd is a database of very many runs, as a long life leaves them: nearly all ended, few Active,
// some archived. Made once.
var crowd = sync.OnceValue(func() *world {
	t := &lasting{}
	w := newEngineWorld(t, embedded.Options{Mode: embedded.None})
	fill(w, crowdSize(), 1)
	return w
})

// lasting is a testing.TB for what outlives the test that makes it.
type lasting struct{ testing.TB }

func (*lasting) Helper()                   {}
func (*lasting) Cleanup(func())            {}
func (*lasting) FailNow()                  { panic("failed") }
func (*lasting) Errorf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// fill begins runs, which go through their lives with up to 50 of them at work at once.
func fill(w *world, n int, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	var active []*backend.Scope
	finish := func(s *backend.Scope) {
		r := w.record(s)
		var err error
		switch p := rng.IntN(100); {
		case p < 70:
			err = r.Complete(w.ctx)
		case p < 85:
			err = r.Fail(w.ctx, "it did not work")
		case p < 90:
			err = r.Cancel(w.ctx)
		case p < 98:
			if err = r.Complete(w.ctx); err == nil {
				err = r.Archive(w.ctx)
			}
		default:
			err = r.Pause(w.ctx)
		}
		require.NoError(w.t, err)
	}
	for i := range n {
		w.tick(time.Millisecond)
		s := w.begin(NewRun{
			Tenant: fmt.Sprint("tenant-", rng.IntN(100)), App: fmt.Sprint("app-", rng.IntN(10)),
			Agent: fmt.Sprint("agent-", rng.IntN(50)),
			Tags: []string{
				fmt.Sprint("half-", i%2), fmt.Sprint("tenth-", rng.IntN(10)),
				fmt.Sprint("hundredth-", rng.IntN(100)),
			},
		})
		if id, _ := ParseID(s.Record); SweepDue(&NewRun{ID: id, Number: s.Number}) {
			require.NoError(w.t, w.sweep())
		}
		active = append(active, s)
		if len(active) > 50 {
			i := rng.IntN(len(active))
			finish(active[i])
			active[i] = active[len(active)-1]
			active = active[:len(active)-1]
		}
	}
}

// shapes are queries that people make, and some that are hard.
var shapes = []struct {
	name string
	q    Query
}{
	{"all", Query{}},
	{"archived too", Query{IncludeArchived: true}},
	{"archived", Query{Status: []codec.Status{codec.Archived}}},
	{"active", Query{Status: []codec.Status{codec.Active}}},
	{"interrupted", Query{Interrupted: true}},
	{"paused", Query{Status: []codec.Status{codec.Paused}}},
	{"failed", Query{Status: []codec.Status{codec.Failed}}},
	{"ended", Query{Status: []codec.Status{codec.Completed, codec.Failed, codec.Cancelled}}},
	{"tenant", Query{Tenant: "tenant-7"}},
	{"tenant app agent", Query{Tenant: "tenant-7", App: "app-3", Agent: "agent-11"}},
	{"agent", Query{Agent: "agent-11"}},
	{"failed of agent", Query{Agent: "agent-11", Status: []codec.Status{codec.Failed}}},
	{"active of app", Query{App: "app-3", Status: []codec.Status{codec.Active}}},
	{"two tags", Query{Tags: []string{"half-1", "tenth-3"}}},
	{"rare tags", Query{Tags: []string{"tenth-3", "hundredth-17"}}},
	{"tags of agent", Query{Tags: []string{"half-1", "hundredth-17"}, Agent: "agent-11"}},
	{"everything", Query{
		Tags: []string{"half-1", "tenth-3"}, App: "app-3", IncludeArchived: true,
		Status: []codec.Status{codec.Completed, codec.Failed, codec.Archived},
	}},
	{"disjoint tags", Query{Tags: []string{"half-0", "half-1"}}},
}

// A page of 100,000 runs.
func BenchmarkQuery(b *testing.B) {
	w := crowd()
	for _, down := range []bool{false, true} {
		for _, shape := range shapes {
			name := shape.name
			if down {
				name += "/newest first"
			}
			b.Run(name, func(b *testing.B) {
				q := shape.q
				q.Reverse = down
				var rows int
				b.ReportAllocs()
				for b.Loop() {
					p, err := w.index().Query(w.ctx, q)
					require.NoError(b, err)
					rows = len(p.Runs)
				}
				b.ReportMetric(float64(rows), "rows")
				f, err := newFilter(&q)
				require.NoError(b, err)
				walk := w.index().walk(w.ctx, f, pageWork)
				_, _, err = w.index().page(f, walk, walk.start(), DefaultLimit)
				require.NoError(b, err)
				b.ReportMetric(float64(walk.keys), "keys")
				b.ReportMetric(float64(walk.seeks), "seeks")
			})
		}
	}
}

func BenchmarkCreate(b *testing.B) {
	w := newEngineWorld(b, embedded.Options{Mode: embedded.None})
	b.ReportAllocs()
	for b.Loop() {
		w.begin(NewRun{Tenant: "tenant", App: "app", Agent: "agent", Tags: []string{"a", "b"}})
	}
}

// A life: begin, tag, complete, archive.
func BenchmarkLife(b *testing.B) {
	w := newEngineWorld(b, embedded.Options{Mode: embedded.None})
	b.ReportAllocs()
	for b.Loop() {
		r := w.record(w.begin(NewRun{Tenant: "tenant", Agent: "agent", Tags: []string{"a", "b"}}))
		require.NoError(b, r.AddTags(w.ctx, "c"))
		require.NoError(b, r.Complete(w.ctx))
		require.NoError(b, r.Archive(w.ctx))
	}
}
