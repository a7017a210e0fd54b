package backendtest

import (
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// fork makes a fork of one of the scopes, which may be one, at some version of the history.
func (p *play) fork() {
	point := forkPoint{parent: p.scope(),
		version: rapid.Uint64Range(p.from-1, p.last).Draw(p.rt, "fork version")}
	s := p.w.allocate()
	p.commit(p.w.forking(s, point))
	p.h.fork(point.parent.Number, s.Number, point.version)
	p.forks[s] = point
	p.scopes = append(p.scopes, s)
}

// flatten flattens a scope, if it is a fork that was not. Now and then the authority is only told
// to prepare it.
func (p *play) flatten(s *backend.Scope) {
	point, ok := p.forks[s]
	require.NoError(p.w, p.w.b.Flatten(p.w.ctx, s))
	if !ok || point.flattened {
		return
	}
	point.flattened = true
	p.commit(&backend.Request{Writes: []backend.Write{p.w.forkRecord(s, point, codec.Active)}})
	p.forks[s] = forkPoint{flattened: true}
}

// reopen gives every scope a new handle: one that an authority has seen is never given to another.
func (p *play) reopen() {
	p.w.reopen()
	for i, s := range p.scopes {
		p.scopes[i] = again(s)
	}
	for i, s := range p.dead {
		p.dead[i] = again(s)
	}
}

// fork copies all that a scope showed at a version: nothing could be further from reading through.
func (h *history) fork(parent, s codec.Scope, version uint64) {
	copies := map[cell][]entry{}
	for c, entries := range h.cells {
		if c.scope != parent {
			continue
		}
		to := cell{s, c.primitive, c.key}
		for _, e := range entries {
			if e.Version <= version {
				copies[to] = append(copies[to], e)
			}
		}
		if c.primitive == codec.Events && len(copies[to]) > 0 {
			h.logs[s] = slices.Clone(h.logs[parent][:max(len(h.logs[s]), seqOf(c.key)+1)])
		}
	}
	for c, entries := range copies {
		h.cells[c] = entries
	}
	for _, c := range h.made[parent] {
		if c.version <= version {
			h.made[s] = append(h.made[s], c)
			h.nums[s]++
		}
	}
}

// seqOf is the number in the key of an event; the twin has made it.
func seqOf(key string) int {
	seq, _ := codec.DecodeEventUserKey(key)
	return int(seq)
}
