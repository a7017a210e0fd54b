package inmem_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// glance is what a view shows of the step that wrote last.
type glance struct {
	kv, cell string
	keys     int
	events   uint64
	spans    int
}

// makeStep writes in all primitives, over what was there.
func makeStep(t testing.TB, run *inmem.Run, i int) uint64 {
	t.Helper()
	ctx := t.Context()
	v, err := run.Update(ctx, func(tx *inmem.Tx) error {
		_, put := tx.KV().Put(ctx, "k", inmem.String(fmt.Sprint("value ", i)))
		_, more := tx.KV().Put(ctx, fmt.Sprint("only ", i), inmem.Int(int64(i)))
		_, del := tx.KV().Delete(ctx, fmt.Sprint("only ", i-2))
		_, app := tx.Events().Append(ctx, "step", inmem.Int(int64(i)))
		_, store := tx.Cell("c").Store(ctx, inmem.String(fmt.Sprint("value ", i)))
		_, span := tx.Traces().Record(ctx, inmem.Span{Type: inmem.SpanThought})
		return errors.Join(put, more, del, app, store, span)
	})
	require.NoError(t, err)
	return v
}

// glanceAt reads all that makeStep writes.
func glanceAt(t testing.TB, v *inmem.View) (s glance, err error) {
	t.Helper()
	ctx := t.Context()
	value, _, err := v.KV().Get(ctx, "k")
	if err != nil {
		return s, err
	}
	s.kv = value.String()
	if s.keys, err = v.KV().Count(ctx, inmem.ScanOptions{}); err != nil {
		return s, err
	}
	state, err := v.Cell("c").Load(ctx)
	if err != nil {
		return s, err
	}
	s.cell = state.Value.String()
	if s.events, err = v.Events().Len(ctx); err != nil {
		return s, err
	}
	s.spans, err = v.Traces().Count(ctx, inmem.SpanFilter{})
	return s, err
}

// memories are what a run showed at each version.
type memories map[uint64]glance

func (p memories) steps(t testing.TB, run *inmem.Run, from, n int) []uint64 {
	t.Helper()
	var versions []uint64
	for i := range n {
		v := makeStep(t, run, from+i)
		versions = append(versions, v)
		p.note(t, run, v)
	}
	return versions
}

func (p memories) note(t testing.TB, run *inmem.Run, version uint64) {
	t.Helper()
	v, err := run.At(t.Context(), version)
	require.NoError(t, err)
	defer v.Close()
	p[version], err = glanceAt(t, v)
	require.NoError(t, err)
}

// want demands that everything from a version on is as it was, and refused below.
func (p memories) want(t testing.TB, run *inmem.Run, earliest uint64) {
	t.Helper()
	for version, before := range p {
		v, err := run.At(t.Context(), version)
		if version < earliest {
			wantPruned(t, err, run, version, earliest)
			continue
		}
		require.NoError(t, err, "version %d", version)
		now, err := glanceAt(t, v)
		require.NoError(t, err)
		require.Equal(t, before, now, "version %d", version)
		require.NoError(t, v.Close())
	}
}

func wantPruned(t testing.TB, err error, run *inmem.Run, version, earliest uint64) {
	t.Helper()
	require.ErrorIs(t, err, inmem.ErrPruned, "version %d", version)
	var pruned *inmem.PrunedError
	require.True(t, errors.As(err, &pruned))
	require.Equal(t, inmem.PrunedError{Run: run.ID(), Version: version, Earliest: earliest}, *pruned)
}

func setRetention(t testing.TB, d *inmem.DB, target inmem.RetentionTarget, k inmem.Keep) {
	t.Helper()
	v, err := d.SetRetention(t.Context(), target, k)
	require.NoError(t, err)
	require.NotZero(t, v)
}

func applyRetention(t testing.TB, d *inmem.DB) *inmem.RetentionReport {
	t.Helper()
	plan, err := d.PlanRetention(t.Context())
	require.NoError(t, err)
	done, err := d.ApplyRetention(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, plan.Versions, done.Versions)
	require.Equal(t, plan.Bytes, done.Bytes)
	require.Equal(t, plan.Runs, done.Runs, "a plan says what is done")
	return done
}

