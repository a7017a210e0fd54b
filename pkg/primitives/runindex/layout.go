package runindex

import (
	"context"
	"hash/fnv"
	"slices"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Where the entries of passing statuses lie.
//
// Every run is Active once, and most are not for long. What was deleted leaves a tombstone, which a
// scan passes over one by one: a stream of Active runs would soon cost as much as all runs that
// ever were. So it moves out from under its tombstones, all the time and a little at a time
// (Sweep): entries go from generation g to g+1 in the order of their places. When all have gone, g
// is left behind for good, and g+1 begins to move.
//
// Invariant: an entry at a place before layout.swept lies in generation g+1, any other in g.
// Whoever writes one reads the layout in the same transaction, so none is written to the wrong
// side.
//
// An Active entry also lies under the epoch in which its run was made active, an open of the
// database: so the runs that a crash has interrupted are streams of their own.
type layout struct {
	Generation int64
	// Swept is a place, or the smallest string behind one; empty: nothing has moved yet.
	Swept []byte
	// Epochs are those that Active entries lie under, ascending.
	Epochs []uint64
}

// layoutKey is where the layout is kept. No entry begins like it.
var layoutKey = string(codec.Tuple(nil).AppendNil().AppendString("layout"))

// getter is Scope.Get or Scope.Peek: whether the layout joins the read set.
type getter func(context.Context, codec.Primitive, string) (txn.Entry, error)

func readLayout(ctx context.Context, get getter) (*layout, error) {
	var l layout
	e, err := get(ctx, codec.RunIndex, layoutKey)
	if err != nil || !e.Exists {
		return &l, err
	}
	v, err := codec.DecodeValue(e.Value)
	if err == nil {
		err = l.read(v)
	}
	if err != nil || l.Generation < 0 || !slices.IsSorted(l.Epochs) {
		return nil, damaged("its layout cannot be read")
	}
	return &l, nil
}

// read is Value.Decode without reflection: every run that begins reads the layout.
func (l *layout) read(v codec.Value) (err error) {
	if v.Kind() != codec.KindMap {
		return codec.ErrTypeMismatch
	}
	for name, field := range v.Entries() {
		if field.IsNull() { // a slice that was nil
			continue
		}
		switch name {
		case "Generation":
			l.Generation, err = field.AsInt()
		case "Swept":
			l.Swept, err = field.AsBytes()
		case "Epochs":
			l.Epochs, err = readEpochs(field)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func readEpochs(v codec.Value) ([]uint64, error) {
	if v.Kind() != codec.KindArray {
		return nil, codec.ErrTypeMismatch
	}
	epochs := make([]uint64, 0, v.Len())
	for _, item := range v.Items() {
		n, err := item.AsInt()
		if err != nil || n < 0 {
			return nil, codec.ErrTypeMismatch
		}
		epochs = append(epochs, uint64(n))
	}
	return epochs, nil
}

func (l *layout) write(ctx context.Context, s txn.Scope) error {
	v, err := codec.ValueOf(*l)
	if err != nil {
		return err
	}
	data, err := codec.AppendValue(nil, v)
	if err != nil {
		return err
	}
	_, err = s.Put(ctx, codec.RunIndex, layoutKey, data, 0)
	return err
}

// knows reports whether streams are looked for under an epoch.
func (l *layout) knows(epoch uint64) bool {
	_, found := slices.BinarySearch(l.Epochs, epoch)
	return found
}

// add takes an epoch up.
func (l *layout) add(epoch uint64) {
	if i, found := slices.BinarySearch(l.Epochs, epoch); !found {
		l.Epochs = slices.Insert(slices.Clip(l.Epochs), i, epoch)
	}
}

// key is the entry of a run whose status is a passing one.
func (l *layout) key(r *codec.ScopeRecord) string {
	place := placeOf(r.Created, r.ID)
	generation := l.Generation
	if place < string(l.Swept) {
		generation++
	}
	return string(passingPrefix(r.Status, generation, epochOf(r))) + place
}

// passingStatuses are those of which every run is in one, but not for long.
var passingStatuses = [...]codec.Status{codec.Active, codec.Paused}

// epochsOf are the epochs that entries of a passing status may lie under.
func (l *layout) epochsOf(s codec.Status) []uint64 {
	if s == codec.Active {
		return l.Epochs
	}
	return []uint64{0}
}

// epochOf is the epoch that a run's entry lies under: it tells something of Active runs only.
func epochOf(r *codec.ScopeRecord) uint64 {
	if r.Status == codec.Active {
		return r.BootEpoch
	}
	return 0
}

// passingPrefix is one stream of runs with a passing status.
func passingPrefix(s codec.Status, generation int64, epoch uint64) codec.Tuple {
	return statusPrefix(s).AppendInt(generation).AppendInt(int64(epoch))
}

// stretch is a stream from a place on: before that there are only tombstones.
type stretch struct{ prefix, from string }

// stretches are the streams of a passing status, under the epochs that are wanted.
func (l *layout) stretches(s codec.Status, wanted func(epoch uint64) bool) []stretch {
	var list []stretch
	for _, epoch := range l.epochsOf(s) {
		if !wanted(epoch) {
			continue
		}
		swept := string(l.Swept)
		list = append(list, stretch{
			prefix: string(passingPrefix(s, l.Generation, epoch)), from: swept,
		})
		if swept != "" {
			next := passingPrefix(s, l.Generation+1, epoch)
			list = append(list, stretch{prefix: string(next)})
		}
	}
	return list
}

func everyEpoch(uint64) bool { return true }

const (
	// sweepEvery is how many runs begin, on average, between two sweeps: about so many tombstones a
	// query may have to pass over.
	sweepEvery = 512
	// sweepSize is how many entries one sweep moves: more than begin meanwhile, or it would never
	// come to the end. So the tombstones in the way are a few times sweepEvery, and a number in
	// proportion to the runs that are Active or Paused.
	sweepSize = 2 * sweepEvery
)

// SweepDue says whether a sweep should follow the beginning of a run. The id decides, so that short
// processes, of which each begins few runs, sweep as often as a long one; in a young database there
// is nothing to sweep.
func SweepDue(n *NewRun) bool {
	h := fnv.New32a()
	h.Write(n.ID[:])
	return n.Number > sweepEvery && h.Sum32()%sweepEvery == 0
}

// Sweep moves entries of passing statuses out from under the tombstones that lie around them; see
// layout. It is part of the transaction that system is in, which must be Serializable: an entry
// that another transaction puts where this one has looked must be a conflict. Losing a conflict
// does no harm, the next sweep does the work.
func Sweep(ctx context.Context, system txn.Scope, epoch uint64) error {
	return sweep(ctx, system, epoch, sweepSize)
}

// sweep moves up to size entries.
func sweep(ctx context.Context, system txn.Scope, epoch uint64, size int) error {
	l, err := readLayout(ctx, system.Get)
	if err != nil {
		return err
	}
	moved, last, err := l.move(ctx, system, size)
	if err != nil {
		return err
	}
	if moved == size {
		l.Swept = []byte(last + "\x00")
		return l.write(ctx, system)
	}
	// All have moved: the next generation is the one to read, and to move from.
	l.Generation++
	l.Swept = nil
	if err := l.forget(ctx, system, epoch); err != nil {
		return err
	}
	return l.write(ctx, system)
}

// move takes the next entries to the next generation, and returns how many, and the last place.
func (l *layout) move(ctx context.Context, s txn.Scope, size int,
) (moved int, last string, err error) {
	w := &walk{ctx: ctx, scope: s, from: string(l.Swept), left: unbounded}
	u := &union{w: w}
	defer u.close()
	var from, to []string // the prefixes of each member, and of where it goes
	for _, status := range passingStatuses {
		for _, epoch := range l.epochsOf(status) {
			from = append(from, string(passingPrefix(status, l.Generation, epoch)))
			to = append(to, string(passingPrefix(status, l.Generation+1, epoch)))
			e := newEntries(w, stretch{prefix: from[len(from)-1]})
			u.members = append(u.members, member{stream: e})
		}
	}
	for bound := w.start(); moved < size && u.seek(bound) == found; moved++ {
		last = u.place()
		if _, err := s.Delete(ctx, codec.RunIndex, from[u.best]+last); err != nil {
			return moved, last, err
		}
		if _, err := s.Put(ctx, codec.RunIndex, to[u.best]+last, null, 0); err != nil {
			return moved, last, err
		}
		bound = w.past(last)
	}
	return moved, last, w.err
}

// forget drops the epochs that are over and have no entry left. REQUIRES: nothing is swept, so all
// entries lie in one generation.
func (l *layout) forget(ctx context.Context, s txn.Scope, current uint64) error {
	w := &walk{ctx: ctx, scope: s, left: unbounded}
	var kept []uint64
	for _, epoch := range l.Epochs {
		prefix := passingPrefix(codec.Active, l.Generation, epoch)
		e := newEntries(w, stretch{prefix: string(prefix)})
		if epoch >= current || e.seek(w.start()) == found {
			kept = append(kept, epoch)
		}
		e.close()
	}
	l.Epochs = kept
	return w.err
}
