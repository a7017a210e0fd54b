package inmem

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Keep says how much history of a run is kept. The zero Keep keeps all of it. With both fields set
// history goes only when both let it go. What a key, cell or span holds now always stays, and so do
// all events.
type Keep struct {
	// Commits keeps what the run showed after each of its last so many commits.
	Commits uint64
	// For keeps all that could be seen of the run in the last so much time.
	For time.Duration

	_ struct{}
}

// String is the policy in words.
func (k Keep) String() string {
	switch {
	case k.Commits == 0 && k.For == 0:
		return "all"
	case k.For == 0:
		return fmt.Sprintf("%d commits", k.Commits)
	case k.Commits == 0:
		return k.For.String()
	}
	return fmt.Sprintf("%d commits and %v", k.Commits, k.For)
}

// RetentionTarget says what a policy is for: the zero one is for the whole database, shared
// namespaces included.
type RetentionTarget struct {
	// Run is the id of a run; empty for all that have no policy of their own.
	Run string
	// Primitive is the one whose history is meant; 0 for all that have no policy of their own. The
	// machines go with the cells. Events take no policy: they are never removed.
	Primitive Primitive

	_ struct{}
}

// RetentionPolicy is a policy that was set.
type RetentionPolicy struct {
	RetentionTarget
	Keep Keep // how much
}

// SetRetention sets how much history is kept, from now on and over restarts. Of several policies
// that could apply to a primitive of a run the most specific one does: that for the run and the
// primitive, for the run, for the primitive, for the database; without any all history is kept.
//
// A policy removes nothing by itself. While the database is open it is carried out in the
// background every Options.RetentionInterval, or at once by ApplyRetention; PlanRetention tells
// before what would go. History that was removed answers ErrPruned from then on, naming the
// earliest version that can be read; nothing brings it back.
//
// The policies of a run go with it. It returns the commit version. Errors: ErrRunNotFound,
// ErrInvalidArgument for an id that is no UUID, a primitive that takes no policy, a negative
// duration, or a number of commits over 2^63-1; and those of Tx.Commit.
func (d *DB) SetRetention(ctx context.Context, t RetentionTarget, k Keep) (uint64, error) {
	version, err := d.setRetention(ctx, t, &k)
	if err != nil {
		return 0, fmt.Errorf("set retention: %w", err)
	}
	d.retention.wake()
	return version, nil
}

// ClearRetention takes a policy away: what it was for has that of the next wider target again. It
// returns the commit version, 0 if there was none. Errors: those of SetRetention.
func (d *DB) ClearRetention(ctx context.Context, t RetentionTarget) (uint64, error) {
	version, err := d.setRetention(ctx, t, nil)
	if err != nil {
		return 0, fmt.Errorf("clear retention: %w", err)
	}
	return version, nil
}

// Retention lists the policies that are set: that of the database first, then those of runs by id,
// each without a primitive before those with one. Errors: ErrTimeout, ErrCanceled, ErrStorage,
// ErrCorrupt, ErrClosed.
func (d *DB) Retention(ctx context.Context) ([]RetentionPolicy, error) {
	policies, err := d.policies(ctx)
	if err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	return policies.list, nil
}

// Policies and pins are values of the system scope, under Meta.
const (
	policyPrefix = "retention/policy/" // and the run's id, a slash, and the letter of the primitive
	pinPrefix    = "retention/pin/"    // and the name
)

// takesPolicy tells whether history of a primitive can be removed by a policy of its own.
func takesPolicy(p Primitive) bool {
	switch p {
	case 0, PrimitiveKV, PrimitiveCells, PrimitiveTraces, PrimitiveVectors, PrimitiveExtensions:
		return true
	}
	return false
}

// key is where the policy for a target lies.
func (t RetentionTarget) key() string {
	key := policyPrefix + t.Run + "/"
	if t.Primitive != 0 {
		key += string(rune(t.Primitive))
	}
	return key
}

// parseTarget is the inverse of key. Errors: ErrCorrupt.
func parseTarget(key string) (t RetentionTarget, err error) {
	rest, ours := strings.CutPrefix(key, policyPrefix)
	run, letter, ok := strings.Cut(rest, "/")
	t.Run = run
	if letter != "" {
		t.Primitive = Primitive(letter[0])
	}
	if !ours || !ok || len(letter) > 1 || !takesPolicy(t.Primitive) || t.key() != key {
		return RetentionTarget{}, &codec.CorruptError{What: "retention policy",
			Detail: fmt.Sprintf("key %q", key)}
	}
	return t, nil
}

func (d *DB) setRetention(ctx context.Context, t RetentionTarget, k *Keep) (uint64, error) {
	if t.Run != "" {
		id, err := canonicalID(t.Run)
		if err != nil {
			return 0, err
		}
		t.Run = id
	}
	if !takesPolicy(t.Primitive) {
		return 0, fmt.Errorf("%w: %v take no retention policy", ErrInvalidArgument, t.Primitive)
	}
	if k != nil {
		if err := k.check(); err != nil {
			return 0, err
		}
	}
	return d.m.Update(ctx, d.system, housekeeping, func(tx *txn.Tx) error {
		s := tx.Scope(d.system)
		number, err := numberOf(ctx, s, t.Run)
		if err != nil {
			return fmt.Errorf("run %s: %w", t.Run, err)
		}
		if k == nil {
			_, err = s.Delete(ctx, codec.Meta, t.key())
			return err
		}
		value, err := encodeKeep(*k, number)
		if err == nil {
			_, err = s.Put(ctx, codec.Meta, t.key(), value, 0)
		}
		return err
	})
}