// R214: keep the last n commits; the most specific policy wins; other runs are untouched.
func TestR214KeepCommits(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		other, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
		require.NoError(t, err)
		kept, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
		require.NoError(t, err)
		mine, others, all := memories{}, memories{}, memories{}
		versions := mine.steps(t, w.run, 0, 12)
		otherVersions := others.steps(t, other, 0, 12)
		all.steps(t, kept, 0, 12)
		require.Empty(t, applyRetention(t, w.DB).Runs, "without a policy all is kept")

		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 4})
		setRetention(t, w.DB, inmem.RetentionTarget{Run: w.run.ID()}, inmem.Keep{Commits: 2})
		setRetention(t, w.DB, inmem.RetentionTarget{Run: kept.ID()}, inmem.Keep{})
		r := applyRetention(t, w.DB)
		require.Len(t, r.Runs, 2)
		require.Equal(t, w.run.ID(), r.Runs[0].Run)
		require.Equal(t, versions[10], r.Runs[0].Earliest)
		require.NotZero(t, r.Bytes)
		require.Equal(t, r.Versions, w.Metrics().Pruned)
		require.Equal(t, r.Bytes, w.Metrics().PrunedBytes)
		mine.want(t, w.run, versions[10])
		others.want(t, other, otherVersions[8])
		all.want(t, kept, 0)
		require.Empty(t, applyRetention(t, w.DB).Runs, "nothing is left to do")
		more := mine.steps(t, w.run, 12, 3)
		applyRetention(t, w.DB)
		mine.want(t, w.run, more[1])
		info, err := w.run.Info(w.ctx())
		require.NoError(t, err)
		require.Equal(t, uint64(15), info.Commits)
		require.Equal(t, versions[0], info.FirstVersion)
	})
}

// R214: keep for a duration, alone and together with commits.
func TestR214KeepFor(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		p := memories{}
		old := p.steps(t, w.run, 0, 5)
		w.clock.advance(time.Hour)
		fresh := p.steps(t, w.run, 5, 5)
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{For: time.Hour / 2, Commits: 8})
		applyRetention(t, w.DB)
		p.want(t, w.run, old[2])
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{For: time.Hour / 2, Commits: 2})
		applyRetention(t, w.DB)
		p.want(t, w.run, old[4])
		w.clock.advance(time.Hour)
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{For: time.Hour / 2})
		applyRetention(t, w.DB)
		p.want(t, w.run, fresh[4])
	})
}

// R214: per primitive.
func TestR214PerPrimitive(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		p := memories{}
		versions := p.steps(t, w.run, 0, 10)
		setRetention(t, w.DB, inmem.RetentionTarget{Primitive: inmem.PrimitiveKV},
			inmem.Keep{Commits: 3})
		setRetention(t, w.DB, inmem.RetentionTarget{Run: w.run.ID(), Primitive: inmem.PrimitiveCells},
			inmem.Keep{Commits: 5})
		r := applyRetention(t, w.DB)
		require.Equal(t, versions[7], r.Runs[0].Earliest)
		for i, version := range versions {
			v, err := w.run.At(w.ctx(), version)
			require.NoError(t, err, "some of it can be read")
			value, _, err := v.KV().Get(w.ctx(), "k")
			if i < 7 {
				wantPruned(t, err, w.run, version, versions[7])
			} else {
				require.NoError(t, err)
				require.Equal(t, p[version].kv, value.String())
			}
			cell, err := v.Cell("c").Load(w.ctx())
			if i < 5 {
				wantPruned(t, err, w.run, version, versions[5])
			} else {
				require.NoError(t, err)
				require.Equal(t, p[version].cell, cell.Value.String())
			}
			n, err := v.Events().Len(w.ctx())
			require.NoError(t, err)
			require.Equal(t, p[version].events, n, "events are never removed")
			spans, err := v.Traces().Count(w.ctx(), inmem.SpanFilter{})
			require.NoError(t, err)
			require.Equal(t, p[version].spans, spans)
			require.NoError(t, v.Close())
		}
	})
}

// R214: views, transactions, pins and forks hold history, and the report names them.
func TestR214Holds(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		p := memories{}
		versions := p.steps(t, w.run, 0, 10)
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 1})
		require.NoError(t, w.Pin(w.ctx(), "baseline", w.run, versions[1]))
		view, err := w.run.At(w.ctx(), versions[3])
		require.NoError(t, err)
		r := applyRetention(t, w.DB)
		require.Equal(t, []string{fmt.Sprintf("pin %q at version %d", "baseline", versions[1]),
			fmt.Sprintf("an open view at version %d", versions[3])}, r.Runs[0].HeldBy)
		p.want(t, w.run, versions[1])
		require.NoError(t, w.Unpin(w.ctx(), "baseline"))
		applyRetention(t, w.DB)
		p.want(t, w.run, versions[3])
		require.ErrorIs(t, w.Pin(w.ctx(), "late", w.run, versions[2]), inmem.ErrPruned)
		require.NoError(t, view.Close())
		require.NoError(t, w.run.View(w.ctx(), func(v *inmem.View) error {
			p.steps(t, w.run, 10, 2)
			applyRetention(t, w.DB)
			_, err := glanceAt(t, v)
			return err
		}))
		p.want(t, w.run, versions[9])
	})
}

