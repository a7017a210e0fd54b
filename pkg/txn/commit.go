package txn

import (
	"context"
	"fmt"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
)

// Commit ends the transaction and makes its writes take effect as one step. It returns the commit
// version, 0 if there was nothing to write. The function of an Update cannot call it.
//
// Errors: ErrTxnDone, and those of backend.Backend.Commit; a conflict is a *ConflictError. Whatever
// the error, the transaction has ended. Only *backend.UnknownOutcomeError leaves open whether its
// writes last; after any other error there are none.
func (t *Tx) Commit(ctx context.Context) (uint64, error) {
	switch {
	case t.ended.Load():
		return 0, ErrTxnDone
	case t.managed:
		return 0, fmt.Errorf("commit: %w", errManaged)
	}
	return t.commit(ctx)
}

func (t *Tx) commit(ctx context.Context) (uint64, error) {
	version, err := t.decide(ctx)
	if err != nil {
		t.end(causeOf(err))
		return version, err
	}
	t.end(committed)
	return version, nil
}

// decide takes the transaction to the authority, if it wrote anything. Reading alone needs no
// decision: all of it came from one version.
func (t *Tx) decide(ctx context.Context) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, t.outOfTime(ctx, err)
	}
	if t.lost != nil {
		return 0, &commitError{t.lost}
	}
	if !t.changes() {
		return 0, nil
	}
	for c := range t.open { // any order: the ranges are a set
		t.addRange(c)
	}
	t.ranges.merge()
	r := &t.request
	*r = backend.Request{
		Pin: t.hold.pin, Reads: t.reads.list, Ranges: t.ranges.list, Conditions: t.conditions,
		Writes: t.writes.toCommit(), Appends: t.events.list, CreateScopes: t.creates,
		Durability: t.options.Durability,
	}
	o, err := t.m.b.Commit(ctx, r)
	if err != nil {
		return 0, &commitError{explain(err, r)}
	}
	if o.Version == 0 {
		return 0, nil
	}
	return o.Version, t.m.settle(ctx, o.Version)
}

// outOfTime tells of a context that ended before the commit: how long the transaction could take,
// and how long it took.
func (t *Tx) outOfTime(ctx context.Context, err error) error {
	start := time.Unix(0, t.now)
	ran := time.Duration(t.m.b.Now() - t.now).Round(time.Microsecond)
	story := fmt.Sprintf(": the transaction ran for %v", ran)
	if deadline, ok := ctx.Deadline(); ok {
		story += fmt.Sprintf(" of %v", deadline.Sub(start).Round(time.Microsecond))
	}
	e := ContextError(err)
	if c, ok := e.(*contextError); ok {
		c.story = story
	}
	return e
}
