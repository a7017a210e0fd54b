package trace

import (
	"bytes"
	"context"
	"slices"

	"github.com/inmem-db/inmem/pkg/txn"
)

const (
	// faultsListed bounds the list in a report; everything is counted.
	faultsListed = 100
	// mendBatch is how many faulty spans or entries are mended in one transaction.
	mendBatch = 64
)

// IndexReport says how the indexes compare with the spans.
type IndexReport struct {
	// Spans is how many there are, Entries how many index entries.
	Spans, Entries int
	// Kinds has a line per index, in the order of their names, and one without a name for entries
	// that belong to none.
	Kinds []IndexCount
	// Faults are the first hundred, what is missing before what is surplus, in key order.
	Faults []IndexFault
}

// IndexCount counts the faults of one index.
type IndexCount struct {
	Kind             IndexKind // empty for entries of no index
	Missing, Surplus int       // entries; see IndexFault.Missing
}

// IndexFault is an entry that is not as it should be.
type IndexFault struct {
	// Kind is the index; empty for an entry of none.
	Kind IndexKind
	// Missing: the entry should be there, with the value Null. Otherwise it is there and should
	// not be.
	Missing bool
	// Span is the id of the span that it is about; empty if the key does not tell.
	Span string
	// Key is the key of the entry, a tuple.
	Key string
}

// Healthy reports whether there was no fault.
func (r *IndexReport) Healthy() bool { return len(r.Faults) == 0 }

// note enters a fault.
func (r *IndexReport) note(f IndexFault) {
	if len(r.Faults) < faultsListed {
		r.Faults = append(r.Faults, f)
	}
	for i := range r.Kinds {
		switch {
		case r.Kinds[i].Kind != f.Kind:
		case f.Missing:
			r.Kinds[i].Missing++
		default:
			r.Kinds[i].Surplus++
		}
	}
}

// VerifyIndexes compares all spans with all index entries, at one version. It changes nothing; the
// cost is a lookup per entry in either direction, the memory is constant. Inside a transaction
// everything joins the read set.
func (t Traces) VerifyIndexes(ctx context.Context) (IndexReport, error) {
	one := Traces{scope: t.scope.Snapshot()}
	r := IndexReport{Kinds: []IndexCount{{}}}
	for _, kind := range indexKinds {
		r.Kinds = append(r.Kinds, IndexCount{Kind: kind})
	}
	for s, err := range one.scan(ctx, "verify indexes", "") {
		if err != nil {
			return IndexReport{}, err
		}
		r.Spans++
		missing, err := missingOf(ctx, one.scope, &s, indexKinds)
		if err != nil {
			return IndexReport{}, t.wrap("verify indexes", s.ID, err)
		}
		for _, f := range missing {
			r.note(f)
		}
	}
	err := one.entries(ctx, "", func(key string) (more bool, err error) {
		r.Entries++
		f, surplus, err := surplusEntry(ctx, one.scope, key)
		if surplus {
			r.note(f)
		}
		return true, err
	})
	if err != nil {
		return IndexReport{}, t.wrap("verify indexes", "", err)
	}
	return r, nil
}

// missingOf lists the entries that a span should have in some indexes and has not.
func missingOf(ctx context.Context, scope txn.Scope, s *Span, kinds []IndexKind,
) ([]IndexFault, error) {
	var missing []IndexFault
	for _, kind := range kinds {
		for _, value := range kind.values(s) {
			key := kind.key(value, s.place())
			e, err := scope.Get(ctx, index, key)
			if err != nil {
				return nil, err
			}
			if !e.Exists || !bytes.Equal(e.Value, null) {
				missing = append(missing, IndexFault{
					Kind: kind, Missing: true, Span: s.ID, Key: key,
				})
			}
		}
	}
	return missing, nil
}

// surplusEntry says whether an entry is one that no span should have.
func surplusEntry(ctx context.Context, scope txn.Scope, key string) (IndexFault, bool, error) {
	e, err := decodeEntry(key)
	if err != nil {
		return IndexFault{Key: key}, true, nil
	}
	f := IndexFault{Kind: e.kind, Span: e.id, Key: key}
	s, ok, err := get(ctx, scope, e.id)
	return f, err == nil && !(ok && e.of(&s)), err
}

// entries calls fn with the keys of all indexes from one on, until it wants no more.
func (t Traces) entries(ctx context.Context, from string, fn func(key string) (bool, error)) error {
	c := t.scope.Scan(ctx, index, txn.Range{Start: from})
	defer c.Close()
	for c.Next() {
		if more, err := fn(c.Key()); err != nil || !more {
			return err
		}
	}
	return c.Err()
}

// Mended says what RebuildIndexes or RepairIndex has done.
type Mended struct {
	Added, Removed int // index entries
}

