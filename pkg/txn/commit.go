package txn

import (
	"context"
	"fmt"
	"time"
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
	if !t.claim() {
		return 0, ErrTxnDone // another goroutine was first, against the rule
	}
	why := functionFailed
	defer func() { t.end(why) }() // also when the context panics
	version, err := t.decide(ctx)
	if why = committed; err != nil {
		why = causeOf(err)
	}
	return version, err
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
	if t.lent == nil { // taken away by the authority, and then a scope was to be created
		t.borrow()
	}
	r := &t.lent.request // zero so far
	r.Pin, r.Durability = t.hold.pin, t.options.Durability
	r.Reads, r.Ranges, r.Conditions = t.reads.list, t.ranges.list, t.conditions
	r.Writes, r.Appends, r.CreateScopes = t.writes.toCommit(), t.events.list, t.creates
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
