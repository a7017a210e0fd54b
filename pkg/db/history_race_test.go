package inmem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

const (
	stalls  = 5
	balance = 100
)

// market is a run on which several goroutines work at once. Each counter says how many operations
// of a kind have succeeded.
type market struct {
	t         *testing.T
	d         *inmem.DB
	run       *inmem.Run
	rounds    int
	transfers atomic.Int64
	updates   atomic.Int64
	appends   atomic.Int64
	steps     atomic.Int64
	puts      atomic.Int64
	looks     atomic.Int64
	pauses    atomic.Int64
}

// R009, R164, R170, R192: eight goroutines use all primitives of one run and its record at once,
// while the run is paused and resumed. Nothing is lost, nothing comes twice, and no view ever shows
// half of a transaction.
func TestR009AllPrimitivesAtOnce(t *testing.T) {
	for _, a := range authorities {
		t.Run(a.name, func(t *testing.T) {
			authority := a.make(t, newTestClock())
			d, err := inmem.OpenOn(inmem.Hooks{Backend: authority.b}, nil)
			require.NoError(t, err)
			defer func() { require.NoError(t, d.Close()) }()
			m := newMarket(t, d)
			var workers, watchers sync.WaitGroup
			stop, cancel := context.WithCancel(t.Context())
			watchers.Go(func() { m.pausing(stop) })
			watchers.Go(func() { m.looking(stop) })
			for i, work := range []func(context.Context, *rand.Rand) error{
				m.transfer, m.transfer, m.transfer, m.update, m.append, m.step,
			} {
				workers.Go(func() {
					m.work(rand.New(rand.NewPCG(uint64(i), 9)), work)
				})
			}
			workers.Wait()
			cancel()
			watchers.Wait()
			m.check()
		})
	}
}

func newMarket(t *testing.T, d *inmem.DB) *market {
	ctx := t.Context()
	m := &market{t: t, d: d, rounds: 100}
	if testing.Short() {
		m.rounds = 40
	}
	var err error
	m.run, err = d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	_, err = m.run.Update(ctx, func(tx *inmem.Tx) error {
		for i := range stalls {
			_, err := tx.KV().Put(ctx, fmt.Sprint("account ", i), inmem.Int(balance))
			require.NoError(t, err)
		}
		for _, cell := range []string{"transfers", "updates"} {
			_, err := tx.Cell(cell).Init(ctx, inmem.Int(0))
			require.NoError(t, err)
		}
		_, err := tx.Cell("step").Define(ctx, inmem.Machine{Initial: "even",
			Transitions: []inmem.Transition{
				{From: "even", Event: "go", To: "odd"}, {From: "odd", Event: "go", To: "even"},
			}})
		require.NoError(t, err)
		_, err = tx.Cell("step").Init(ctx, inmem.String("even"))
		return err
	})
	require.NoError(t, err)
	return m
}

// work does its rounds; while the run is paused it tries again.
func (m *market) work(r *rand.Rand, do func(context.Context, *rand.Rand) error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Minute)
	defer cancel()
	for range m.rounds {
		err := do(ctx, r)
		for ; errors.Is(err, inmem.ErrRunNotActive); err = do(ctx, r) {
			time.Sleep(100 * time.Microsecond)
		}
		if err != nil {
			m.t.Error(err)
			return
		}
	}
}

func increment(v inmem.Value) (inmem.Value, error) {
	n, err := v.AsInt()
	return inmem.Int(n + 1), err
}

// transfer moves money in a transaction that leaves a trace of itself in every primitive.
func (m *market) transfer(ctx context.Context, r *rand.Rand) error {
	from, to := r.IntN(stalls), r.IntN(stalls-1)
	if to >= from {
		to++
	}
	n := int64(r.IntN(10))
	_, err := m.run.UpdateWith(ctx, patient, func(tx *inmem.Tx) error {
		for i, by := range map[int]int64{from: -n, to: n} {
			key := fmt.Sprint("account ", i)
			has, _, err := inmem.Get[int64](ctx, tx.KV(), key)
			if err != nil {
				return err
			}
			if _, err := inmem.Put(ctx, tx.KV(), key, has+by); err != nil {
				return err
			}
		}
		_, appended := tx.Events().Append(ctx, "transfer", inmem.Int(n))
		_, counted := tx.Cell("transfers").Update(ctx, increment)
		_, recorded := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanDecision,
			Tags: []string{"transfer"}, InputTokens: 1})
		tagged := tx.Record().SetTags(ctx, fmt.Sprint("last ", n))
		return errors.Join(appended, counted, recorded, tagged)
	})
	if err == nil {
		m.transfers.Add(1)
	}
	return err
}

