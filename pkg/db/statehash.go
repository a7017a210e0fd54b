package inmem

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// Hash is a SHA-256: of all that a run holds at a version.
type Hash [sha256.Size]byte

// String is the hash in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText implements encoding.TextMarshaler: the hash in hex.
func (h Hash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. Errors: ErrInvalidArgument.
func (h *Hash) UnmarshalText(text []byte) error {
	var read Hash
	if n, err := hex.Decode(read[:], text); err != nil || n != len(h) || len(text) != 2*len(h) {
		return fmt.Errorf("%w: %.80q is no hash of 64 hex digits", ErrInvalidArgument, text)
	}
	*h = read
	return nil
}

// StateHash is the hash of what the run holds at a version: keys with their values and deadlines,
// events with their times and hashes, cells, machines, spans, extensions, vectors. What has expired
// by the time of that version is absent. Versions and times of commits, indexes and the run's
// record do not count, so the hash is equal on every machine, and after export and import. The
// bytes that it is taken over are in docs/format.md.
//
// Cost: it reads all that the run holds. Errors: those of At.
func (r *Run) StateHash(ctx context.Context, version uint64) (Hash, error) {
	v, err := r.At(ctx, version)
	if err != nil {
		return Hash{}, err
	}
	h, err := v.StateHash(ctx)
	if err := v.Close(); err != nil {
		return Hash{}, err
	}
	return h, err
}

// StateHash is Run.StateHash of what the view shows. Errors: ErrInvalidArgument for a view of the
// database that names no run, ErrTxnDone, ErrPruned, ErrRunNotFound, ErrTimeout, ErrCanceled,
// ErrStorage, ErrCorrupt, ErrClosed.
func (v *View) StateHash(ctx context.Context) (Hash, error) {
	h := sha256.New()
	h.Write([]byte(codec.StateTag))
	buf := make([]byte, 0, 1<<15)
	for x, err := range stateOf(ctx, v.scope) {
		if err != nil {
			return Hash{}, fmt.Errorf("state hash run %s: %w", v.scope.Name(), err)
		}
		buf = codec.AppendStateItem(buf, x.Primitive, x.Key, x.Expiry, x.Value)
		if len(buf) >= 1<<14 {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return Hash(h.Sum(nil)), nil
}

// statePrimitives are those whose keys are the state of a run, in the order of their letters.
var statePrimitives = []codec.Primitive{
	codec.Cells, codec.Events, codec.KV, codec.Machines, codec.Traces, codec.Extensions,
	codec.Vectors,
}

// stateOf yields all that a scope shows, in the order of primitives and keys, as if one commit had
// written it.
func stateOf(ctx context.Context, s txn.Scope) iter.Seq2[backend.JournalChange, error] {
	return func(yield func(backend.JournalChange, error) bool) {
		for _, p := range statePrimitives {
			if !stateOfPrimitive(ctx, s, p, yield) {
				return
			}
		}
	}
}

// stateOfPrimitive is stateOf for one primitive. It reports whether to go on.
func stateOfPrimitive(ctx context.Context, s txn.Scope, p codec.Primitive,
	yield func(backend.JournalChange, error) bool,
) bool {
	op := codec.ChangePut
	if p == codec.Events {
		op = codec.ChangeAppend
	}
	c := s.Scan(ctx, p, txn.Range{})
	defer c.Close()
	for c.Next() {
		e := c.Entry()
		x := backend.JournalChange{
			Change: codec.Change{Primitive: p, Op: op, Key: c.Key()}, Value: e.Value, Expiry: e.Expiry,
		}
		if !yield(x, nil) {
			return false
		}
	}
	if err := c.Err(); err != nil {
		yield(backend.JournalChange{}, err)
		return false
	}
	return true
}

// earliestState is the Commit that a replay of pruned history begins with.
func (p *replay) earliestState(version uint64) (Commit, error) {
	v, err := p.d.m.ViewAt(p.ctx, p.scope, version)
	if err != nil {
		return Commit{}, err
	}
	e := backend.JournalEntry{Version: version, Time: v.Now()}
	only, err := p.only()
	r := backend.JournalRange{Only: only}
	for x, failed := range stateOf(p.ctx, v.Scope(p.scope)) {
		if err = failed; err != nil {
			break
		}
		if r.Keeps(x.Change) {
			e.Changes = append(e.Changes, x)
		}
	}
	if ended := v.End(); err == nil {
		err = ended
	}
	var c Commit
	if err == nil {
		c, err = new(commitMaker).commit(p.name, &e)
	}
	if err != nil {
		return Commit{}, err
	}
	count, err := p.d.b.Commits(p.ctx, p.scope, version)
	c.Number, c.State, c.Changes = count.Count, true, p.keep(c.Changes)
	return c, err
}
