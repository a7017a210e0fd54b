package inmem

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// retention carries out the policies, and holds what is pinned. The pins are in force from the
// first time that anybody wants to remove something: load comes before.
//
// Lock: mu is held while pins are read, put and taken away, commits included; nothing that it
// protects is needed by a commit.
type retention struct {
	db     *DB
	ctx    context.Context
	cancel context.CancelFunc
	worker sync.WaitGroup
	awake  chan struct{} // capacity 1: a policy was set

	mu     sync.Mutex
	loaded bool
	pins   map[string]heldPin
	walked map[codec.Scope]uint64 // what the last pass over a run cost
}

// heldPin is a pin in force.
type heldPin struct {
	Pin
	scope codec.Scope
	hold  backend.Retention // nil if the run was gone when the pin was read
}

func (p *heldPin) release() {
	if p.hold != nil {
		p.hold.Release()
	}
}

const (
	// gentleRate is how many records a second go at most in the background.
	gentleRate = 50_000
	// walkShare is how many records a background pass may look at for each commit whose history it
	// lets go: a large run of which little can go has to wait until it is more.
	walkShare = 64
	// leastGain is how many commits that are at least, where the policy keeps more.
	leastGain = 16
)

func newRetention(d *DB) *retention {
	r := &retention{
		db: d, awake: make(chan struct{}, 1), pins: map[string]heldPin{},
		walked: map[codec.Scope]uint64{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// start lets the policies be carried out in the background. The goroutine costs nothing as long as
// there are none.
func (r *retention) start() {
	if r.db.options.RetentionInterval > 0 {
		r.worker.Go(r.run)
	}
}

// close ends the background work and waits for it.
func (r *retention) close() {
	r.cancel()
	r.worker.Wait()
}

// wake tells that a policy was set.
func (r *retention) wake() {
	select {
	case r.awake <- struct{}{}:
	default:
	}
}

func (r *retention) run() {
	for r.ctx.Err() == nil {
		p, err := r.db.policies(r.ctx)
		if err == nil && p.none() {
			select {
			case <-r.awake:
			case <-r.ctx.Done():
			}
			continue
		}
		select {
		case <-time.After(r.db.options.RetentionInterval):
		case <-r.ctx.Done():
			return
		}
		_, err = r.each(r.ctx, task{gentle: true})
		if err != nil && r.ctx.Err() == nil {
			r.db.options.Logger.LogAttrs(r.ctx, slog.LevelWarn, "retention failed",
				slog.Any("error", err))
		}
	}
}

// worthwhile tells whether letting go the history of so many commits is worth a walk over a run.
func (r *retention) worthwhile(c candidate, gain uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return gain >= max(leastGain, r.walked[c.scope.Number]/walkShare)
}

// note remembers what a walk cost.
func (r *retention) note(c candidate, done backend.PruneReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if done.Walked > 0 {
		r.walked[c.scope.Number] = done.Walked
	}
}

// forget takes away the policies and pins of runs that are gone.
func (r *retention) forget(ctx context.Context, p *policies, all []candidate) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	numbers := map[codec.Scope]bool{}
	for _, c := range all {
		numbers[c.scope.Number] = true
	}
	for n := range r.walked {
		if !numbers[n] {
			delete(r.walked, n)
		}
	}
	keys := slices.Clone(p.dead)
	for name, x := range r.pins {
		if !numbers[x.scope] {
			keys = append(keys, pinPrefix+name)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	_, err := r.db.m.Update(ctx, r.db.system, housekeeping, func(tx *txn.Tx) error {
		s := tx.Scope(r.db.system)
		for _, key := range keys {
			if err := forgetKey(ctx, s, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name, x := range r.pins {
		if !numbers[x.scope] {
			x.release()
			delete(r.pins, name)
		}
	}
	return nil
}

// forgetKey deletes a policy or pin unless it has been set anew, for a run that exists.
func forgetKey(ctx context.Context, s txn.Scope, key string) error {
	e, err := s.Get(ctx, codec.Meta, key)
	if err != nil || !e.Exists {
		return err
	}
	var of struct {
		Run    string `inmem:"run"` // of a pin
		Number int64  `inmem:"number"`
	}
	if err := decodeStored(e.Value, &of); err != nil {
		return err
	}
	if of.Run == "" {
		t, err := parseTarget(key)
		if err != nil {
			return err
		}
		of.Run = t.Run
	}
	number, err := numberOf(ctx, s, of.Run)
	if err == nil && int64(number) == of.Number {
		return nil
	}
	if err == nil || errors.Is(err, ErrRunNotFound) {
		_, err = s.Delete(ctx, codec.Meta, key)
	}
	return err
}
