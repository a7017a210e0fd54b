package inmem_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// looking are hands that read through a view.
func (h *history) looking(v *inmem.View, runs map[string]*inmem.Run,
	shared map[string]*inmem.Shared,
) hands {
	return hands{
		ctx: h.ctx, runs: v.Runs(),
		place: func(name string) place {
			if run := runs[name]; run != nil {
				return v.On(run)
			}
			if s := shared[name]; s != nil {
				return v.OnShared(s)
			}
			return nil // deleted
		},
		record: func(name string) inmem.RunRecord { return v.On(runs[name]).Record() },
	}
}

// hold opens a view, of now or of the past, and keeps it.
func (h *history) hold() {
	if len(h.held) == 3 {
		return
	}
	if odds(h.r, 2) {
		h.holdOld()
		return
	}
	opened := make(chan hands)
	end, gone := make(chan struct{}), make(chan error, 1)
	v := heldView{m: h.m.clone(), end: func() error {
		close(end)
		return <-gone
	}}
	runs, shared := h.living(v.m)
	go func() {
		gone <- h.d.View(h.ctx, func(view *inmem.View) error {
			opened <- h.looking(view, runs, shared)
			<-end
			return nil
		})
	}()
	v.h = <-opened
	h.held = append(h.held, v)
	h.tell("view of version %d", h.d.Version())
}

// holdOld keeps a view of an old version.
func (h *history) holdOld() {
	old := h.states[evenly(h.r, len(h.states))]
	view, m := h.viewOf(old)
	runs, shared := h.living(m)
	h.held = append(h.held, heldView{m: m, h: h.looking(view, runs, shared), end: view.Close})
	h.tell("view of old version %d", old.version)
}

// viewOf opens a view of an old version, with what it has to show.
func (h *history) viewOf(old state) (*inmem.View, *mirror) {
	view, err := h.d.At(h.ctx, old.version)
	h.must(err)
	if view.Version() != old.version {
		h.wrong("the view of %d is at %d", old.version, view.Version())
	}
	m := old.m.clone()
	m.epoch = h.m.epoch
	return view, m
}

// living are the handles of the scopes of an old state that were not deleted since.
func (h *history) living(m *mirror) (map[string]*inmem.Run, map[string]*inmem.Shared) {
	runs, shared := map[string]*inmem.Run{}, map[string]*inmem.Shared{}
	for name, s := range m.scopes {
		switch {
		case m.dead[s.number] > 0:
		case s.run != nil:
			runs[name] = h.runs[name]
		default:
			shared[name] = h.shared[name]
		}
	}
	return runs, shared
}

// look compares a view that was opened some time ago with what was there then.
func (h *history) look() {
	if len(h.held) == 0 {
		return
	}
	i := evenly(h.r, len(h.held))
	v := h.held[i]
	h.compareOld("open view", v.h, v.m)
	if odds(h.r, 2) {
		h.must(v.end())
		h.held = slices.Delete(h.held, i, i+1)
	}
}

// travel looks at the database as it was at an old version.
func (h *history) travel() { h.visit(h.states[evenly(h.r, len(h.states))]) }

// visit compares the database as it was at an old version with what was there then.
func (h *history) visit(old state) {
	view, m := h.viewOf(old)
	runs, shared := h.living(m)
	h.compareOld(fmt.Sprintf("old version %d", old.version), h.looking(view, runs, shared), m)
	for _, run := range h.dead {
		if _, _, err := view.On(run).KV().Get(h.ctx, "a"); word(err) != "run not found" {
			h.wrong("version %d of deleted run %s: %v", old.version, run.ID(), err)
		}
	}
	h.must(view.Close())
}

// tour visits every version that there ever was, and replays all runs through them.
func (h *history) tour() {
	for _, old := range h.states {
		h.visit(old)
	}
	for _, name := range h.m.names(true) {
		h.replayed(name)
	}
}

// compareOld compares an old view. Deletion wins over history: what was deleted since is gone from
// there, too.
func (h *history) compareOld(what string, hs hands, m *mirror) {
	for _, name := range slices.Concat(m.names(true), m.names(false)) {
		p := hs.place(name)
		if m.dead[m.scopes[name].number] == 0 || p == nil {
			continue
		}
		_, _, get := p.KV().Get(h.ctx, "a")
		_, err := p.Events().Len(h.ctx)
		if word(get) != "run not found" || word(err) != "run not found" {
			h.wrong("%s of deleted %s: %v, %v", what, name, get, err)
		}
	}
	h.compare(what, hs, m)
}

// R194, semantics 5.4: a view that was opened before a run was deleted does not find it any more,
// in the index of runs neither; nor does a database that looks at an old version.
func TestR194NoOldViewFindsDeletedRuns(t *testing.T) {
	onEngines(t, func(t *testing.T, e engine) {
		w := newWorld(t, e, nil)
		run, err := w.BeginRun(w.ctx(), inmem.RunOptions{ID: someID, Tenant: "acme",
			Tags: []string{"secret"}, Parent: w.run.ID()})
		require.NoError(t, err)
		require.NoError(t, run.Record().Pause(w.ctx()))
		require.NoError(t, run.Record().Resume(w.ctx()))
		nothing := func(v *inmem.View) error {
			_, err := v.Runs().Get(w.ctx(), someID)
			require.ErrorIs(t, err, inmem.ErrRunNotFound)
			for _, q := range []inmem.RunQuery{{Tenant: "acme"}, {Tags: []string{"secret"}},
				{Tenant: "acme", Status: []inmem.Status{inmem.Active}}, {Parent: w.run.ID()}} {
				require.Empty(t, idsOf(t, v.Runs(), q))
				n, err := v.Runs().Count(w.ctx(), q)
				require.NoError(t, err)
				require.Zero(t, n)
				stats, err := v.Runs().Stats(w.ctx(), q)
				require.NoError(t, err)
				require.Equal(t, inmem.RunStats{}, stats)
			}
			return nil
		}
		at := w.Version()
		require.NoError(t, w.View(w.ctx(), func(v *inmem.View) error {
			require.NoError(t, w.DeleteRun(w.ctx(), someID))
			return nothing(v)
		}))
		v, err := w.At(w.ctx(), at)
		require.NoError(t, err)
		require.NoError(t, nothing(v))
		require.NoError(t, v.Close())
	})
}
