package inmem_test

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// idsOf reads the ids of a query.
func idsOf(t *testing.T, x inmem.RunIndex, q inmem.RunQuery) []string {
	t.Helper()
	found := []string{}
	for r, err := range x.All(t.Context(), q) {
		require.NoError(t, err)
		found = append(found, r.ID)
	}
	return found
}

// R201: every call on a run in every status, and which error it is.
func TestR201CallsByStatus(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		transition := []error{inmem.ErrInvalidTransition}
		over := []error{inmem.ErrInvalidTransition, inmem.ErrRunNotActive}
		for _, c := range []struct {
			status                inmem.Status
			lead                  func(inmem.RunRecord) error
			put, end, pause, away []error // of a write, Complete, Pause, Archive
			resume, cancel        []error
		}{
			{status: inmem.Active, resume: transition},
			{status: inmem.Paused, lead: func(r inmem.RunRecord) error { return r.Pause(w.ctx()) },
				put: []error{inmem.ErrRunNotActive}, end: transition, pause: transition},
			{status: inmem.Completed,
				lead: func(r inmem.RunRecord) error { return r.Complete(w.ctx()) },
				put:  []error{inmem.ErrRunNotActive}, end: over, pause: over, resume: over, cancel: over},
			{status: inmem.Archived,
				lead: func(r inmem.RunRecord) error { return r.Archive(w.ctx()) },
				put:  []error{inmem.ErrRunNotActive}, end: over, pause: over, resume: over, cancel: over,
				away: over},
		} {
			for name, call := range map[string]struct {
				do   func(*inmem.Run) error
				want []error
			}{
				"put": {func(r *inmem.Run) error {
					_, err := r.KV().Put(w.ctx(), "k", inmem.Int(1))
					return err
				}, c.put},
				"end":      {func(r *inmem.Run) error { return r.End(w.ctx(), inmem.Completed) }, c.end},
				"complete": {func(r *inmem.Run) error { return r.Record().Complete(w.ctx()) }, c.end},
				"fail":     {func(r *inmem.Run) error { return r.Record().Fail(w.ctx(), "x") }, c.end},
				"pause":    {func(r *inmem.Run) error { return r.Record().Pause(w.ctx()) }, c.pause},
				"resume":   {func(r *inmem.Run) error { return r.Record().Resume(w.ctx()) }, c.resume},
				"cancel":   {func(r *inmem.Run) error { return r.Record().Cancel(w.ctx()) }, c.cancel},
				"archive":  {func(r *inmem.Run) error { return r.Record().Archive(w.ctx()) }, c.away},
				"tag":      {func(r *inmem.Run) error { return r.Record().AddTags(w.ctx(), "t") }, nil},
			} {
				run, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
				require.NoError(t, err)
				if c.lead != nil {
					require.NoError(t, c.lead(run.Record()))
				}
				err = call.do(run)
				if call.want == nil {
					require.NoError(t, err, "%s when %v", name, c.status)
				}
				for _, want := range call.want {
					require.ErrorIs(t, err, want, "%s when %v", name, c.status)
				}
			}
		}
		_, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: w.run.ID()})
		require.ErrorIs(t, err, inmem.ErrRunExists)
	})
}

// R191: first and last version bracket exactly the run's commits, and changes of the record are
// none of them.
func TestR191Versions(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		run, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
		require.NoError(t, err)
		info, err := run.Info(w.ctx())
		require.NoError(t, err)
		require.Zero(t, info.FirstVersion+info.LastVersion+info.Commits)
		first, err := run.KV().Put(w.ctx(), "k", inmem.Int(1))
		require.NoError(t, err)
		w.put("of", "another run")
		require.NoError(t, run.Record().AddTags(w.ctx(), "tag"))
		require.NoError(t, run.Record().Pause(w.ctx()))
		require.NoError(t, run.Record().Resume(w.ctx()))
		last, err := run.Update(w.ctx(), func(tx *inmem.Tx) error {
			_, err := tx.KV().Put(w.ctx(), "k", inmem.Int(2))
			return errors.Join(err, tx.Record().Complete(w.ctx()))
		})
		require.NoError(t, err)
		require.NoError(t, run.Record().SetMetadata(w.ctx(), inmem.Int(1)))
		info, err = run.Info(w.ctx())
		require.NoError(t, err)
		require.Equal(t, []uint64{first, last, 2},
			[]uint64{info.FirstVersion, info.LastVersion, info.Commits})
		require.NoError(t, w.View(w.ctx(), func(v *inmem.View) error {
			seen, err := v.On(run).Record().Info(w.ctx())
			require.NoError(t, err)
			require.Equal(t, info, seen)
			return nil
		}))
	})
}

