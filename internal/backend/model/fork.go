package model

import (
	"context"
	"fmt"
	"math"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// origin is where a fork comes from. What it inherits is looked up in its parent at every read; as
// soon as it is flattened it has copies of its own. Its numbers go on from the parent's in any
// case.
type origin struct {
	parent    codec.Scope
	version   uint64
	flattened bool
}

// through is the scope that s reads through at a version, and at which version of it. Callers hold
// mu.
func (b *Backend) through(s codec.Scope, at uint64) (codec.Scope, uint64, bool) {
	o, ok := b.origins[s]
	if !ok || o.flattened {
		return 0, 0, false
	}
	return o.parent, min(at, o.version), true
}

// versions are all versions of a key at or below a version, inherited ones first, oldest first.
// Callers hold mu.
func (b *Backend) versions(k key, at uint64) []backend.Record {
	var all []backend.Record
	if parent, upTo, ok := b.through(k.scope, at); ok {
		all = b.versions(key{space{parent, k.primitive}, k.user}, upTo)
	}
	for _, r := range b.records[k.space][k.user] {
		if r.Version <= at {
			all = append(all, r)
		}
	}
	return all
}

// begin takes note of a fork that is to come into being, before anything is written to it: it goes
// on from its parent at the fork version. If it does not come into being nobody can ask for it.
// Callers hold mu.
func (b *Backend) begin(r codec.ScopeRecord) {
	b.origins[r.Number] = origin{parent: r.ParentNumber, version: r.ForkVersion}
	b.numbers[r.Number] = b.extent(r.ParentNumber, r.ForkVersion).Count
	var log eventLog
	for _, k := range b.keys(space{r.Number, codec.Events}, backend.Range{}) {
		if e := b.at(k, r.ForkVersion); e.Exists() {
			log.length++
			event, _ := codec.DecodeEventRecord(e.Value) // written by append
			log.head, log.time = event.Hash, event.Time
		}
	}
	b.logs[r.Number] = log
}

// watch looks for the record of a fork that says that it is flattened: from then on the fork stands
// on its own. Callers hold mu.
func (b *Backend) watch(k key, w backend.Write) {
	if k.space != (space{codec.SystemScope, codec.ScopeRecords}) {
		return
	}
	r, err := codec.DecodeScopeRecord(w.Value)
	o, ok := b.origins[r.Number]
	if err != nil || !ok || o.flattened || !r.Flattened {
		return
	}
	copies := map[key][]backend.Record{}
	for _, p := range b.primitives(r.Number) {
		for _, k := range b.keys(space{r.Number, p}, backend.Range{}) {
			copies[k] = b.versions(k, math.MaxUint64)
		}
	}
	b.horizons[r.Number] = b.horizonsOf(r.Number) // what it has copies of, it reads no better
	o.flattened = true
	b.origins[r.Number] = o
	for k, chain := range copies {
		if len(chain) > 0 {
			b.space(k.space)[k.user] = chain
		}
	}
}

// primitives are those under which a scope or its ancestors have keys, in any order. Callers hold
// mu.
func (b *Backend) primitives(s codec.Scope) []codec.Primitive {
	lineage := map[codec.Scope]bool{s: true}
	for parent, _, ok := b.through(s, 0); ok; parent, _, ok = b.through(parent, 0) {
		lineage[parent] = true
	}
	seen := map[codec.Primitive]bool{}
	var all []codec.Primitive
	for in := range b.records {
		if lineage[in.scope] && !seen[in.primitive] {
			seen[in.primitive] = true
			all = append(all, in.primitive)
		}
	}
	return all
}

// admitForks refuses forks of nothing and of the future, and begins the others. Callers hold mu.
func (b *Backend) admitForks(r *backend.Request) error {
	for _, w := range r.Writes {
		if w.Scope.Number != codec.SystemScope || w.Primitive != codec.ScopeRecords {
			continue
		}
		record, err := codec.DecodeScopeRecord(w.Value)
		if err != nil || !record.ReadsThrough() || !creates(r, record.Number) {
			continue
		}
		parent := &backend.Scope{Number: record.ParentNumber, Record: record.ParentKey()}
		if err := b.present(parent); err != nil {
			return fmt.Errorf("commit: fork %s of %s: %w", w.Key, parent.Record, err)
		}
		if record.ForkVersion > b.published {
			return fmt.Errorf("commit: fork %s at version %d, the newest is %d: %w", w.Key,
				record.ForkVersion, b.published, codec.ErrInvalidArgument)
		}
		err = b.unprunedFork(parent, record.ForkVersion)
		if err != nil {
			return fmt.Errorf("commit: fork %s of %s: %w", w.Key, parent.Record, err)
		}
		b.begin(record)
	}
	return nil
}

// creates tells whether a scope comes into being with a request.
func creates(r *backend.Request, n codec.Scope) bool {
	for _, s := range r.CreateScopes {
		if s.Number == n {
			return true
		}
	}
	return false
}

// inherited tells whether a record of a scope was one of its parent's. Callers hold mu.
func (b *Backend) inherited(s codec.Scope, r backend.Record) bool {
	return r.Version <= b.origins[s].version
}

// Flatten implements backend.Backend. There is nothing to prepare: the commit that sets Flattened
// makes the copies.
func (b *Backend) Flatten(ctx context.Context, s *backend.Scope) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.readable(ctx, s); err != nil {
		return fmt.Errorf("flatten scope %d: %w", s.Number, err)
	}
	return nil
}

// present answers ErrScopeGone if a scope, or one that it reads through, does not exist. Callers
// hold mu.
func (b *Backend) present(s *backend.Scope) error {
	if _, _, err := b.status(s); err != nil {
		return err
	}
	for parent, _, ok := b.through(s.Number, 0); ok; parent, _, ok = b.through(parent, 0) {
		if b.dead[parent] {
			return fmt.Errorf("scope %d reads through scope %d: %w", s.Number, parent,
				backend.ErrScopeGone)
		}
	}
	return nil
}