// numberOf is the scope number of a run by its id, 0 for no run. Errors: ErrRunNotFound.
func numberOf(ctx context.Context, system txn.Scope, run string) (codec.Scope, error) {
	if run == "" {
		return 0, nil
	}
	e, err := system.Get(ctx, codec.ScopeRecords, run)
	if err != nil {
		return 0, err
	}
	if !e.Exists {
		return 0, ErrRunNotFound
	}
	rec, err := codec.DecodeScopeRecord(e.Value)
	if err == nil && rec.Kind == codec.KindImport {
		err = ErrRunNotFound
	}
	return rec.Number, err
}

// canonicalID is a run's id in the one form in which records have it.
func canonicalID(id string) (string, error) {
	parsed, err := runindex.ParseID(id)
	if err != nil {
		return "", err
	}
	return uuid.UUID(parsed).String(), nil
}

// storedKeep is a Keep as it is stored.
type storedKeep struct {
	Commits int64 `inmem:"commits"`
	For     int64 `inmem:"for"` // nanoseconds
	// Number is that of the run's scope, 0 for none: a later run with the same id is another one.
	Number int64 `inmem:"number"`
}

// check refuses what cannot be stored.
func (k Keep) check() error {
	if k.For < 0 {
		return fmt.Errorf("%w: a duration of %v", ErrInvalidArgument, k.For)
	}
	if k.Commits > math.MaxInt64 {
		return fmt.Errorf("%w: %d commits", ErrInvalidArgument, k.Commits)
	}
	return nil
}

func encodeKeep(k Keep, number codec.Scope) ([]byte, error) {
	return encodeStored(storedKeep{
		Commits: int64(k.Commits), For: int64(k.For), Number: int64(number),
	})
}

// decodeKeep is the inverse of encodeKeep. Errors: ErrCorrupt, also for a policy that cannot have
// been set: one of -1 commits would keep them all.
func decodeKeep(b []byte) (k Keep, number codec.Scope, err error) {
	var stored storedKeep
	if err := decodeStored(b, &stored); err != nil {
		return k, 0, err
	}
	if stored.Commits < 0 || stored.For < 0 || stored.Number < 0 ||
		stored.Number > int64(codec.MaxScope) {
		return k, 0, &codec.CorruptError{What: "retention policy", Detail: fmt.Sprintf(
			"%d commits, %d ns, scope %d", stored.Commits, stored.For, stored.Number)}
	}
	k = Keep{Commits: uint64(stored.Commits), For: time.Duration(stored.For)}
	return k, codec.Scope(stored.Number), nil
}

// encodeStored encodes a struct as a Map.
func encodeStored(fields any) ([]byte, error) {
	v, err := codec.ValueOf(fields)
	if err != nil {
		return nil, err
	}
	return codec.AppendValue(nil, v)
}

// decodeStored is the inverse of encodeStored.
func decodeStored(b []byte, into any) error {
	v, err := codec.DecodeValue(b)
	if err == nil {
		err = v.Decode(into)
	}
	if err != nil {
		return &codec.CorruptError{What: "retention record", Detail: err.Error()}
	}
	return nil
}

// policies are all policies of the database.
type policies struct {
	list []RetentionPolicy
	of   map[RetentionTarget]Keep
	dead []string // keys of those whose runs are gone
}

// none tells whether there is nothing to be carried out, nor to be forgotten.
func (p *policies) none() bool { return len(p.list)+len(p.dead) == 0 }

func (d *DB) policies(ctx context.Context) (*policies, error) {
	p := &policies{of: map[RetentionTarget]Keep{}}
	c := d.m.Scope(d.system).Scan(ctx, codec.Meta, txn.PrefixRange(policyPrefix))
	defer c.Close()
	for c.Next() {
		t, err := parseTarget(c.Key())
		if err != nil {
			return nil, err
		}
		k, of, err := decodeKeep(c.Entry().Value)
		if err != nil {
			return nil, err
		}
		if t.Run != "" {
			number, err := numberOf(ctx, d.m.Scope(d.system), t.Run)
			switch {
			case err != nil && !errors.Is(err, ErrRunNotFound):
				return nil, err
			case err != nil || number != of:
				p.dead = append(p.dead, t.key())
				continue
			}
		}
		p.list = append(p.list, RetentionPolicy{RetentionTarget: t, Keep: k})
		p.of[t] = k
	}
	return p, txn.ContextError(c.Err())
}

// keep is the policy for a letter of a run.
func (p *policies) keep(run string, letter codec.Primitive) Keep {
	primitive := Primitive(letter)
	if letter == codec.Machines {
		primitive = PrimitiveCells
	}
	for _, t := range []RetentionTarget{
		{Run: run, Primitive: primitive}, {Run: run}, {Primitive: primitive}, {},
	} {
		if k, ok := p.of[t]; ok {
			return k
		}
	}
	return Keep{}
}
