package inmem_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// beginRun begins a run, perhaps with an id that is taken or was.
func (h *history) beginRun() {
	o := inmem.RunOptions{
		ID:     some(h.r, runIDs...),
		Tenant: some(h.r, tenants...),
		Parent: some(h.r, "", "", "", noRun, "other"),
		Tags:   drawTags(h.r, runTags), Metadata: drawValue(h.r),
	}
	if all := h.m.names(true); o.Parent == "other" && len(all) > 0 {
		o.Parent = some(h.r, all...)
	} else if o.Parent == "other" {
		o.Parent = ""
	}
	if o.Tenant != "" {
		o.App = some(h.r, "", "app")
	}
	if o.App != "" {
		o.Agent = some(h.r, "", "agent")
	}
	before := h.d.Version()
	run, err := h.d.BeginRun(h.ctx, o)
	h.tell("begin %+v -> %s", o, word(err))
	var want []string
	if h.m.scopes[o.ID] != nil {
		want = append(want, "run exists")
	}
	parent := h.m.scopes[o.Parent]
	if o.Parent != "" && parent == nil {
		want = append(want, "run not found")
	}
	if want == nil {
		want = append(want, "ok")
	}
	if !slices.Contains(want, word(err)) {
		h.wrong("want %q", want)
	}
	a := h.m.begin(true)
	if err == nil {
		s := a.add(o.ID)
		s.run = &mirrorRun{epoch: h.m.epoch, RunInfo: inmem.RunInfo{
			ID: o.ID, Tenant: o.Tenant, App: o.App, Agent: o.Agent, Parent: o.Parent,
			Status: inmem.Active, Created: h.m.now, Updated: h.m.now, Tags: tagSet(o.Tags),
			Metadata: o.Metadata,
		}}
		if parent != nil {
			s.run.parent = parent.number
		}
		h.runs[o.ID] = run
	}
	h.committed(a, err == nil, before)
}

// deleteRun deletes a run, or one that does not exist.
func (h *history) deleteRun() {
	id := some(h.r, runIDs...)
	before := h.d.Version()
	err := h.d.DeleteRun(h.ctx, id)
	h.tell("delete run %s -> %s", id, word(err))
	a := h.m.begin(true)
	if h.m.scopes[id] == nil {
		if word(err) != "run not found" {
			h.wrong("there is none")
		}
		h.committed(a, false, before)
		return
	}
	if len(h.m.forks(h.m.scopes[id])) > 0 {
		if word(err) != "has forks" {
			h.wrong("it has forks")
		}
		h.committed(a, false, before)
		return
	}
	h.must(err)
	a.remove(id, h.d.Version())
	h.dead = append(h.dead, h.runs[id])
	delete(h.runs, id)
	h.committed(a, true, before)
}

// parent is the id of a run's parent; empty for none.
func (s *mirrorScope) parent() string {
	if s.run == nil {
		return ""
	}
	return s.run.Parent
}

// share opens a shared namespace.
func (h *history) share() {
	n := some(h.r, []inmem.Namespace{
		{Tenant: "acme"}, {Tenant: "acme", App: "app"}, {Tenant: "acme", App: "app", Agent: "agent"},
		{Tenant: "acme\x00"},
	}...)
	before := h.d.Version()
	s, err := h.d.Shared(h.ctx, n)
	h.must(err)
	name := n.String()
	h.tell("shared %s", name)
	a := h.m.begin(true)
	fresh := h.m.scopes[name] == nil
	if fresh {
		a.add(name)
	}
	h.shared[name], h.spaces[name] = s, n
	h.committed(a, fresh, before)
}

// deleteTenant deletes all runs and shared namespaces of a tenant.
func (h *history) deleteTenant() {
	tenant := some(h.r, tenants[1:]...)
	before := h.d.Version()
	n, err := h.d.DeleteTenant(h.ctx, tenant)
	h.must(err)
	h.tell("delete tenant %q -> %d", tenant, n)
	a := h.m.begin(true)
	want, any := 0, false
	for _, s := range a.scopes { // those of other tenants are flattened
		if p := a.scopes[s.parent()]; p != nil && p.run.Tenant == tenant && p.number == s.run.parent {
			s.run.reads = false
		}
	}
	for name, s := range h.m.scopes {
		if s.run == nil && h.spaces[name].Tenant == tenant {
			a.remove(name, h.d.Version())
			delete(h.shared, name)
			any = true
		} else if s.run != nil && s.run.Tenant == tenant {
			a.remove(name, h.d.Version())
			h.dead = append(h.dead, h.runs[name])
			delete(h.runs, name)
			want, any = want+1, true
		}
	}
	if n != want {
		h.wrong("want %d", want)
	}
	h.committed(a, any, before)
	h.must(h.d.Flush(h.ctx)) // its steps are not in the mirror
}

