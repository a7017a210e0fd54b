package model

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Sweep deletes what has expired at now, with one commit for each scope, marked as expiry. Scopes
// that are not Active stay as they are. The commit judges again by its own time, so a key that was
// written anew meanwhile is not touched.
func (b *Backend) Sweep(ctx context.Context, now time.Time) error {
	return b.SweepBy(ctx, now, b.Commit)
}

// SweepBy is Sweep that makes its commits through a function, for whoever wraps the store.
func (b *Backend) SweepBy(ctx context.Context, now time.Time,
	commit func(context.Context, *backend.Request) (backend.Outcome, error),
) error {
	for _, s := range b.sweepable() {
		r := &backend.Request{Writes: b.expired(s, now), Flags: codec.FlagExpiry}
		_, err := commit(ctx, r)
		if err != nil && !errors.Is(err, backend.ErrScopeNotActive) &&
			!errors.Is(err, backend.ErrScopeGone) { // ended or deleted since the list was made
			return fmt.Errorf("sweep scope %d: %w", s.Number, err)
		}
	}
	return nil
}

// sweepable lists the scopes that take writes, by number, as new handles.
func (b *Backend) sweepable() []*backend.Scope {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := []*backend.Scope{{Number: codec.SystemScope}}
	for _, k := range b.keys(space{codec.SystemScope, codec.ScopeRecords}, backend.Range{}) {
		record, err := codec.DecodeScopeRecord(b.latest(k).Value)
		if err != nil { // a tombstone, or no scope record: nothing to sweep below it
			continue
		}
		s := &backend.Scope{Number: record.Number, Record: k.user}
		if status, _, err := b.status(s); err == nil && status == codec.Active {
			list = append(list, s)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Number < list[j].Number })
	return list
}

// expired makes an Expire of every key of a scope that is past its deadline, in key order.
func (b *Backend) expired(s *backend.Scope, now time.Time) []backend.Write {
	b.mu.Lock()
	defer b.mu.Unlock()
	var writes []backend.Write
	at := max(now.UnixNano(), b.time)
	for in := range b.records {
		if in.scope != s.Number {
			continue
		}
		for _, k := range b.keys(in, backend.Range{}) {
			r := b.latest(k)
			if r.Exists() && r.Expiry != 0 && r.Expiry <= at && !b.inherited(s.Number, r) {
				writes = append(writes, backend.Write{Scope: s, Primitive: k.primitive,
					Key: k.user, Op: backend.Expire, Stamp: r.Stamp})
			}
		}
	}
	sort.Slice(writes, func(i, j int) bool {
		return keyOf(s, writes[i].Primitive, writes[i].Key).less(
			keyOf(s, writes[j].Primitive, writes[j].Key))
	})
	return writes
}