func TestR214ForksHold(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		p := memories{}
		versions := p.steps(t, w.run, 0, 10)
		child := w.fork(w.run, inmem.ForkOptions{At: versions[4]})
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 1})
		r := applyRetention(t, w.DB)
		require.Equal(t, []string{fmt.Sprintf("fork %s at version %d", child.ID(), versions[4])},
			r.Runs[0].HeldBy)
		p.want(t, w.run, versions[4])
		own := memories{}
		last := own.steps(t, child, 10, 3)
		applyRetention(t, w.DB)
		own.want(t, child, last[2])
		_, err := w.run.Fork(w.ctx(), inmem.ForkOptions{At: versions[3]})
		require.ErrorIs(t, err, inmem.ErrPruned)
		require.NoError(t, w.DeleteRun(w.ctx(), child.ID()))
		applyRetention(t, w.DB)
		p.want(t, w.run, versions[9])
	})
}

func TestRetentionPolicies(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		list, err := w.Retention(ctx)
		require.NoError(t, err)
		require.Empty(t, list)
		run := inmem.RetentionTarget{Run: w.run.ID()}
		cells := inmem.RetentionTarget{Run: w.run.ID(), Primitive: inmem.PrimitiveCells}
		setRetention(t, w.DB, cells, inmem.Keep{For: time.Hour})
		setRetention(t, w.DB, run, inmem.Keep{Commits: 7, For: time.Second})
		setRetention(t, w.DB, inmem.RetentionTarget{}, inmem.Keep{Commits: 1})
		list, err = w.Retention(ctx)
		require.NoError(t, err)
		require.Equal(t, []inmem.RetentionPolicy{{Keep: inmem.Keep{Commits: 1}},
			{RetentionTarget: run, Keep: inmem.Keep{Commits: 7, For: time.Second}},
			{RetentionTarget: cells, Keep: inmem.Keep{For: time.Hour}}}, list)
		require.Equal(t, "7 commits and 1s", list[1].Keep.String())
		v, err := w.ClearRetention(ctx, run)
		require.NoError(t, err)
		require.NotZero(t, v)
		v, err = w.ClearRetention(ctx, run)
		require.NoError(t, err)
		require.Zero(t, v)

		for _, bad := range []inmem.RetentionTarget{{Run: "x"}, {Primitive: inmem.PrimitiveEvents},
			{Primitive: inmem.PrimitiveMachines}, {Primitive: 'j'}} {
			_, err := w.SetRetention(ctx, bad, inmem.Keep{Commits: 1})
			require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		}
		_, err = w.SetRetention(ctx, run, inmem.Keep{For: -1})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument)
		_, err = w.SetRetention(ctx,
			inmem.RetentionTarget{Run: "00000000-0000-4000-8000-000000000001"}, inmem.Keep{})
		require.ErrorIs(t, err, inmem.ErrRunNotFound)

		require.NoError(t, w.DeleteRun(ctx, w.run.ID()))
		_, err = w.ApplyRetention(ctx, nil)
		require.NoError(t, err)
		list, err = w.Retention(ctx)
		require.NoError(t, err)
		require.Len(t, list, 1, "policies of a run go with it")
	})
}

func TestPins(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		ctx := w.ctx()
		v := w.put("k", "v")
		require.NoError(t, w.Pin(ctx, "b", w.run, 0))
		require.NoError(t, w.Pin(ctx, "a", w.run, v-1))
		require.ErrorIs(t, w.Pin(ctx, "a", w.run, v), inmem.ErrExists)
		require.ErrorIs(t, w.Pin(ctx, "c", w.run, v+99), inmem.ErrInvalidArgument)
		require.ErrorIs(t, w.Pin(ctx, "", w.run, v), inmem.ErrInvalidArgument)
		require.ErrorIs(t, w.Pin(ctx, "c", nil, v), inmem.ErrInvalidArgument)
		pins, err := w.Pins(ctx)
		require.NoError(t, err)
		require.Equal(t, []inmem.Pin{{Name: "a", Run: w.run.ID(), Version: v - 1},
			{Name: "b", Run: w.run.ID(), Version: v}}, pins)
		require.NoError(t, w.Unpin(ctx, "a"))
		require.ErrorIs(t, w.Unpin(ctx, "a"), inmem.ErrNotFound)
		require.NoError(t, w.Pin(ctx, "a", w.run, v))
		require.NoError(t, w.DeleteRun(ctx, w.run.ID()))
		pins, err = w.Pins(ctx)
		require.NoError(t, err)
		require.Empty(t, pins)
		require.ErrorIs(t, w.Pin(ctx, "c", w.run, v), inmem.ErrRunNotFound)
	})
}