// R190, R194: lineage over the public API. Children of a deleted run are orphans: they keep its id,
// and a later run with it is not their parent.
func TestR190Lineage(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		begin := func(o inmem.RunOptions) *inmem.Run {
			r, err := w.BeginRun(w.ctx(), o)
			require.NoError(t, err)
			return r
		}
		root := begin(inmem.RunOptions{ID: someID})
		child := begin(inmem.RunOptions{Parent: root.ID()})
		leaf := begin(inmem.RunOptions{Parent: child.ID()})
		ancestors := func(r *inmem.Run) (up []string) {
			for a, err := range r.Record().Ancestors(w.ctx()) {
				require.NoError(t, err)
				up = append(up, a.ID)
			}
			return up
		}
		require.Equal(t, []string{child.ID(), root.ID()}, ancestors(leaf))
		for range 2 {
			require.NoError(t, w.DeleteRun(w.ctx(), root.ID()))
			require.Equal(t, []string{child.ID()}, ancestors(leaf))
			root = begin(inmem.RunOptions{ID: someID, Parent: leaf.ID()})
			info, err := child.Info(w.ctx())
			require.NoError(t, err)
			require.Equal(t, someID, info.Parent)
			require.Empty(t, ancestors(child))
			require.Empty(t, idsOf(t, w.Runs(), inmem.RunQuery{Parent: someID}))
			require.Equal(t, []string{leaf.ID(), child.ID()}, ancestors(root))
		}
		_, err := w.BeginRun(w.ctx(), inmem.RunOptions{Parent: "ffffffff" + someID[8:]})
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		_, err = w.BeginRun(w.ctx(), inmem.RunOptions{Parent: "nobody"})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
	})
}

// R194, E90, E91: a deleted run is gone for everybody at once; a new one with its id has nothing of
// it.
func TestR194DeleteRun(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		o := inmem.RunOptions{ID: someID, Tenant: "t", Tags: []string{"old"}}
		old, err := w.BeginRun(w.ctx(), o)
		require.NoError(t, err)
		for i := range 20 {
			_, err := old.KV().Put(w.ctx(), fmt.Sprint(i), inmem.Int(int64(i)))
			require.NoError(t, err)
		}
		w.put("k", "stays")
		open, err := old.Begin(w.ctx(), inmem.TxOptions{})
		require.NoError(t, err)
		_, err = open.KV().Put(w.ctx(), "late", inmem.Int(1))
		require.NoError(t, err)
		require.NoError(t, w.View(w.ctx(), func(v *inmem.View) error {
			require.NoError(t, w.DeleteRun(w.ctx(), someID))
			_, _, err := v.On(old).KV().Get(w.ctx(), "1")
			require.ErrorIs(t, err, inmem.ErrRunNotFound, "deletion wins over history")
			return nil
		}))
		gone := func() {
			_, err := open.Commit(w.ctx())
			require.Error(t, err)
			_, err = old.KV().Put(w.ctx(), "k", inmem.Int(1))
			require.ErrorIs(t, err, inmem.ErrRunNotFound)
			_, _, err = old.KV().Get(w.ctx(), "1")
			require.ErrorIs(t, err, inmem.ErrRunNotFound)
			require.Error(t, old.End(w.ctx(), inmem.Failed))
		}
		gone()
		_, err = w.Run(w.ctx(), someID)
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		require.ErrorIs(t, w.DeleteRun(w.ctx(), someID), inmem.ErrRunNotFound)
		require.ErrorIs(t, w.DeleteRun(w.ctx(), "x"), inmem.ErrInvalidArgument)
		require.Equal(t, []string{w.run.ID()}, idsOf(t, w.Runs(), inmem.RunQuery{}))
		require.Empty(t, idsOf(t, w.Runs(), inmem.RunQuery{Tags: []string{"old"}}))
		require.Equal(t, "stays", text(t, w.run.KV(), "k"))

		o.Tags = []string{"new"}
		fresh, err := w.BeginRun(w.ctx(), o)
		require.NoError(t, err)
		n, err := fresh.KV().Count(w.ctx(), inmem.ScanOptions{})
		require.NoError(t, err)
		require.Zero(t, n)
		info, err := fresh.Info(w.ctx())
		require.NoError(t, err)
		require.Equal(t, []string{"new"}, info.Tags)
		require.Zero(t, info.Commits)
		_, _, err = old.KV().Get(w.ctx(), "1")
		require.ErrorIs(t, err, inmem.ErrRunNotFound, "the handle is of the old one")
		report, err := w.Runs().Verify(w.ctx())
		require.NoError(t, err)
		require.True(t, report.Healthy(), "%+v", report)
	})
}