// tick moves the clock.
func (h *history) tick() {
	by := some(h.r, 1, time.Millisecond, 400*time.Millisecond, time.Second,
		3*time.Second)
	h.clock.advance(by)
	h.m.now = h.clock.now()
	h.tell("clock %v", by)
}

// sweep deletes what has expired. The mirror learns how many commits that took.
func (h *history) sweep() {
	before := h.d.Version()
	h.must(h.a.sweep())
	h.tell("sweep")
	found := 0
	for _, name := range slices.Concat(h.m.names(true), h.m.names(false)) {
		s := h.m.scopes[name]
		due := s.due(h.m.now)
		found += due
		if s.run == nil {
			s.sweep(h.m.now)
			continue
		}
		i, err := h.runs[name].Info(h.ctx)
		h.must(err)
		more := int(i.Commits) - len(s.commits)
		ended := s.run.Status != inmem.Active && s.run.Status != inmem.Paused
		if more < 0 || more > due || ended && more > 0 ||
			s.run.Status == inmem.Active && due > 0 && more == 0 {
			h.wrong("%d commits more for %d expired of %v %s", more, due, s.run.Status, name)
		}
		for range more {
			s.sweep(h.m.now)
			s.commits = append(s.commits, i.LastVersion)
		}
	}
	if found == 0 && h.d.Version() != before {
		h.wrong("the sweep found something")
	}
	h.must(h.d.Flush(h.ctx)) // its steps are not in the mirror
	h.remember()
}

// due counts the expired keys that no sweep has deleted.
func (s *mirrorScope) due(now time.Time) (n int) {
	for _, keys := range s.keys {
		for _, k := range keys {
			n += one(k.exists && !k.swept && !k.inherited && !k.live(now))
		}
	}
	return n
}

func (s *mirrorScope) sweep(now time.Time) {
	for _, keys := range s.keys {
		for key, k := range keys {
			k.swept = k.swept || k.exists && !k.live(now)
			keys[key] = k
		}
	}
}

// corpses looks at runs that were deleted.
func (h *history) corpses() {
	before := h.d.Version()
	for _, run := range h.dead {
		_, _, get := run.KV().Get(h.ctx, "a")
		_, put := run.KV().Put(h.ctx, "a", inmem.Null())
		_, appended := run.Events().Append(h.ctx, "a", inmem.Null())
		_, store := run.Cell("one").Store(h.ctx, inmem.Null())
		_, start := run.Traces().Start(h.ctx, inmem.Span{Type: inmem.SpanQuery})
		_, update := run.Update(h.ctx, func(tx *inmem.Tx) error {
			_, err := tx.Extension("").Put(h.ctx, "a", inmem.Null())
			return err
		})
		for i, err := range []error{get, put, appended, store, start, update} {
			if word(err) != "run not found" {
				h.wrong("operation %d of deleted run %s: %v", i, run.ID(), err)
			}
		}
	}
	h.committed(h.m.begin(true), false, before)
}

// compare looks at everything that can be read. Deletion wins over history: what was deleted since
// is in no version any more.
func (h *history) compare(what string, hs hands, m *mirror) {
	before := h.d.Version()
	a := m.begin(false)
	hs.attempt = a
	var all []deed
	whole := true
	for _, name := range slices.Concat(m.names(true), m.names(false)) {
		if m.dead[m.scopes[name].number] > 0 {
			whole = false
		} else {
			all = append(all, h.reads(name, m)...)
		}
	}
	if whole { // for the rest see TestR194NoOldViewFindsDeletedRuns
		all = append(all, runReads(h.rng, m)...)
	}
	for _, d := range all {
		if !whole && d.index {
			continue
		}
		if got, want := d.real(hs), d.mirror(a); !admits(want, got) {
			h.wrong("%s: %s\n got %s\nwant %s", what, d.text, got, want)
		}
		if h.d.Version() != before {
			h.wrong("%s: %s: reading has written", what, d.text)
		}
	}
}

// healthy compares all indexes with what they are made from.
func (h *history) healthy() {
	h.verify()
	for _, name := range slices.Concat(h.m.names(true), h.m.names(false)) {
		p := h.direct(nil).place(name)
		events, err := p.Events().VerifyIndex(h.ctx)
		h.must(err)
		spans, err := p.Traces().VerifyIndexes(h.ctx)
		h.must(err)
		if events.Missing+events.Surplus > 0 || !spans.Healthy() {
			h.wrong("indexes of %s: %+v, %+v", name, events, spans)
		}
	}
	report, err := h.d.Runs().Verify(h.ctx)
	h.must(err)
	if !report.Healthy() {
		h.wrong("index of runs: %s", strings.TrimSpace(fmt.Sprintf("%+v", report)))
	}
}