// R214: a policy that is set is carried out by the open database, also after a reopen; pins hold
// over restarts. Close ends the work.
func TestR214InTheBackground(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir, ctx := t.TempDir(), t.Context()
	o := &inmem.Options{RetentionInterval: 10 * time.Millisecond}
	d, err := inmem.Open(dir, o)
	require.NoError(t, err)
	run, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	p := memories{}
	versions := p.steps(t, run, 0, 40)
	require.NoError(t, d.Pin(ctx, "here", run, versions[30]))
	setRetention(t, d, inmem.RetentionTarget{}, inmem.Keep{Commits: 1})
	// A look holds what it looks at. A pass that meets it goes as far as that, and the next one only
	// if enough is left to go: so the looks are at early versions.
	pruned := func(version uint64) func() bool {
		return func() bool {
			v, err := run.At(ctx, version)
			if err == nil {
				err = v.Close()
			}
			return errors.Is(err, inmem.ErrPruned)
		}
	}
	require.Eventually(t, pruned(versions[5]), 10*time.Second, 10*time.Millisecond)
	require.NoError(t, d.Close())

	d, err = inmem.Open(dir, o)
	require.NoError(t, err)
	run, err = d.Run(ctx, run.ID())
	require.NoError(t, err)
	p.want(t, run, versions[30])
	more := p.steps(t, run, 40, 20)
	time.Sleep(100 * time.Millisecond)
	p.want(t, run, versions[30])
	require.NoError(t, d.Unpin(ctx, "here"))
	require.Eventually(t, pruned(more[0]), 10*time.Second, 10*time.Millisecond)
	require.NoError(t, d.Close())
}

// R214, R215: the bytes go from the disk, and the report says how many.
func TestR215DiskShrinks(t *testing.T) {
	dir, ctx := t.TempDir(), t.Context()
	d, err := inmem.Open(dir, &inmem.Options{RetentionInterval: -1})
	require.NoError(t, err)
	run, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	other, err := d.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(t, err)
	p, rest := memories{}, memories{}
	rest.steps(t, other, 0, 5)
	noise, chance := make([]byte, 64<<10), rand.NewChaCha8([32]byte{215})
	for range 300 {
		_, err := chance.Read(noise) // nothing that could be compressed
		require.NoError(t, err)
		_, err = run.KV().Put(ctx, "large", inmem.Bytes(noise))
		require.NoError(t, err)
	}
	versions := p.steps(t, run, 0, 5)
	require.NoError(t, d.Close()) // all of it is in tables now
	before := sizeOf(t, dir)
	d, err = inmem.Open(dir, &inmem.Options{RetentionInterval: -1})
	require.NoError(t, err)
	run, err = d.Run(ctx, run.ID())
	require.NoError(t, err)
	other, err = d.Run(ctx, other.ID())
	require.NoError(t, err)
	setRetention(t, d, inmem.RetentionTarget{Run: run.ID()}, inmem.Keep{Commits: 3})
	r := applyRetention(t, d)
	require.NoError(t, d.Close())
	after := sizeOf(t, dir)
	t.Logf("on disk %d, then %d; reported %d, then %d; %d bytes in %d records", before, after,
		r.DiskBefore, r.DiskAfter, r.Bytes, r.Versions)
	require.Less(t, after, before/4)
	require.InDelta(t, float64(before-after), float64(r.DiskBefore-r.DiskAfter),
		float64(before)/10, "reported and real")
	require.Greater(t, r.Bytes, uint64(290*len(noise)))

	d, err = inmem.Open(dir, nil)
	require.NoError(t, err)
	defer d.Close()
	run, err = d.Run(ctx, run.ID())
	require.NoError(t, err)
	p.want(t, run, versions[2])
	other, err = d.Run(ctx, other.ID())
	require.NoError(t, err)
	rest.want(t, other, 0)
}

// sizeOf is what the tables of a database take.
func sizeOf(t testing.TB, dir string) (total int64) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".sst" {
			return err
		}
		info, err := os.Stat(path)
		if err == nil {
			total += info.Size()
		}
		return err
	}))
	return total
}