// A handle of a deleted run never changes the record of a new one with its id.
func TestE91RecordOfTheOldRun(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	old, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID})
	require.NoError(t, err)
	require.NoError(t, w.DeleteRun(w.ctx(), someID))
	fresh, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID})
	require.NoError(t, err)
	require.ErrorIs(t, old.End(w.ctx(), inmem.Failed), inmem.ErrRunNotFound)
	require.ErrorIs(t, old.Record().AddTags(w.ctx(), "x"), inmem.ErrRunNotFound)
	_, err = old.Info(w.ctx())
	require.ErrorIs(t, err, inmem.ErrRunNotFound)
	for _, relatives := range []iter.Seq2[inmem.RunInfo, error]{
		old.Record().Children(w.ctx()), old.Record().Ancestors(w.ctx()),
	} {
		for _, err := range relatives {
			require.ErrorIs(t, err, inmem.ErrRunNotFound)
		}
	}
	info, err := fresh.Info(w.ctx())
	require.NoError(t, err)
	require.Equal(t, inmem.Active, info.Status)
	require.Empty(t, info.Tags)
}

// E90: writers race with the deletion; none brings anything back.
func TestE90DeleteUnderWriters(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		for range 5 {
			run, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID})
			require.NoError(t, err)
			var writers sync.WaitGroup
			var written atomic.Int64
			for i := range 4 {
				writers.Go(func() {
					for j := 0; ; j++ {
						_, err := run.KV().Put(w.ctx(), fmt.Sprint(i, j), inmem.Int(1))
						if errors.Is(err, inmem.ErrRunNotFound) {
							return
						}
						if err != nil {
							t.Error(err)
							return
						}
						written.Add(1)
					}
				})
			}
			for written.Load() < 20 {
				time.Sleep(time.Millisecond)
			}
			require.NoError(t, w.DeleteRun(w.ctx(), someID))
			fresh, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID})
			require.NoError(t, err)
			writers.Wait()
			n, err := fresh.KV().Count(w.ctx(), inmem.ScanOptions{})
			require.NoError(t, err)
			require.Zero(t, n)
			require.NoError(t, w.DeleteRun(w.ctx(), someID))
		}
	})
}