// RebuildIndexes makes all indexes what they should be: it adds what is missing, also where the
// value was damaged, and removes what is surplus; entries that are right are not written again, so
// that a second call does nothing. On an error it says what it has done; it can be called again.
//
// Directly it works in short transactions, beside writers. Inside a transaction it is part of that
// one, and bound to its limits. It is allowed on a run that has ended: index entries are no part of
// the run's history. On a view it is refused once there is something to mend.
func (t Traces) RebuildIndexes(ctx context.Context) (Mended, error) {
	return t.mend(ctx, "rebuild indexes", "")
}

// RepairIndex is RebuildIndexes for one index.
func (t Traces) RepairIndex(ctx context.Context, kind IndexKind) (Mended, error) {
	if !slices.Contains(indexKinds, kind) {
		return Mended{}, t.wrap("repair index", "", invalid("index %q", clip(string(kind))))
	}
	return t.mend(ctx, "repair index", kind)
}

// mend mends one index, or all if kind is empty.
func (t Traces) mend(ctx context.Context, op string, kind IndexKind) (Mended, error) {
	var done Mended
	kinds := indexKinds
	if kind != "" {
		kinds = []IndexKind{kind}
	}
	for from, more := "", true; more; {
		ids, next, err := t.lacking(ctx, op, from, kinds)
		if err == nil {
			err = t.addMissing(ctx, ids, kinds, &done.Added)
		}
		if err != nil {
			return done, t.wrap(op, "", err)
		}
		from, more = next, next != ""
	}
	for from, more := "", true; more; {
		keys, next, err := t.surplus(ctx, from, kind)
		if err == nil {
			err = t.removeSurplus(ctx, keys, &done.Removed)
		}
		if err != nil {
			return done, t.wrap(op, "", err)
		}
		from, more = next, next != ""
	}
	return done, nil
}

// lacking lists spans that lack entries, from an id on, at most a batch; next is where to go on, or
// empty.
func (t Traces) lacking(ctx context.Context, op, from string, kinds []IndexKind,
) (ids []string, next string, err error) {
	one := Traces{scope: t.scope.Snapshot()}
	for s, err := range one.scan(ctx, op, from) {
		if err != nil {
			return nil, "", err
		}
		if len(ids) == mendBatch {
			return ids, s.ID, nil
		}
		missing, err := missingOf(ctx, one.scope, &s, kinds)
		if err != nil {
			return nil, "", err
		}
		if len(missing) > 0 {
			ids = append(ids, s.ID)
		}
	}
	return ids, "", nil
}

// addMissing adds what the spans lack now. Everything that it goes by is in the read set, so a span
// that changes meanwhile is looked at again.
func (t Traces) addMissing(ctx context.Context, ids []string, kinds []IndexKind, added *int) error {
	n := 0
	if len(ids) == 0 {
		return nil
	}
	_, err := t.scope.Atomic(ctx, func(tx txn.Scope) error {
		n = 0
		for _, id := range ids {
			s, ok, err := get(ctx, tx, id)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			missing, err := missingOf(ctx, tx, &s, kinds)
			if err != nil {
				return err
			}
			for _, f := range missing {
				if _, err := tx.Put(ctx, index, f.Key, null, 0); err != nil {
					return err
				}
				n++
			}
		}
		return nil
	})
	if err == nil {
		*added += n
	}
	return err
}

// surplus lists entries that should not be there, as lacking lists spans. Those of no index belong
// to the rebuilding of all.
func (t Traces) surplus(ctx context.Context, from string, kind IndexKind,
) (keys []string, next string, err error) {
	one := Traces{scope: t.scope.Snapshot()}
	err = one.entries(ctx, from, func(key string) (bool, error) {
		if len(keys) == mendBatch {
			next = key
			return false, nil
		}
		f, surplus, err := surplusEntry(ctx, one.scope, key)
		if surplus && (kind == "" || f.Kind == kind) {
			keys = append(keys, key)
		}
		return true, err
	})
	return keys, next, err
}

// removeSurplus removes entries that should still not be there; see addMissing.
func (t Traces) removeSurplus(ctx context.Context, keys []string, removed *int) error {
	n := 0
	if len(keys) == 0 {
		return nil
	}
	_, err := t.scope.Atomic(ctx, func(tx txn.Scope) error {
		n = 0
		for _, key := range keys {
			_, surplus, err := surplusEntry(ctx, tx, key)
			if err != nil {
				return err
			}
			if !surplus {
				continue
			}
			existed, err := tx.Delete(ctx, index, key)
			if err != nil {
				return err
			}
			if existed {
				n++
			}
		}
		return nil
	})
	if err == nil {
		*removed += n
	}
	return err
}
