package model

import (
	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// ended lists the scopes that cease to exist with these writes, by the keys of their records: these
// are deleted, or taken over by another scope. Callers hold mu.
func (b *Backend) ended(writes []backend.Write) map[key]codec.Scope {
	list := map[key]codec.Scope{}
	for _, w := range writes {
		k := keyOf(w.Scope, w.Primitive, w.Key)
		if k.space != (space{codec.SystemScope, codec.ScopeRecords}) || !b.latest(k).Exists() {
			continue
		}
		before, err := codec.DecodeScopeRecord(b.latest(k).Value)
		if err != nil {
			continue // no scope is known by such a record
		}
		after, err := codec.DecodeScopeRecord(w.Value)
		if w.Op != backend.Put || err == nil && after.Number != before.Number {
			list[k] = before.Number
		}
	}
	return list
}

// bury removes scopes with all that is in them, and the older versions of their records and of the
// index entries that the same commit deleted. Callers hold mu.
func (b *Backend) bury(ended map[key]codec.Scope, writes []backend.Write) {
	if len(ended) == 0 {
		return
	}
	for k, s := range ended {
		b.dead[s] = true
		delete(b.horizons, s)
		b.stats.Freed++
		for in := range b.records {
			if in.scope == s {
				delete(b.records, in)
			}
		}
		b.forget(k)
	}
	for _, w := range writes {
		k := keyOf(w.Scope, w.Primitive, w.Key)
		if k.space == (space{codec.SystemScope, codec.RunIndex}) && w.Op != backend.Put {
			b.forget(k)
		}
	}
}

// forget drops all versions of a key but the newest. Callers hold mu.
func (b *Backend) forget(k key) {
	chain := b.records[k.space][k.user]
	b.records[k.space][k.user] = chain[len(chain)-1:]
}

// told is a commit as Tail tells it now. Callers hold mu.
func (b *Backend) told(c backend.Commit) backend.Commit {
	c.Scopes = append([]backend.ScopeChanges(nil), c.Scopes...)
	for i, s := range c.Scopes {
		if b.dead[s.Scope] {
			c.Scopes[i].Changes, c.Scopes[i].Gone = nil, true
		} else if horizon := b.horizons[s.Scope].Of(codec.Journal); c.Version < horizon {
			c.Scopes[i].Changes, c.Scopes[i].Pruned = nil, horizon
		}
	}
	return c
}