// All runs of a tenant go, archived ones and its shared namespaces too, and nobody else's.
func TestDeleteTenant(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		const many = 150 // more than one step
		for i := range many {
			r, err := w.BeginRun(w.ctx(), inmem.RunOptions{Tenant: "acme", App: fmt.Sprint(i % 3)})
			require.NoError(t, err)
			switch i % 4 {
			case 0:
				require.NoError(t, r.End(w.ctx(), inmem.Completed))
			case 1:
				require.NoError(t, r.Record().Archive(w.ctx()))
			}
		}
		others := []string{w.run.ID()}
		for _, tenant := range []string{"acm", "acme\x00", "acmee", "@acme"} {
			r, err := w.BeginRun(w.ctx(), inmem.RunOptions{Tenant: tenant, App: "acme"})
			require.NoError(t, err)
			others = append(others, r.ID())
		}
		var shared []*inmem.Shared
		for _, n := range []inmem.Namespace{{Tenant: "acme"}, {Tenant: "acme", App: "a"},
			{Tenant: "acme", App: "a", Agent: "x"}, {Tenant: "acm"}, {Tenant: "acme\x00"}} {
			s, err := w.Shared(w.ctx(), n)
			require.NoError(t, err)
			_, err = s.KV().Put(w.ctx(), "k", inmem.String(n.String()))
			require.NoError(t, err)
			shared = append(shared, s)
		}
		n, err := w.DeleteTenant(w.ctx(), "acme")
		require.NoError(t, err)
		require.Equal(t, many, n)
		all := inmem.RunQuery{IncludeArchived: true}
		require.ElementsMatch(t, others, idsOf(t, w.Runs(), all))
		for i, s := range shared {
			_, _, err := s.KV().Get(w.ctx(), "k")
			if i < 3 {
				require.ErrorIs(t, err, inmem.ErrRunNotFound, s.Namespace().String())
			} else {
				require.NoError(t, err)
			}
		}
		again, err := w.Shared(w.ctx(), inmem.Namespace{Tenant: "acme"})
		require.NoError(t, err)
		require.Equal(t, "(absent)", text(t, again.KV(), "k"))
		n, err = w.DeleteTenant(w.ctx(), "acme")
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = w.DeleteTenant(w.ctx(), "")
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		report, err := w.Runs().Verify(w.ctx())
		require.NoError(t, err)
		require.True(t, report.Healthy(), "%+v", report)
	})
}

// reopen opens what a crash left, with its epoch. The log is one file for the whole test: errorfs
// does not see what is written to one that is used again.
func reopen(t *testing.T, fs vfs.FS) (*inmem.DB, func()) {
	e, err := embedded.Open(t.Context(), embedded.Options{
		Dir: "db", FS: fs, Clock: time.Now, SweepInterval: -1, WriteBuffer: 4 << 20,
	})
	require.NoError(t, err)
	d, err := inmem.OpenOn(inmem.Hooks{Backend: e, Epoch: 1 + e.BootEpoch()}, nil)
	require.NoError(t, err)
	return d, func() { require.NoError(t, d.Close()) }
}

// R200, R202: what was Active when the process died is listed as interrupted, what had ended or was
// closed in order is not; it can be taken up and ended, and that lasts.
func TestR202ListedAfterACrash(t *testing.T) {
	mem := disktest.New()
	d, closed := reopen(t, mem)
	ctx := t.Context()
	runs := map[string]*inmem.Run{}
	for _, name := range []string{"active", "ended", "paused", "other"} {
		r, err := d.BeginRun(ctx, inmem.RunOptions{Tags: []string{name}})
		require.NoError(t, err)
		_, err = r.KV().Put(ctx, "k", inmem.String(name))
		require.NoError(t, err)
		runs[name] = r
	}
	require.NoError(t, runs["ended"].End(ctx, inmem.Completed))
	require.NoError(t, runs["paused"].Record().Pause(ctx))
	closed()
	interrupted := inmem.RunQuery{Interrupted: true}
	d, _ = reopen(t, mem)
	require.Empty(t, idsOf(t, d.Runs(), interrupted), "a close in order interrupts nobody")
	fresh, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	require.NoError(t, d.Flush(ctx))
	after := mem.CrashClone(vfs.CrashCloneCfg{})
	require.NoError(t, d.Close())

	d, closed = reopen(t, after)
	require.Equal(t, []string{runs["active"].ID(), runs["other"].ID(), fresh.ID()},
		idsOf(t, d.Runs(), interrupted))
	resumed, err := d.Run(ctx, runs["active"].ID())
	require.NoError(t, err)
	info, err := resumed.Info(ctx)
	require.NoError(t, err)
	require.True(t, info.Interrupted)
	require.Equal(t, uint64(1), info.Commits)
	require.Equal(t, "active", text(t, resumed.KV(), "k"))
	require.NoError(t, resumed.Record().Resume(ctx))
	_, err = resumed.KV().Put(ctx, "more", inmem.Int(1))
	require.NoError(t, err)
	other, err := d.Run(ctx, runs["other"].ID())
	require.NoError(t, err)
	require.NoError(t, other.Record().Fail(ctx, "it was left alone"))
	require.Equal(t, []string{fresh.ID()}, idsOf(t, d.Runs(), interrupted))
	closed()
	d, closed = reopen(t, after)
	require.Equal(t, []string{fresh.ID()}, idsOf(t, d.Runs(), interrupted))
	stats, err := d.Runs().Stats(ctx, inmem.RunQuery{})
	require.NoError(t, err)
	require.Equal(t, inmem.RunStats{Active: 2, Interrupted: 1, Paused: 1, Completed: 1, Failed: 1},
		stats)
	closed()
}