// update counts in a hot cell.
func (m *market) update(ctx context.Context, _ *rand.Rand) error {
	_, err := m.run.Cell("updates").Update(ctx, increment)
	if err == nil {
		m.updates.Add(1)
	}
	return err
}

func (m *market) append(ctx context.Context, r *rand.Rand) error {
	_, err := m.run.Events().Append(ctx, fmt.Sprint("type ", r.IntN(3)), inmem.Null())
	if err == nil {
		m.appends.Add(1)
	}
	return err
}

// step moves a machine, and writes and deletes a key beside.
func (m *market) step(ctx context.Context, r *rand.Rand) error {
	key := fmt.Sprint("key ", r.IntN(3))
	_, err := m.run.Cell("step").Fire(ctx, "go")
	if err != nil {
		return err
	}
	m.steps.Add(1)
	if _, err = m.run.KV().PutWithTTL(ctx, key, inmem.Null(), time.Hour); err == nil {
		m.puts.Add(1)
	}
	if errors.Is(err, inmem.ErrRunNotActive) {
		return nil
	}
	return err
}

// pausing pauses the run and resumes it. In between nothing is written to it.
func (m *market) pausing(stop context.Context) {
	ctx := m.t.Context()
	record := m.run.Record()
	for stop.Err() == nil {
		if err := record.Pause(ctx); err != nil {
			m.t.Error(err)
			return
		}
		before, err := record.Info(ctx)
		time.Sleep(time.Millisecond)
		after, also := record.Info(ctx)
		if err = errors.Join(err, also); err != nil || before.Commits != after.Commits ||
			before.Status != inmem.Paused || after.Status != inmem.Paused {
			m.t.Errorf("while it was paused: %+v, then %+v (%v)", before, after, err)
		}
		if err := record.Resume(ctx); err != nil {
			m.t.Error(err)
			return
		}
		m.pauses.Add(1)
		time.Sleep(2 * time.Millisecond)
	}
}

// looking looks at views.
func (m *market) looking(stop context.Context) {
	for stop.Err() == nil {
		err := m.run.View(m.t.Context(), func(v *inmem.View) error {
			return m.consistent(m.t.Context(), v)
		})
		if err != nil {
			m.t.Error(err)
			return
		}
		m.looks.Add(1)
	}
}

// consistent demands that all primitives tell of the same transfers.
func (m *market) consistent(ctx context.Context, v *inmem.View) error {
	var sum int64
	for i := range stalls {
		n, _, err := inmem.Get[int64](ctx, v.KV(), fmt.Sprint("account ", i))
		if err != nil {
			return err
		}
		sum += n
	}
	events, err := v.Events().CountType(ctx, "transfer")
	cell, err1 := inmem.CellOf[int64](v, "transfers").Get(ctx)
	spans, err2 := v.Traces().Count(ctx, inmem.SpanFilter{Tag: "transfer"})
	total, err3 := v.Traces().RollupRun(ctx)
	chain, err4 := v.Events().Verify(ctx)
	if err := errors.Join(err, err1, err2, err3, err4); err != nil {
		return err
	}
	if sum != stalls*balance || int64(events) != cell.Value || int64(spans) != cell.Value ||
		total.InputTokens != cell.Value || !chain.Valid {
		return fmt.Errorf("version %d: sum %d, %d events, counter %d, %d spans, %d tokens, chain %+v",
			v.Version(), sum, events, cell.Value, spans, total.InputTokens, chain)
	}
	return nil
}

// check compares the end with what was counted.
func (m *market) check() {
	t, ctx := m.t, m.t.Context()
	require.NoError(t, m.run.View(ctx, func(v *inmem.View) error { return m.consistent(ctx, v) }))
	for cell, want := range map[string]int64{
		"transfers": m.transfers.Load(), "updates": m.updates.Load(),
	} {
		st, err := inmem.CellOf[int64](m.run, cell).Get(ctx)
		require.NoError(t, err)
		require.Equal(t, want, st.Value, cell)
	}
	n, err := m.run.Events().Len(ctx)
	require.NoError(t, err)
	require.EqualValues(t, m.transfers.Load()+m.appends.Load(), n)
	step, err := inmem.CellOf[string](m.run, "step").Get(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{"even", "odd"}[m.steps.Load()%2], step.Value)
	info, err := m.run.Info(ctx)
	require.NoError(t, err)
	require.EqualValues(t, 1+m.transfers.Load()+m.updates.Load()+m.appends.Load()+m.steps.Load()+
		m.puts.Load(), info.Commits, "every commit is counted")
	requireHealthy(t, m.run)
	t.Logf("%d views, %d pauses", m.looks.Load(), m.pauses.Load())
	require.Positive(t, m.looks.Load())
	require.Positive(t, m.pauses.Load())
}
