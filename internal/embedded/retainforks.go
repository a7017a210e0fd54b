package embedded

import (
	"context"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// forkSet knows which forks read through which scope, and from which version on: they hold its
// history back. Nobody needs that before the first Prune, which reads all scope records; from then
// on the commits keep it up to date. All of it is guarded by the commit lock.
type forkSet struct {
	tracking bool                                   // commits take note
	complete bool                                   // what was there before is known
	forks    map[codec.Scope]map[codec.Scope]uint64 // of a parent: fork, version
	parents  map[codec.Scope]codec.Scope            // of a fork
	noted    map[codec.Scope]struct{}               // by commits, while the records are read
}

// note takes in the record of a scope that was put. REQUIRES: the commit lock.
func (f *forkSet) note(r codec.ScopeRecord) {
	if !f.tracking {
		return
	}
	if !f.complete {
		f.noted[r.Number] = struct{}{}
	}
	f.drop(r.Number)
	if r.ReadsThrough() {
		f.add(r)
	}
}

func (f *forkSet) add(r codec.ScopeRecord) {
	if f.forks[r.ParentNumber] == nil {
		f.forks[r.ParentNumber] = map[codec.Scope]uint64{}
	}
	f.forks[r.ParentNumber][r.Number] = r.ForkVersion
	f.parents[r.Number] = r.ParentNumber
}

// drop forgets a fork that reads through nothing any more, or is gone. REQUIRES: the commit lock.
func (f *forkSet) drop(n codec.Scope) {
	parent, ok := f.parents[n]
	if !ok {
		return
	}
	delete(f.parents, n)
	if delete(f.forks[parent], n); len(f.forks[parent]) == 0 {
		delete(f.forks, parent)
	}
}

// bury is drop for a scope that ceases to exist. REQUIRES: the commit lock.
func (f *forkSet) bury(n codec.Scope) {
	if f.tracking && !f.complete {
		f.noted[n] = struct{}{}
	}
	f.drop(n)
}

// family calls use for a scope and all forks that read through it, at any remove, each with the
// version at which it reads the scope at most. REQUIRES: the commit lock.
func (f *forkSet) family(n codec.Scope, upTo uint64, use func(n codec.Scope, upTo uint64)) {
	use(n, upTo)
	for fork, version := range f.forks[n] {
		f.family(fork, min(upTo, version), use)
	}
}

// knowForks makes sure that all forks are known.
func (d *DB) knowForks(ctx context.Context) error {
	d.commitLock.Lock()
	f := &d.forks
	if f.complete {
		d.commitLock.Unlock()
		return nil
	}
	*f = forkSet{
		tracking: true, forks: map[codec.Scope]map[codec.Scope]uint64{},
		parents: map[codec.Scope]codec.Scope{}, noted: map[codec.Scope]struct{}{},
	}
	last := d.order.commit
	d.commitLock.Unlock()
	if err := d.published.wait(ctx, last, d.running); err != nil {
		return err
	}
	var found []codec.ScopeRecord
	c := d.Scan(ctx, d.system, codec.ScopeRecords, backend.Range{}, last)
	defer c.Close()
	for c.Next() {
		r, err := codec.DecodeScopeRecord(c.Record().Value)
		if err != nil {
			return err
		}
		if r.ReadsThrough() {
			found = append(found, codec.ScopeRecord{
				Number: r.Number, ParentNumber: r.ParentNumber, ForkVersion: r.ForkVersion,
			})
		}
	}
	if err := c.Err(); err != nil {
		return err
	}
	d.commitLock.Lock()
	defer d.commitLock.Unlock()
	for _, r := range found {
		if _, newer := f.noted[r.Number]; !newer {
			f.add(r)
		}
	}
	f.complete, f.noted = true, nil
	return nil
}