// R194: a crash at every file operation of a deletion, and of that of a tenant, leaves each run
// whole or not at all; and what was begun can be finished.
func TestR194CrashMidDelete(t *testing.T) {
	mem := disktest.New()
	rng := rand.New(rand.NewPCG(1, 194))
	var points []*disktest.Disk
	var mu sync.Mutex
	var armed atomic.Bool
	crash := errorfs.InjectorFunc(func(op errorfs.Op) error {
		if armed.Load() && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			mu.Lock()
			defer mu.Unlock()
			points = append(points, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rng}))
		}
		return nil
	})
	d, closed := reopen(t, errorfs.Wrap(mem, crash))
	ctx := t.Context()
	const runs, keys = 6, 30
	var ids []string
	for i := range runs {
		r, err := d.BeginRun(ctx, inmem.RunOptions{Tenant: fmt.Sprint(i % 2), Tags: []string{"a"}})
		require.NoError(t, err)
		for k := range keys {
			_, err := r.KV().Put(ctx, fmt.Sprint(k), inmem.Bytes(make([]byte, 1000)))
			require.NoError(t, err)
		}
		ids = append(ids, r.ID())
	}
	require.NoError(t, d.Flush(ctx))
	armed.Store(true)
	require.NoError(t, d.DeleteRun(ctx, ids[1]))
	require.NoError(t, d.Flush(ctx))
	n, err := d.DeleteTenant(ctx, "0")
	require.NoError(t, err)
	require.Equal(t, 3, n)
	closed()
	armed.Store(false)
	require.Greater(t, len(points), 5)
	seen := map[int]bool{}
	for i := 0; i < len(points); i += 1 + len(points)/30 {
		d, closed := reopen(t, points[i])
		left := idsOf(t, d.Runs(), inmem.RunQuery{Tags: []string{"a"}})
		seen[len(left)] = true
		for _, id := range ids {
			run, err := d.Run(ctx, id)
			if err != nil {
				require.ErrorIs(t, err, inmem.ErrRunNotFound)
				require.NotContains(t, left, id)
				continue
			}
			require.Contains(t, left, id)
			n, err := run.KV().Count(ctx, inmem.ScanOptions{})
			require.NoError(t, err)
			require.Equal(t, keys, n)
		}
		_, err := d.DeleteTenant(ctx, "0")
		require.NoError(t, err)
		require.Subset(t, ids, idsOf(t, d.Runs(), inmem.RunQuery{}))
		require.Empty(t, idsOf(t, d.Runs(), inmem.RunQuery{Tenant: "0"}))
		report, err := d.Runs().Verify(ctx)
		require.NoError(t, err)
		require.True(t, report.Healthy(), "%+v", report)
		closed()
	}
	require.Greater(t, len(seen), 1, "the crashes do not differ: %v", seen)
}

// Beginning runs keeps the index of the Active ones short: now and then it moves on, and leaves
// behind what has ended.
func TestRunIndexMovesOn(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	for i := range 3000 {
		id := uuid.UUID{0: 1, 14: byte(i >> 8), 15: byte(i)}
		r, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: id.String()})
		require.NoError(t, err)
		require.NoError(t, r.End(w.ctx(), inmem.Completed))
	}
	layout := string(codec.Tuple(nil).AppendNil().AppendString("layout"))
	rec, err := w.b.Get(w.ctx(), &backend.Scope{}, codec.RunIndex, layout, w.Version())
	require.NoError(t, err)
	v, err := codec.DecodeValue(rec.Value)
	require.NoError(t, err)
	generation, ok := v.Lookup("Generation")
	require.True(t, ok)
	n, err := generation.AsInt()
	require.NoError(t, err)
	require.Positive(t, n)
	require.Less(t, n, int64(30))
	require.Equal(t, []string{w.run.ID()},
		idsOf(t, w.Runs(), inmem.RunQuery{Status: []inmem.Status{inmem.Active}}))
}
