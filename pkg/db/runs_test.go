package inmem_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

const someID = "00112233-4455-6677-8899-aabbccddeeff"

// R020: ids are UUIDs in their canonical text; generated ones are of version 7 and sort by time.
func TestR020RunIDs(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	seen := map[string]bool{w.run.ID(): true}
	for range 100 {
		r, err := w.BeginRun(w.ctx(), inmem.RunOptions{})
		require.NoError(t, err)
		require.Len(t, r.ID(), 36)
		require.Equal(t, byte('7'), r.ID()[14])
		require.False(t, seen[r.ID()])
		seen[r.ID()] = true
	}
	given, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: strings.ToUpper(someID)})
	require.NoError(t, err)
	require.Equal(t, someID, given.ID())
	again, err := w.Run(w.ctx(), someID)
	require.NoError(t, err)
	require.Equal(t, someID, again.ID())

	for _, bad := range []string{"x", someID[1:], "{" + someID + "}", "urn:uuid:" + someID,
		strings.ReplaceAll(someID, "-", ""), "00000000-0000-0000-0000-000000000000"} {
		_, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: bad})
		require.ErrorIs(t, err, inmem.ErrInvalidArgument, bad)
		_, err = w.Run(w.ctx(), bad)
		require.ErrorIs(t, err, inmem.ErrInvalidArgument, bad)
	}
	_, err = w.Run(w.ctx(), "")
	require.ErrorIs(t, err, inmem.ErrInvalidArgument)
}

func TestBeginRunExists(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		first, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID, Agent: "first"})
		require.NoError(t, err)
		_, err = w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID, Agent: "second"})
		require.ErrorIs(t, err, inmem.ErrRunExists)
		require.ErrorContains(t, err, someID)
		require.NoError(t, first.End(w.ctx(), inmem.Failed))
		_, err = w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID})
		require.ErrorIs(t, err, inmem.ErrRunExists, "an ended run exists")
		info, err := first.Info(w.ctx())
		require.NoError(t, err)
		require.Equal(t, "first", info.Agent)

		_, err = w.Run(w.ctx(), "ffffffff-4455-6677-8899-aabbccddeeff")
		require.ErrorIs(t, err, inmem.ErrRunNotFound)
		require.ErrorContains(t, err, "ffffffff")
	})
}

// Of many that begin a run with one id, one does.
func TestBeginRunRace(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { _, errs[i] = w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID}) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, inmem.ErrRunExists)
		}
		require.Equal(t, 1, won)
	})
}

func TestRunInfo(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		began := w.clock.now()
		meta, err := inmem.ValueOf(map[string]any{"model": "m", "n": 3})
		require.NoError(t, err)
		o := inmem.RunOptions{Tenant: "t", App: "p", Agent: "a",
			Tags: []string{"z", "a", "z"}, Metadata: meta}
		r, err := w.BeginRun(w.ctx(), o)
		require.NoError(t, err)
		require.Equal(t, []string{"z", "a", "z"}, o.Tags, "the caller's slice stays")
		w.clock.advance(time.Minute)
		require.NoError(t, r.End(w.ctx(), inmem.Cancelled))
		for _, handle := range []func() (*inmem.Run, error){
			func() (*inmem.Run, error) { return r, nil },
			func() (*inmem.Run, error) { return w.Run(w.ctx(), r.ID()) },
		} {
			r, err := handle()
			require.NoError(t, err)
			info, err := r.Info(w.ctx())
			require.NoError(t, err)
			require.True(t, meta.Equal(info.Metadata))
			info.Metadata = inmem.Null()
			require.Equal(t, inmem.RunInfo{
				ID: r.ID(), Tenant: "t", App: "p", Agent: "a", Status: inmem.Cancelled,
				Created: began, Updated: w.clock.now(), Ended: w.clock.now(),
				Tags: []string{"a", "z"}, Metadata: inmem.Null(),
			}, info)
		}
		info, err := w.run.Info(w.ctx())
		require.NoError(t, err)
		require.Equal(t, inmem.Active, info.Status)
		require.True(t, info.Ended.IsZero())
	})
}

