package inmem_test

import (
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

// hold opens a view and keeps it.
func (h *history) hold() {
	if len(h.held) == 3 {
		return
	}
	opened := make(chan hands)
	v := heldView{m: h.m.clone(), end: make(chan struct{}), gone: make(chan error, 1)}
	runs, shared := map[string]*inmem.Run{}, map[string]*inmem.Shared{}
	for name, run := range h.runs {
		runs[name] = run
	}
	for name, s := range h.shared {
		shared[name] = s
	}
	go func() {
		v.gone <- h.d.View(h.ctx, func(view *inmem.View) error {
			opened <- h.looking(view, runs, shared)
			<-v.end
			return nil
		})
	}()
	v.h = <-opened
	h.held = append(h.held, v)
	h.tell("view of version %d", h.d.Version())
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
		close(v.end)
		h.must(<-v.gone)
		h.held = slices.Delete(h.held, i, i+1)
	}
}

// travel opens the database as it was at an old version, and compares it with what was there then.
func (h *history) travel() {
	i := evenly(h.r, len(h.states))
	old := h.states[i]
	d := h.over(past{staying{h.a.b}, old.version, old.m.now.UnixNano()})
	m := old.m.clone()
	m.epoch = h.m.epoch
	runs, shared := map[string]*inmem.Run{}, map[string]*inmem.Shared{}
	for _, name := range m.names(true) {
		run, err := d.Run(h.ctx, name)
		if m.dead[m.scopes[name].number] > 0 && word(err) == "run not found" {
			continue
		}
		h.must(err)
		runs[name] = run
	}
	for _, name := range m.names(false) {
		if m.dead[m.scopes[name].number] > 0 {
			continue
		}
		s, err := d.Shared(h.ctx, h.spaces[name])
		h.must(err)
		shared[name] = s
	}
	h.must(d.View(h.ctx, func(v *inmem.View) error {
		if v.Version() != old.version {
			h.wrong("the past is at %d", v.Version())
		}
		h.compareOld("version in the past", h.looking(v, runs, shared), m)
		return nil
	}))
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
	t.Skip("open: old versions of the index of runs still hold the record, tags and metadata")
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
		d, err := inmem.OpenOn(inmem.Hooks{
			Backend: past{staying{w.b}, at, w.clock.now().UnixNano()},
		}, nil)
		require.NoError(t, err)
		require.NoError(t, d.View(w.ctx(), nothing))
	})
}
