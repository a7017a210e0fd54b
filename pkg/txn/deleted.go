package txn

import (
	"context"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Deletion wins over history: nobody finds a scope that was deleted, at whatever version. What a
// scope holds the authority refuses. Its record is a key like any other and keeps its old versions
// until the space is freed; views that last hide it.

// Lasting reports whether the scope is read through a view that its user holds, so that what it
// shows may have been deleted since it began. The record of a deleted scope is absent in it; what
// only names the scope, such as index entries, may still be there.
func (s Scope) Lasting() bool {
	return s.view != nil && (s.view.managed || s.view.hold != nil)
}

// hideDeleted makes the record of a scope absent if the scope was deleted since.
func (v *View) hideDeleted(ctx context.Context, system *backend.Scope, key string,
	r *backend.Record,
) error {
	now := v.m.b.Published()
	if system.Number != codec.SystemScope || now == v.at {
		return nil
	}
	current, err := v.m.b.Get(ctx, system, codec.ScopeRecords, key, now)
	if err != nil || current.Version == r.Version {
		return err
	}
	if current.Exists() {
		then, err := codec.DecodeScopeRecord(r.Value)
		if err != nil {
			return err
		}
		is, err := codec.DecodeScopeRecord(current.Value)
		if err != nil || is.Number == then.Number {
			return err
		}
	}
	*r = backend.Record{}
	return nil
}
