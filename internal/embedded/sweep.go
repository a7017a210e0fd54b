package embedded

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// sweeper deletes expired keys in the background. It finds them by the index by deadline, so a
// sweep costs what expired, and deletes them through ordinary commits of the keys' own scopes,
// which decide at their place in the order that a key was not written again meanwhile. Scopes that
// take no writes any more are left as they are; only their index entries go.
type sweeper struct {
	db     *DB
	cancel context.CancelFunc
	done   chan struct{}
}

func startSweeper(d *DB) *sweeper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &sweeper{db: d, cancel: cancel, done: make(chan struct{})}
	if d.opts.SweepInterval < 0 {
		close(s.done)
		return s
	}
	go s.run(ctx)
	return s
}

// end stops the goroutine and waits for it.
func (s *sweeper) end() {
	s.cancel()
	<-s.done
}

func (s *sweeper) run(ctx context.Context) {
	defer close(s.done)
	ticker := time.NewTicker(s.db.opts.SweepInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		_, err := s.db.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.db.opts.Logger.Warn("sweep of expired keys failed", "error", err)
		}
	}
}

// due is an index entry whose deadline has passed.
type due struct {
	entry    []byte // engine key of the index entry
	scope    codec.Scope
	prim     codec.Primitive
	key      string
	deadline int64
	stamp    uint64
	record   string // of the scope
	keep     bool   // the scope is paused: it may take writes again
}

// sweepPage is how many keys one round deletes.
const sweepPage = 512

// Sweep deletes all keys whose deadline has passed, and returns how many it deleted.
func (d *DB) Sweep(ctx context.Context) (int, error) {
	total := 0
	for after := []byte(nil); ; {
		page, err := d.dueKeys(ctx, after)
		if err != nil || len(page) == 0 {
			return total, err
		}
		// Entries of paused scopes stay: the walk goes on behind them.
		after = page[len(page)-1].entry
		n, err := d.expire(ctx, page)
		total += n
		if err != nil {
			return total, err
		}
	}
}

// dueKeys reads the earliest index entries behind a given one whose deadline has passed.
func (d *DB) dueKeys(ctx context.Context, after []byte) ([]due, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !d.storeGate.TryRLock() {
		return nil, backend.ErrClosed
	}
	defer d.storeGate.RUnlock()
	if d.closed.Load() {
		return nil, backend.ErrClosed
	}
	lower, err := codec.AppendKey(nil, codec.SystemScope, codec.Expiries, "")
	if err != nil {
		return nil, err
	}
	if err := d.handover.push(); err != nil {
		return nil, err
	}
	now := d.clock.now()
	end := codec.ExpiryUserKey(now+1, 0, codec.KV, "")[:16]
	it, err := d.store.NewIter(&pebble.IterOptions{
		LowerBound: lower,
		UpperBound: codec.AppendRangeEnd(nil, codec.SystemScope, codec.Expiries, end),
	})
	if err != nil {
		return nil, d.readFailed(err)
	}
	var page []due
	ok := it.First()
	if after != nil {
		ok = it.SeekGE(after)
	}
	for ; ok && len(page) < sweepPage; ok = it.Next() {
		if bytes.Equal(it.Key(), after) {
			continue
		}
		_, _, user, version, err := codec.DecodeKey(it.Key())
		if err != nil {
			return nil, closeIter(it, err)
		}
		user = bytes.Clone(user) // the key is read out of it, and outlives the step
		if version > d.published.load() {
			continue // not readable yet: next time
		}
		record, err := it.ValueAndErr()
		if err != nil {
			return nil, closeIter(it, err)
		}
		e := due{entry: bytes.Clone(it.Key()), stamp: version, record: string(record)}
		e.deadline, e.scope, e.prim, e.key, err = codec.DecodeExpiryUserKey(string(user))
		if err != nil {
			return nil, closeIter(it, err)
		}
		page = append(page, e)
	}
	return page, d.readFailed(closeIter(it, nil))
}

// expire deletes the keys of a page, one commit per scope, and then the index entries that are
// left: those of keys written again, and of scopes that take no writes.
func (d *DB) expire(ctx context.Context, page []due) (int, error) {
	slices.SortFunc(page, func(a, b due) int {
		return cmp.Or(cmp.Compare(a.scope, b.scope), cmp.Compare(a.prim, b.prim),
			cmp.Compare(a.key, b.key), cmp.Compare(b.stamp, a.stamp))
	})
	total := 0
	for rest := page; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].scope == rest[0].scope {
			n++
		}
		deleted, err := d.expireScope(ctx, rest[:n])
		total += deleted
		if err != nil {
			return total, err
		}
		rest = rest[n:]
	}
	d.counters.expired.Add(uint64(total))
	if total == len(page) {
		return total, nil
	}
	return total, d.dropEntries(ctx, page)
}

// expireScope commits one scope's part. A scope that refuses writes keeps its keys; those of a
// deleted one are the graveyard's.
func (d *DB) expireScope(ctx context.Context, keys []due) (int, error) {
	if d.graveyard.version(keys[0].scope) != 0 {
		return 0, nil
	}
	handle := &backend.Scope{Number: keys[0].scope, Record: keys[0].record}
	r := &backend.Request{Flags: codec.FlagExpiry}
	for i, e := range keys {
		if i > 0 && e.prim == keys[i-1].prim && e.key == keys[i-1].key {
			continue // an older deadline of the same key: its value is gone
		}
		r.Writes = append(r.Writes, backend.Write{
			Scope: handle, Primitive: e.prim, Key: e.key, Op: backend.Expire,
			Expiry: e.deadline, Stamp: e.stamp,
		})
	}
	out, err := d.Commit(ctx, r)
	var status *backend.ScopeStatusError
	switch {
	case errors.As(err, &status):
		for i := range keys {
			keys[i].keep = status.Status == codec.Paused
		}
		return 0, nil
	case errors.Is(err, backend.ErrScopeGone):
		return 0, nil
	}
	return out.Expired, err
}

// dropEntries deletes index entries. They are no part of the history: no commit names them.
func (d *DB) dropEntries(ctx context.Context, page []due) error {
	keys := make([][]byte, 0, len(page))
	for _, e := range page {
		if !e.keep {
			keys = append(keys, e.entry)
		}
	}
	// Behind the commits that made the entries superfluous: a crash must not take only those.
	if err := d.handover.push(); err != nil {
		return err
	}
	return d.discard(ctx, keys)
}
