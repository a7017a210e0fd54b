package runindex

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// mendBatch is how many faulty entries, or runs, one transaction of a repair mends.
const mendBatch = 64

// subject is the run that is looked at; zeros for all runs, and what belongs to none.
type subject struct{ id [16]byte }

func (o subject) all() bool { return o.id == [16]byte{} }

func (x Index) verify(ctx context.Context, of subject) (IndexReport, error) {
	var report IndexReport
	s := x.scope.Snapshot()
	l, err := readLayout(ctx, s.Peek)
	if errors.Is(err, codec.ErrCorrupt) {
		report.note(IndexFault{Key: layoutKey})
		l, err = &layout{}, nil
	}
	if err != nil {
		return IndexReport{}, err
	}
	err = eachMissing(ctx, s, l, of, func(run, key string) error {
		report.note(IndexFault{Run: run, Missing: true, Key: key})
		return nil
	})
	if err != nil {
		return IndexReport{}, err
	}
	report.Entries, err = eachSurplus(ctx, s, l, of, func(run, key string) error {
		report.note(IndexFault{Run: run, Key: key})
		return nil
	})
	if err != nil {
		return IndexReport{}, err
	}
	return report, nil
}

func (x Index) rebuild(ctx context.Context, of subject) (done IndexRepair, err error) {
	if of.all() { // the entries of all runs depend on it
		if done.Removed, err = x.mendLayout(ctx); err != nil {
			return done, err
		}
	}
	s := x.scope.Snapshot()
	l, err := readLayout(ctx, s.Peek)
	if err != nil {
		return done, err
	}
	surplus := batch{ctx: ctx, scope: x.scope, mend: removeSurplus, done: &done.Removed}
	_, err = eachSurplus(ctx, s, l, of, func(_, key string) error { return surplus.add(key) })
	if err == nil {
		err = surplus.flush()
	}
	if err != nil {
		return done, err
	}
	missing := batch{ctx: ctx, scope: x.scope, mend: addMissing, done: &done.Added}
	err = eachMissing(ctx, s, l, of, func(run, _ string) error { return missing.add(run) })
	if err == nil {
		err = missing.flush()
	}
	return done, err
}

// batch gathers what is to be mended, for one transaction at a time.
type batch struct {
	ctx   context.Context
	scope txn.Scope
	mend  func(context.Context, txn.Scope, []string) (int, error)
	items []string // none twice in a row
	done  *int
}

func (b *batch) add(item string) error {
	if n := len(b.items); n > 0 && b.items[n-1] == item {
		return nil
	}
	if b.items = append(b.items, item); len(b.items) < mendBatch {
		return nil
	}
	return b.flush()
}

func (b *batch) flush() error {
	n := 0
	_, err := b.scope.Atomic(b.ctx, func(s txn.Scope) (err error) {
		n, err = b.mend(b.ctx, s, b.items)
		return err
	})
	if err == nil {
		*b.done += n
	}
	b.items = nil
	return err
}

// mendLayout begins anew with a layout that cannot be read. What lies elsewhere is surplus then.
func (x Index) mendLayout(ctx context.Context) (mended int, err error) {
	_, err = x.scope.Atomic(ctx, func(s txn.Scope) error {
		mended = 0
		if _, err := readLayout(ctx, s.Get); !errors.Is(err, codec.ErrCorrupt) {
			return err
		}
		mended = 1
		return (&layout{}).write(ctx, s)
	})
	return mended, err
}

// eachSurplus calls f with the entries that no record asks for, and returns how many it looked at.
// The run is empty if the key does not tell.
func eachSurplus(ctx context.Context, s txn.Scope, l *layout, of subject,
	f func(run, key string) error,
) (entries int, err error) {
	c := s.Scan(ctx, codec.RunIndex, txn.Range{})
	defer c.Close()
	for c.Next() {
		key := c.Key()
		id, ok := entryID(key)
		if key == layoutKey || !of.all() && (!ok || id != of.id) {
			continue
		}
		entries++
		run := ""
		if ok {
			run = idText(id)
		}
		wanted, err := isWanted(ctx, s, l, id, key)
		if err == nil && !wanted {
			err = f(run, key)
		}
		if err != nil {
			return entries, err
		}
	}
	return entries, c.Err()
}

