package inmem

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Pin is a version of a run that was given a name: from there on its history is kept, whatever the
// policies say.
type Pin struct {
	Name    string
	Run     string // the id
	Version uint64

	_ struct{}
}

// storedPin is a pin as it is stored.
type storedPin struct {
	Run     string `inmem:"run"`
	Number  int64  `inmem:"number"` // of the scope: a later run with the same id is another one
	Version int64  `inmem:"version"`
}

// maxPinName bounds the name of a pin, in bytes.
const maxPinName = 1 << 10

// Pin gives a version of a run a name: what the run shows there, and everything later, stays
// readable until Unpin, over restarts, whatever the policies say. Version 0 stands for what is
// published now. Deletion of the run wins: it takes its pins with it.
//
// Errors: ErrExists if the name is taken, ErrPruned if not all of the run can be read there any
// more, ErrRunNotFound, ErrInvalidArgument for a version that is not published yet or a name that
// is empty, not UTF-8 or over 1 KiB; and those of Tx.Commit.
func (d *DB) Pin(ctx context.Context, name string, r *Run, version uint64) error {
	if err := d.retention.pin(ctx, name, r, version); err != nil {
		return fmt.Errorf("pin %q: %w", name, txn.ContextError(err))
	}
	return nil
}

// Unpin takes a pin away. Errors: ErrNotFound, and those of Tx.Commit.
func (d *DB) Unpin(ctx context.Context, name string) error {
	if err := d.retention.unpin(ctx, name); err != nil {
		return fmt.Errorf("unpin %q: %w", name, txn.ContextError(err))
	}
	return nil
}

// Pins lists the pins by name. Errors: ErrTimeout, ErrCanceled, ErrStorage, ErrCorrupt, ErrClosed.
func (d *DB) Pins(ctx context.Context) ([]Pin, error) {
	r := d.retention
	if err := r.load(ctx); err != nil {
		return nil, fmt.Errorf("pins: %w", txn.ContextError(err))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Pin
	for _, p := range r.pins {
		alive, err := r.alive(ctx, &p)
		if err != nil {
			return nil, fmt.Errorf("pins: %w", txn.ContextError(err))
		}
		if alive {
			list = append(list, p.Pin)
		}
	}
	slices.SortFunc(list, func(a, b Pin) int { return cmp.Compare(a.Name, b.Name) })
	return list, nil
}

// alive tells whether the run of a pin is still there.
func (r *retention) alive(ctx context.Context, p *heldPin) (bool, error) {
	number, err := numberOf(ctx, r.db.m.Scope(r.db.system), p.Run)
	if errors.Is(err, ErrRunNotFound) {
		return false, nil
	}
	return number == p.scope, err
}

func (r *retention) pin(ctx context.Context, name string, run *Run, version uint64) error {
	switch {
	case name == "" || len(name) > maxPinName || !utf8.ValidString(name):
		return fmt.Errorf("%w: a name is not empty, UTF-8, at most %d bytes", ErrInvalidArgument,
			maxPinName)
	case run == nil || run.d != r.db:
		return fmt.Errorf("%w: no run of this database", ErrInvalidArgument)
	}
	published := r.db.b.Published()
	if version > published {
		return fmt.Errorf("%w: version %d, the newest is %d", ErrInvalidArgument, version, published)
	}
	if version == 0 {
		version = published
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, taken := r.pins[name]
	if taken {
		switch alive, err := r.alive(ctx, &before); {
		case err != nil:
			return err
		case alive:
			return ErrExists
		}
	}
	hold, err := holdWhole(ctx, r.db.b, run.scope, version)
	if err != nil {
		return err
	}
	stored := storedPin{Run: run.id, Number: int64(run.scope.Number), Version: int64(version)}
	value, err := encodeStored(stored)
	if err == nil {
		_, err = r.db.m.Scope(r.db.system).Put(ctx, codec.Meta, pinPrefix+name, value, 0)
	}
	if err != nil {
		hold.Release()
		return err
	}
	before.release()
	r.pins[name] = heldPin{
		Pin: Pin{Name: name, Run: run.id, Version: version}, scope: run.scope.Number, hold: hold,
	}
	return nil
}

// holdWhole holds a version of a scope at which all of it can be read.
func holdWhole(
	ctx context.Context, b backend.Backend, s *backend.Scope, version uint64,
) (backend.Retention, error) {
	hold, err := b.Retain(ctx, s, version)
	if err != nil {
		return nil, err
	}
	h, err := b.Horizons(ctx, s)
	if err == nil && version < h.Newest() {
		err = &backend.PrunedError{Run: s.Record, Version: version, Earliest: h.Newest()}
	}
	if err != nil {
		hold.Release()
		return nil, err
	}
	return hold, nil
}

func (r *retention) unpin(ctx context.Context, name string) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.pins[name]
	if !ok {
		return ErrNotFound
	}
	alive, err := r.alive(ctx, &p)
	if err != nil {
		return err
	}
	if _, err := r.db.m.Scope(r.db.system).Delete(ctx, codec.Meta, pinPrefix+name); err != nil {
		return err
	}
	p.release()
	if delete(r.pins, name); !alive {
		return ErrNotFound
	}
	return nil
}

// load puts the pins of the database in force, once.
func (r *retention) load(ctx context.Context) error {
	if r.ctx.Err() != nil {
		return ErrClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded {
		return nil
	}
	c := r.db.m.Scope(r.db.system).Scan(ctx, codec.Meta, txn.PrefixRange(pinPrefix))
	defer c.Close()
	for c.Next() {
		var stored storedPin
		if err := decodeStored(c.Entry().Value, &stored); err != nil {
			return err
		}
		name := strings.TrimPrefix(c.Key(), pinPrefix)
		if _, held := r.pins[name]; held {
			continue // an earlier load came so far
		}
		s := &backend.Scope{Number: codec.Scope(stored.Number), Record: stored.Run}
		hold, err := r.db.b.Retain(ctx, s, uint64(stored.Version))
		if err != nil && !errors.Is(err, ErrRunNotFound) {
			return err
		}
		if err != nil {
			hold = nil // nothing is left to be held; the next pass forgets it
		}
		r.pins[name] = heldPin{hold: hold, scope: s.Number, Pin: Pin{
			Name: name, Run: stored.Run, Version: uint64(stored.Version),
		}}
	}
	if err := c.Err(); err != nil {
		return err
	}
	r.loaded = true
	return nil
}

// holder names what holds a version: a pin, if there is one.
func (r *retention) holder(h backend.Hold) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for _, p := range r.pins {
		if p.Version == h.Version && p.scope == h.Scope {
			names = append(names, fmt.Sprintf("pin %q", p.Name))
		}
	}
	if len(names) == 0 {
		return "an open view"
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
