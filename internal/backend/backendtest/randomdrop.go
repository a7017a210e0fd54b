package backendtest

import (
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// drop deletes a scope and begins another under its id, in one commit or in two.
func (p *play) drop(i int) {
	w, old := p.w, p.scopes[i]
	for _, s := range p.scopes {
		if p.forks[s].parent == old {
			p.flatten(s)
		}
	}
	fresh := &backend.Scope{Number: w.allocate().Number, Record: old.Record}
	if rapid.Bool().Draw(p.rt, "in one commit") {
		p.dead = append(p.dead, old) // before: who deletes it does not write to it
		p.commit(&backend.Request{CreateScopes: []*backend.Scope{fresh},
			Writes: []backend.Write{w.record(fresh, codec.Active), put(fresh, "a", "new")}})
	} else {
		p.commit(&backend.Request{Writes: []backend.Write{{Scope: w.sys,
			Primitive: codec.ScopeRecords, Key: old.Record, Op: backend.Delete}}})
		p.dead = append(p.dead, old)
		if rapid.Bool().Draw(p.rt, "settle") {
			w.settle()
		}
		r := w.creation(fresh, codec.Active)
		r.Conditions[0].Expected = p.last
		p.commit(r)
	}
	p.scopes[i] = fresh
}

// gone tells whether a request touches a scope that was deleted.
func (p *play) gone(r *backend.Request) bool {
	found := false
	look := func(s *backend.Scope) {
		for _, d := range p.dead {
			found = found || d.Number == s.Number
		}
	}
	for _, x := range r.Reads {
		look(x.Scope)
	}
	for _, x := range r.Ranges {
		look(x.Scope)
	}
	for _, x := range r.Conditions {
		look(x.Scope)
	}
	for _, x := range r.Writes {
		look(x.Scope)
	}
	for _, x := range r.Appends {
		look(x.Scope)
	}
	return found
}

// told is the tail as it is told now.
func (p *play) told() []backend.Commit {
	dead := map[codec.Scope]bool{}
	for _, s := range p.dead {
		dead[s.Number] = true
	}
	var all []backend.Commit
	for _, c := range p.tail {
		c.Scopes = append([]backend.ScopeChanges(nil), c.Scopes...)
		for i := range c.Scopes {
			if dead[c.Scopes[i].Scope] {
				c.Scopes[i].Changes, c.Scopes[i].Gone = nil, true
			}
		}
		all = append(all, c)
	}
	return all
}
