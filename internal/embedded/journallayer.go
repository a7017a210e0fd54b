package embedded

import (
	"context"
	"fmt"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// journalLayer is the part of a scope's history that lies under one scope number.
type journalLayer struct {
	scope *backend.Scope
	state *scopeState
	at    uint64 // the greatest version of the part
	above uint64 // the records of the part lie above this version
}

// journalLayer finds the layer of a scope that has the commit with a number, or would have it.
func (d *DB) journalLayer(
	ctx context.Context, s *backend.Scope, _, at uint64,
) (journalLayer, error) {
	st, err := d.readable(ctx, s)
	return journalLayer{scope: s, state: st, at: at}, err
}

// still tells, after a page was read, whether all of it could be read.
func (l *journalLayer) still(ctx context.Context, d *DB, _ *journalPage) error {
	st, err := d.stillThere(ctx, l.scope, l.state)
	l.state = st
	return err
}

// inherited is what the layer below has of a key.
func (l *journalLayer) inherited(
	context.Context, *DB, *backend.JournalChange,
) (backend.Record, error) {
	return backend.Record{}, nil
}

// missing says that the journal has another record where one should be.
func (l *journalLayer) missing(number, found uint64) error {
	return fmt.Errorf("%w: journal record %d of scope %d is missing, found %d", codec.ErrCorrupt,
		number, l.scope.Number, found)
}

// missingValue says that the journal names what is not there.
func (l *journalLayer) missingValue(c *backend.JournalChange, version uint64) error {
	return fmt.Errorf("%w: %s: what commit %d wrote is missing", codec.ErrCorrupt,
		codec.FormatKey(l.scope.Number, c.Primitive, c.Key), version)
}
