package inmem

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/txn"
)

// FromNow begins a watch with what is committed after the call of Watch.
const FromNow uint64 = math.MaxUint64

// WatchOptions say from where on a Watch tells, and what. The zero value tells everything from the
// beginning.
type WatchOptions struct {
	// From is the first version that is told. Who has handled version v goes on with From: v+1, in
	// this process or another. 0 is the beginning, or what retention has left of it when the watch
	// begins. FromNow is what is committed after the call.
	From uint64

	// Primitives are those whose changes are told. Default: all, or what Prefix and EventTypes
	// concern.
	Primitives []Primitive
	// Prefix tells only of keys, cells, spans... that begin with it. It does not concern events:
	// they are told if EventTypes or Primitives ask for them.
	Prefix string
	// EventTypes tells only of events of these types. It concerns nothing else: the rest is told if
	// Prefix or Primitives ask for it.
	EventTypes []string

	// Values says what is told of each change. With EventTypes it is at least what was written.
	Values ReplayValues

	_ struct{}
}

// Watch tells the commits of the run, each exactly once and in their order, from a version on, and
// goes on with those that come until ctx is done. It tells of a commit when that is durable, so
// that what a consumer knows survives every crash; in mode None when it can be read. Commits of
// which the options leave nothing are passed over. For a fork the run's own history begins with its
// parent's.
//
//	for c, err := range run.Watch(ctx, inmem.WatchOptions{From: last + 1}) {
//		if err != nil {
//			return err // ctx is done, or the watch cannot go on
//		}
//		handle(c)
//		last = c.Version // to go on from, after a restart as well
//	}
//
// A consumer may be as slow as he likes: no commit waits for him, and nothing is queued for him. He
// reads the run's journal, at the cost of what he is told, however much the database holds; while
// there is nothing to tell he costs nothing but a look whenever anything becomes durable.
//
// If the run is deleted a Commit with Deleted is told and the watch ends; what was not told until
// then is gone. Otherwise it ends with an error, which is told once and last: ErrCanceled or
// ErrTimeout when ctx is done; ErrPruned if retention has removed what was not told yet;
// ErrInvalidArgument for options that are no good, or a From that lies in the future (a database
// restored from a copy may be older than its consumer); ErrClosed, ErrStorage, ErrCorrupt.
func (r *Run) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Commit, error] {
	return r.d.watch(ctx, o, "watch run "+r.id, func(w *watch) error {
		return w.scope(ctx, r.scope, r.id)
	})
}

// Watch is Run.Watch for a shared namespace.
func (s *Shared) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Commit, error] {
	name := s.name.String()
	return s.d.watch(ctx, o, "watch shared namespace "+name, func(w *watch) error {
		return w.scope(ctx, s.scope, name)
	})
}

// Watch tells the commits of all runs and shared namespaces; see Run.Watch. A commit over several
// of them is told as several, one after the other, which have one Version: who stops between two of
// them and goes on with that Version is told all of them again, in the same order.
//
// When a run or shared namespace is deleted a Commit with Deleted and its name is told, in the
// place of the deletion; what it had committed before and was not told until then is passed over.
// The beginning, status and end of runs are no commits of theirs, and not told; DB.Runs tells them.
// The commits of an import are told as they are written, before the run can be found; see
// ImportRun.
//
// Cost: what was committed in the whole database. The names of all runs are looked up the first
// time that one is needed, and kept: about 50 bytes for each.
func (d *DB) Watch(ctx context.Context, o WatchOptions) iter.Seq2[Commit, error] {
	return d.watch(ctx, o, "watch", func(w *watch) error { return w.database(ctx) })
}

// watch makes the sequence. What FromNow means is settled by the call, and the rest by the loop, so
// that the sequence can be walked again.
func (d *DB) watch(
	ctx context.Context, o WatchOptions, name string, walk func(*watch) error,
) iter.Seq2[Commit, error] {
	begun := d.b.Published()
	return func(yield func(Commit, error) bool) {
		w := watch{d: d, begun: begun, yield: yield}
		err := w.read(o)
		if err == nil {
			err = walk(&w)
		}
		if err != nil && !errors.Is(err, errLeft) {
			yield(Commit{}, fmt.Errorf("%s: %w", name, txn.ContextError(err)))
		}
	}
}

// watch is one walk of a Watch.
type watch struct {
	d     *DB
	yield func(Commit, error) bool
	maker commitMaker
	filter
	begun uint64 // published when the watch began
	all   bool   // From was 0: pruned history before begun is passed over
	next  uint64 // the first version that is not told yet
}

// errLeft: the consumer has left the loop.
var errLeft = errors.New("left")

// read takes the options over.
func (w *watch) read(o WatchOptions) error {
	switch {
	case o.From == FromNow:
		w.next = w.begun + 1
	case o.From > w.d.b.Published()+1:
		return fmt.Errorf("%w: from version %d, the newest is %d", ErrInvalidArgument, o.From,
			w.d.b.Published())
	default:
		w.next, w.all = max(1, o.From), o.From == 0
	}
	return w.filter.read(&o)
}

// tell hands a commit to the consumer unless the filter leaves nothing of it.
func (w *watch) tell(name string, e *backend.JournalEntry) error {
	c, err := w.maker.commit(name, e)
	if err == nil {
		err = w.keep(&c)
	}
	if err != nil || len(c.Changes) == 0 {
		return err
	}
	return w.give(c)
}

func (w *watch) give(c Commit) error {
	if !w.yield(c, nil) {
		return errLeft
	}
	return nil
}

// settle returns when everything that can be read now is durable. What a watch cannot tell because
// of a deletion it passes over only then: a crash must not bring it back.
func (w *watch) settle(ctx context.Context) error {
	_, err := w.d.b.WaitBeyond(ctx, max(1, w.d.b.Published())-1)
	return err
}
