package inmem_test

import (
	"cmp"
	"slices"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// Forks in random histories. A fork is a run like any other from its first moment on, and
// everything else that a history does happens to it, too: so here it is only made, and deleted with
// a choice. In the mirror it is a copy of its parent as it was.

// ancestor is what a fork was made from: the number of a scope, and the version.
type ancestor struct {
	number  int
	version uint64
}

// was is what a scope showed at a version: if it did not exist yet, what its parent did, up to the
// version of the fork. Nil is nothing.
func (h *history) was(s *mirrorScope, at uint64) *mirrorScope {
	line := append([]ancestor{{s.number, at}}, s.above...)
	for _, up := range line {
		at = min(at, up.version)
		i, found := slices.BinarySearchFunc(h.states, at, func(s state, at uint64) int {
			return cmp.Compare(s.version, at)
		})
		if !found {
			i--
		}
		for _, x := range h.states[i].m.scopes {
			if x.number == up.number {
				return x
			}
		}
	}
	return nil
}

// youth looks at a fork at a version, perhaps one before it was made.
func (h *history) youth() {
	names := slices.DeleteFunc(h.m.names(true), func(name string) bool {
		return h.m.scopes[name].above == nil
	})
	if len(names) == 0 {
		return
	}
	name := some(h.r, names...)
	old := h.states[evenly(h.r, len(h.states))]
	m := newMirror(old.m.now)
	m.add(name)
	if was := h.was(h.m.scopes[name], old.version); was != nil {
		m.scopes[name] = was.clone()
	}
	m.scopes[name].run = nil // its record is not looked at
	view, err := h.runs[name].At(h.ctx, old.version)
	h.must(err)
	h.tell("fork %s at version %d", name, old.version)
	hs := h.looking(view, map[string]*inmem.Run{name: h.runs[name]}, nil)
	hs.attempt = m.begin(false)
	for _, d := range h.reads(name, m) {
		if got, want := d.real(hs), d.mirror(hs.attempt); !admits(want, got) {
			h.wrong("fork %s at %d: %s\n got %s\nwant %s", name, old.version, d.text, got, want)
		}
	}
	h.must(view.Close())
}

// forkRun forks a run, at a version that it had or as it is.
func (h *history) forkRun() {
	names := h.m.names(true)
	if len(names) == 0 {
		return
	}
	of := some(h.r, names...)
	o := inmem.ForkOptions{
		ID: some(h.r, runIDs...), Tenant: some(h.r, "", "", tenants[1]),
		Tags: drawTags(h.r, runTags), Metadata: drawValue(h.r),
	}
	parent := h.m.scopes[of]
	if at := h.states[evenly(h.r, len(h.states))].version; at > 0 && odds(h.r, 2) {
		o.At, parent = at, h.was(parent, at)
	}
	before := h.d.Version()
	fork, err := h.runs[of].Fork(h.ctx, o)
	h.tell("fork %s with %+v -> %s", of, o, word(err))
	a := h.m.begin(true)
	if h.m.scopes[o.ID] != nil {
		if word(err) != "run exists" {
			h.wrong("want: run exists")
		}
		h.committed(a, false, before)
		return
	}
	h.must(err)
	h.runs[o.ID] = fork
	a.fork(h.m.scopes[of], parent, o, cmp.Or(o.At, before))
	h.committed(a, true, before)
}

// fork adds a fork of a run with what it was; nil is nothing.
func (a *attempt) fork(of, was *mirrorScope, o inmem.ForkOptions, at uint64) {
	s := a.add(o.ID)
	if was != nil {
		copied := was.clone()
		for _, keys := range copied.keys {
			for name, k := range keys {
				k.inherited = true
				keys[name] = k
			}
		}
		copied.name, copied.number = s.name, s.number
		s = copied
		a.scopes[o.ID] = s
	}
	s.above = append([]ancestor{{of.number, at}}, of.above...)
	up := of.run.RunInfo
	s.run = &mirrorRun{epoch: a.epoch, parent: of.number, reads: true, RunInfo: inmem.RunInfo{
		ID: o.ID, Tenant: cmp.Or(o.Tenant, up.Tenant), App: up.App, Agent: up.Agent, Parent: of.name,
		ForkVersion: at, Status: inmem.Active, Created: a.now, Updated: a.now,
		Tags: tagSet(o.Tags), Metadata: o.Metadata,
	}}
}

// forks are the runs that read through one.
func (m *mirror) forks(of *mirrorScope) (names []string) {
	for name, s := range m.scopes {
		if s.run != nil && s.run.reads && s.run.parent == of.number {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// deleteFlattening deletes a run that may have forks: they are flattened.
func (h *history) deleteFlattening() {
	names := h.m.names(true)
	if len(names) == 0 {
		return
	}
	id := some(h.r, names...)
	before := h.d.Version()
	h.must(h.d.DeleteRunWith(h.ctx, id, inmem.DeleteOptions{Forks: inmem.FlattenForks}))
	forks := h.m.forks(h.m.scopes[id])
	h.tell("delete run %s, flatten %q", id, forks)
	a := h.m.begin(true)
	for _, name := range forks {
		a.scopes[name].run.reads = false
	}
	a.remove(id, h.d.Version())
	h.dead = append(h.dead, h.runs[id])
	delete(h.runs, id)
	h.committed(a, true, before)
	h.must(h.d.Flush(h.ctx)) // its steps are not in the mirror
}