// entryID is the id of the run that an entry is about.
func entryID(key string) (id [16]byte, ok bool) {
	elements, err := codec.DecodeTuple([]byte(key))
	if err != nil || len(elements) == 0 {
		return id, false
	}
	last := elements[len(elements)-1]
	if last.Kind != codec.ElementBytes || len(last.Text) != len(id) {
		return id, false
	}
	copy(id[:], last.Text)
	return id, true
}

// isWanted reports whether the record of a run asks for an entry.
func isWanted(ctx context.Context, s txn.Scope, l *layout, id [16]byte, key string) (bool, error) {
	r, err := loadAny(ctx, s, idText(id))
	if errors.Is(err, txn.ErrRunNotFound) {
		return false, nil
	}
	return err == nil && slices.Contains(entriesOf(&r, l), key), err
}

// eachMissing calls f with the entries that records ask for and that are not there.
func eachMissing(ctx context.Context, s txn.Scope, l *layout, of subject,
	f func(run, key string) error,
) error {
	each := func(r *codec.ScopeRecord) error {
		for _, key := range entriesOf(r, l) {
			e, err := s.Get(ctx, codec.RunIndex, key)
			if err != nil {
				return err
			}
			lost := r.Status == codec.Active && !l.knows(r.BootEpoch) && key == l.key(r)
			if lost || !e.Exists || !bytes.Equal(e.Value, null) {
				if err := f(idText(r.ID), key); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if !of.all() {
		r, err := loadAny(ctx, s, idText(of.id))
		if errors.Is(err, txn.ErrRunNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return each(&r)
	}
	c := s.Scan(ctx, codec.ScopeRecords, txn.Range{})
	defer c.Close()
	for c.Next() {
		if !isRun(c.Key()) {
			continue
		}
		r, err := codec.DecodeScopeRecord(c.Entry().Value)
		if err == nil {
			err = each(&r)
		}
		if err != nil {
			return err
		}
	}
	return c.Err()
}

// removeSurplus removes entries if they are surplus still.
func removeSurplus(ctx context.Context, s txn.Scope, keys []string) (n int, err error) {
	l, err := readLayout(ctx, s.Get)
	if err != nil {
		return 0, err
	}
	for _, key := range keys {
		id, _ := entryID(key)
		wanted, err := isWanted(ctx, s, l, id, key)
		if err != nil {
			return 0, err
		}
		if wanted {
			continue
		}
		existed, err := s.Delete(ctx, codec.RunIndex, key)
		if err != nil {
			return 0, err
		}
		if existed {
			n++
		}
	}
	return n, nil
}

// addMissing adds what runs, by their ids, lack still.
func addMissing(ctx context.Context, s txn.Scope, runs []string) (n int, err error) {
	l, err := readLayout(ctx, s.Get)
	if err != nil {
		return 0, err
	}
	known := len(l.Epochs)
	for _, run := range runs {
		id, err := uuid.Parse(run)
		if err != nil {
			return 0, err
		}
		var keys []string
		err = eachMissing(ctx, s, l, subject{id}, func(_, key string) error {
			keys = append(keys, key)
			return nil
		})
		if err != nil {
			return 0, err
		}
		for _, key := range keys {
			if _, err := s.Put(ctx, codec.RunIndex, key, null, 0); err != nil {
				return 0, err
			}
		}
		n += len(keys)
		r, err := load(ctx, s, run)
		if err == nil && r.Status == codec.Active {
			l.add(r.BootEpoch)
		}
	}
	if len(l.Epochs) > known {
		err = l.write(ctx, s)
	}
	return n, err
}
