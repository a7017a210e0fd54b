package inmem_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// actor does something of everything in runs.
type actor struct {
	*world
	r     *rand.Rand
	spans map[string][]string // of a run, by its id: those that are open
}

func newActor(w *world, seed uint64) *actor {
	return &actor{world: w, r: rand.New(rand.NewPCG(seed, 1)), spans: map[string][]string{}}
}

// act is one commit of a run, with one or several changes; some have nothing to do.
func (a *actor) act(run *inmem.Run) {
	a.t.Helper()
	a.clock.advance(time.Duration(1+a.r.IntN(1000)) * time.Millisecond)
	if a.r.IntN(12) == 0 {
		require.NoError(a.t, a.sweep())
	}
	_, err := run.Update(a.ctx(), func(tx *inmem.Tx) error {
		for range 1 + a.r.IntN(4) {
			if err := a.change(run.ID(), tx); err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(a.t, err)
}

func (a *actor) change(id string, tx *inmem.Tx) (err error) {
	ctx := a.ctx()
	key := fmt.Sprint("key", a.r.IntN(6))
	v := inmem.String(fmt.Sprint(a.r.IntN(1000)))
	switch a.r.IntN(11) {
	case 0, 1:
		_, err = tx.KV().Put(ctx, key, v)
	case 2, 3:
		ttl := time.Duration(1+a.r.IntN(4000)) * time.Millisecond
		_, err = tx.KV().PutWithTTL(ctx, key, v, ttl)
	case 4:
		_, err = tx.KV().Delete(ctx, key)
	case 5, 6:
		_, err = tx.Events().Append(ctx, fmt.Sprint("type", a.r.IntN(3)), v)
	case 7:
		_, err = tx.Cell(key).Store(ctx, v)
	case 8:
		_, err = tx.Cell(key).Delete(ctx)
	case 9:
		_, err = tx.Extension("ext").PutWithTTL(ctx, key, v, time.Second)
	case 10:
		err = a.trace(ctx, id, tx)
	}
	return err
}

// trace starts a span, or changes the tags of one.
func (a *actor) trace(ctx context.Context, run string, tx *inmem.Tx) error {
	open := a.spans[run]
	if len(open) > 0 && a.r.IntN(2) == 0 {
		return tx.Traces().Update(ctx, open[a.r.IntN(len(open))], func(s *inmem.Span) error {
			s.Tags = []string{fmt.Sprint("tag", a.r.IntN(3)), fmt.Sprint("tag", 3+a.r.IntN(3))}
			return nil
		})
	}
	s := inmem.Span{ID: fmt.Sprint("span", len(open)), Type: inmem.SpanDecision, Name: "n",
		Tags: []string{"tag0"}, Start: a.clock.now()}
	if len(open) > 0 {
		s.Parent = open[0]
	}
	_, err := tx.Traces().Start(ctx, s)
	if err == nil {
		a.spans[run] = append(open, s.ID)
	}
	return err
}

// exported is a bundle of a run.
func exported(t testing.TB, d *inmem.DB, id string, o inmem.ExportOptions) (
	[]byte, inmem.BundleInfo,
) {
	t.Helper()
	var b bytes.Buffer
	info, err := d.ExportRun(t.Context(), id, &b, o)
	require.NoError(t, err)
	found, err := inmem.VerifyBundle(t.Context(), bytes.NewReader(b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, info, found)
	return b.Bytes(), info
}

// imported imports a bundle.
func imported(t testing.TB, d *inmem.DB, file []byte, o inmem.ImportOptions) *inmem.Run {
	t.Helper()
	r, err := d.ImportRun(t.Context(), bytes.NewReader(file), o)
	require.NoError(t, err)
	return r
}

// replayed is what a replay tells.
func replayed(t testing.TB, r *inmem.Run) []inmem.Commit {
	t.Helper()
	var all []inmem.Commit
	o := inmem.ReplayOptions{Values: inmem.OldAndNewValues}
	for c, err := range r.Replay(t.Context(), o) {
		require.NoError(t, err)
		all = append(all, c)
	}
	return all
}

// made is where a commit was made.
func made(c *inmem.Commit) (uint64, time.Time) {
	if c.Origin.Version != 0 {
		return c.Origin.Version, c.Origin.Time
	}
	return c.Version, c.Time
}

// wantSameHistory demands that an imported run is what the original is, at every version.
func wantSameHistory(t testing.TB, original, copied *inmem.Run) {
	t.Helper()
	ctx := t.Context()
	want, got := replayed(t, original), replayed(t, copied)
	require.Equal(t, len(want), len(got))
	for i := range want {
		a, b := &want[i], &got[i]
		version, at := made(a)
		require.Equal(t, inmem.Origin{Version: version, Time: at}, b.Origin)
		require.Equal(t, a.Number, b.Number)
		require.Len(t, b.Changes, len(a.Changes))
		for j := range a.Changes {
			wantSameChange(t, &a.Changes[j], &b.Changes[j])
		}
		hash, err := original.StateHash(ctx, a.Version)
		require.NoError(t, err)
		copiedHash, err := copied.StateHash(ctx, b.Version)
		require.NoError(t, err)
		require.Equal(t, hash, copiedHash, "commit %d", a.Number)
		wantSameView(t, original, copied, a, b)
	}
	wantSameLog(t, original, copied)
}

func wantSameChange(t testing.TB, a, b *inmem.Change) {
	t.Helper()
	require.Equal(t, a.String(), b.String())
	require.Equal(t, a.Expires(), b.Expires())
	want, err := a.Value()
	require.NoError(t, err)
	got, err := b.Value()
	require.NoError(t, err)
	require.True(t, want.Equal(got))
	want, had, err := a.Old()
	require.NoError(t, err)
	got, has, err := b.Old()
	require.NoError(t, err)
	require.Equal(t, had, has, "%v", a)
	if had && a.Primitive != inmem.PrimitiveEvents {
		require.True(t, want.Equal(got))
	}
}

// wantSameView looks through the indexes, and by time.
func wantSameView(t testing.TB, original, copied *inmem.Run, a, b *inmem.Commit) {
	t.Helper()
	look := func(r *inmem.Run, version uint64) (all []string) {
		v, err := r.At(t.Context(), version)
		require.NoError(t, err)
		defer func() { require.NoError(t, v.Close()) }()
		for tag := range 6 {
			f := inmem.SpanFilter{Tag: fmt.Sprint("tag", tag)}
			for s, err := range v.Traces().List(t.Context(), f) {
				require.NoError(t, err)
				all = append(all, s.ID)
			}
		}
		for typ := range 3 {
			n, err := v.Events().CountType(t.Context(), fmt.Sprint("type", typ))
			require.NoError(t, err)
			all = append(all, fmt.Sprint(n))
		}
		for key := range v.KV().List(t.Context(), inmem.ScanOptions{}) {
			all = append(all, key)
		}
		return append(all, v.Time().String())
	}
	_, at := made(a)
	want := look(original, a.Version)
	want[len(want)-1] = at.String()
	require.Equal(t, want, look(copied, b.Version), "commit %d", a.Number)
	v, err := copied.AtTime(t.Context(), at)
	require.NoError(t, err)
	require.GreaterOrEqual(t, v.Version(), b.Version)
	require.NoError(t, v.Close())
	v, err = copied.AtTime(t.Context(), at.Add(-1))
	require.NoError(t, err)
	require.Less(t, v.Version(), b.Version)
	require.NoError(t, v.Close())
}

func wantSameLog(t testing.TB, original, copied *inmem.Run) {
	t.Helper()
	want, err := original.Events().Verify(t.Context())
	require.NoError(t, err)
	require.True(t, want.Valid, want.Reason)
	got, err := copied.Events().Verify(t.Context())
	require.NoError(t, err)
	require.Equal(t, want, got)
	report, err := copied.Traces().VerifyIndexes(t.Context())
	require.NoError(t, err)
	require.True(t, report.Healthy(), "%v", report)
	log, err := copied.Events().VerifyIndex(t.Context())
	require.NoError(t, err)
	require.Zero(t, log.Missing+log.Surplus)
}