func TestBeginRunRefusesWhatNoRecordHolds(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	for _, c := range []struct {
		o  inmem.RunOptions
		is error
	}{
		{inmem.RunOptions{Tenant: strings.Repeat("t", 1025)}, inmem.ErrTooLarge},
		{inmem.RunOptions{App: "\xff"}, inmem.ErrInvalidArgument},
		{inmem.RunOptions{Tags: []string{""}}, inmem.ErrInvalidArgument},
		{inmem.RunOptions{Metadata: inmem.String("\xff")}, inmem.ErrInvalidArgument},
	} {
		_, err := w.BeginRun(w.ctx(), c.o)
		require.ErrorIs(t, err, c.is, "%+v", c.o)
	}
	nul := strings.Repeat("\x00", 1024)
	_, err := w.BeginRun(w.ctx(), inmem.RunOptions{Tenant: nul, App: nul, Agent: nul})
	require.NoError(t, err, "the longest index key fits")
}

// Of many that end a run one does; the others learn that it has ended.
func TestEndRace(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() { errs[i] = w.run.End(w.ctx(), inmem.Completed) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
				continue
			}
			require.ErrorIs(t, err, inmem.ErrRunNotActive)
			require.ErrorContains(t, err, "completed", "it names the status")
		}
		require.Equal(t, 1, won)
		for _, s := range []inmem.Status{0, inmem.Active, codec.Paused, codec.Archived, 77} {
			require.ErrorIs(t, w.run.End(w.ctx(), s), inmem.ErrInvalidArgument)
		}
	})
}

// semantics 2.10: the status is checked at commit, and there is no retry.
func TestEndDuringUpdate(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		calls := 0
		_, err := w.run.Update(w.ctx(), func(tx *inmem.Tx) error {
			calls++
			_, err := tx.KV().Put(w.ctx(), "k", inmem.Int(1))
			return errors.Join(err, w.run.End(w.ctx(), inmem.Completed))
		})
		require.ErrorIs(t, err, inmem.ErrRunNotActive)
		require.ErrorContains(t, err, w.run.ID())
		require.Equal(t, 1, calls)
	})
}

// R021, R025: the same key in four namespaces that differ in one part each is four keys.
func TestR021Namespaces(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		var runs []*inmem.Run
		for _, o := range []inmem.RunOptions{
			{Tenant: "a", App: "a", Agent: "a"}, {Tenant: "b", App: "a", Agent: "a"},
			{Tenant: "a", App: "b", Agent: "a"}, {Tenant: "a", App: "a", Agent: "b"},
		} {
			r, err := w.BeginRun(w.ctx(), o)
			require.NoError(t, err)
			_, err = r.KV().Put(w.ctx(), "user:1", inmem.String(r.ID()))
			require.NoError(t, err)
			runs = append(runs, r)
		}
		for _, r := range runs {
			require.Equal(t, r.ID(), text(t, r.KV(), "user:1"))
			n, err := r.KV().Count(w.ctx(), inmem.ScanOptions{})
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
	})
}

// A run is one commit: its record with all its entries in the index of runs, which lead back to it.
func TestBeginRunIsOneCommit(t *testing.T) {
	w := newWorld(t, engines[0], nil)
	before := w.Metrics().Commits
	r, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID, Tenant: "t\x00", App: "app",
		Tags: []string{"a", "b"}})
	require.NoError(t, err)
	require.Equal(t, before+1, w.Metrics().Commits)
	for _, q := range []inmem.RunQuery{{Tenant: "t\x00"}, {App: "app"}, {Tags: []string{"a", "b"}},
		{Status: []inmem.Status{inmem.Active}, App: "app"}} {
		page, err := w.Runs().Query(w.ctx(), q)
		require.NoError(t, err)
		require.Len(t, page.Runs, 1)
		require.Equal(t, r.ID(), page.Runs[0].ID)
		require.Empty(t, page.Next)
	}
	report, err := r.Record().VerifyIndex(w.ctx())
	require.NoError(t, err)
	require.True(t, report.Healthy(), "%+v", report)
}
