package runindex

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Imports.
//
// A run that is being imported has a record of codec.KindImport, which takes its id, and one entry
// of the index, under kindImport. To everybody else it does not exist: load and peek say so. When
// all of it is there its record becomes that of a run, in one commit, with the entries of one.

// importPrefix is the stream of what is being imported.
func importPrefix() string { return string(family(false, kindImport)) }

// BeginImport writes the record of a run that is to be imported: nobody sees it, and it takes its
// id until FinishImport or DropImport. It is part of the transaction that system is in, which also
// creates the scope. Errors: ErrRunExists, those of the storage.
func BeginImport(ctx context.Context, system txn.Scope, epoch uint64, of Ref) error {
	id, err := ParseID(of.ID)
	if err != nil {
		return err
	}
	_, err = loadAny(ctx, system, of.ID)
	if err == nil {
		return ErrRunExists
	}
	if !errors.Is(err, txn.ErrRunNotFound) {
		return err
	}
	now := system.Now()
	return rewrite(ctx, system, nil, &codec.ScopeRecord{
		ID: id, Number: of.Number, Status: codec.Paused, Kind: codec.KindImport,
		Created: now, Updated: now, BootEpoch: epoch,
	})
}

// FinishImport makes a run of what was imported: rec is its record. If it is Active it counts as
// made active in this epoch. It is part of the transaction that system is in. Errors:
// txn.ErrRunNotFound if the import was dropped, those of the storage.
func FinishImport(ctx context.Context, system txn.Scope, epoch uint64, rec codec.ScopeRecord,
) error {
	before, err := loadImport(ctx, system, Ref{idText(rec.ID), rec.Number})
	if err != nil {
		return err
	}
	rec.Kind, rec.BootEpoch = codec.KindRun, epoch
	return rewrite(ctx, system, &before, &rec)
}

// DropImport takes back what was imported so far; what is no import under way it leaves alone. It
// is part of the transaction that system is in. Errors: those of the storage.
func DropImport(ctx context.Context, system txn.Scope, of Ref) error {
	before, err := loadImport(ctx, system, of)
	if errors.Is(err, txn.ErrRunNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return rewrite(ctx, system, &before, nil)
}

func loadImport(ctx context.Context, system txn.Scope, of Ref) (codec.ScopeRecord, error) {
	r, err := loadAny(ctx, system, of.ID)
	if err == nil && (r.Kind != codec.KindImport || r.Number != of.Number) {
		err = txn.ErrRunNotFound
	}
	return r, err
}

// Imports lists what is being imported, or was when a process ended. Cost: a scan of their entries.
func Imports(ctx context.Context, system txn.Scope) ([]Ref, error) {
	var list []Ref
	c := system.Scan(ctx, codec.RunIndex, txn.PrefixRange(importPrefix()))
	defer c.Close()
	for c.Next() {
		_, id, ok := decodePlace(c.Key()[len(importPrefix()):])
		if !ok {
			return nil, damaged("the entry of an import cannot be read")
		}
		r, err := loadAny(ctx, system, idText(id))
		switch {
		case errors.Is(err, txn.ErrRunNotFound):
			continue // it has ended since
		case err != nil:
			return nil, err
		case r.Kind == codec.KindImport:
			list = append(list, Ref{idText(id), r.Number})
		}
	}
	return list, c.Err()
}

// InfoOf shows a record that lies in no index, such as that of a bundle.
func InfoOf(r *codec.ScopeRecord) Info { return infoOf(r, 0) }
