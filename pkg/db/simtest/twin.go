package simtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/pkg/codec"
)

// twin is the model that can go back: it keeps what was done since a version that is durable on the
// other side, and a copy of the store at that version to which it can be done again. It is used by
// one goroutine.
type twin struct {
	*model.Backend
	base *model.Backend
	at   time.Time // what base takes for the time
	deed []deed
	// numbers are those of scopes that the other side has given out during the action: some of what
	// the front door does depends on them.
	numbers []codec.Scope
	// onRecord tells whether the other side has a record of a commit.
	onRecord func(version uint64) bool
}

// deed is something that changed the store, when version was the newest.
type deed struct {
	version uint64
	time    int64
	request *backend.Request
	prune   *backend.PruneOptions
	scope   *backend.Scope
}

func newTwin(now func() time.Time) *twin {
	t := &twin{Backend: model.New(now), onRecord: func(uint64) bool { return true }}
	t.base = t.Backend.Clone(func() time.Time { return t.at })
	return t
}

// Commit implements backend.Backend.
func (t *twin) Commit(ctx context.Context, r *backend.Request) (backend.Outcome, error) {
	out, err := t.Backend.Commit(ctx, r)
	if err != nil || out.Version == 0 {
		return out, err
	}
	at, err := t.CommitTime(context.Background(), out.Version)
	if err != nil {
		return out, err
	}
	again := *r
	again.Pin, again.Reads, again.Ranges, again.Conditions = nil, nil, nil, nil
	again.Writes, again.Appends = slices.Clone(r.Writes), slices.Clone(r.Appends)
	again.CreateScopes = slices.Clone(r.CreateScopes)
	t.deed = append(t.deed, deed{version: out.Version, time: at, request: &again})
	return out, nil
}

// NewestCommit implements backend.Backend. A commit of which nothing is left may not be on record
// any more on the other side: then it is the one before it.
func (t *twin) NewestCommit(ctx context.Context, at uint64) (uint64, int64, error) {
	version, time, err := t.Backend.NewestCommit(ctx, at)
	for err == nil && version != 0 && t.nothingLeft(version) && !t.onRecord(version) {
		version, time, err = t.Backend.NewestCommit(ctx, version-1)
	}
	return version, time, err
}

// VersionAt implements backend.Backend; see NewestCommit.
func (t *twin) VersionAt(ctx context.Context, time int64) (uint64, error) {
	version, err := t.Backend.VersionAt(ctx, time)
	if err != nil || version == 0 {
		return version, err
	}
	version, _, err = t.NewestCommit(ctx, version)
	return version, err
}

// nothingLeft tells whether all scopes are gone that a commit wrote to.
func (t *twin) nothingLeft(version uint64) bool {
	for c, err := range t.Tail(context.Background(), version) {
		return err == nil && c.Version == version && len(c.Scopes) > 0 &&
			!slices.ContainsFunc(c.Scopes, func(s backend.ScopeChanges) bool { return !s.Gone })
	}
	return false
}

// Prune implements backend.Backend.
func (t *twin) Prune(
	ctx context.Context, s *backend.Scope, o backend.PruneOptions,
) (backend.PruneReport, error) {
	report, err := t.Backend.Prune(ctx, s, o)
	if err == nil { // the second time nothing holds it back
		again := backend.PruneOptions{Upto: report.After}
		t.deed = append(t.deed, deed{version: t.Published(), prune: &again, scope: s})
	}
	return report, err
}

// WaitBeyond implements backend.Backend: nobody waits here.
func (t *twin) WaitBeyond(_ context.Context, version uint64) (uint64, error) {
	return atOnce(t.Durable(), version)
}

// atOnce ends a watch that has nothing more to tell.
func atOnce(durable, version uint64) (uint64, error) {
	if durable > version {
		return durable, nil
	}
	return 0, context.Canceled
}

// Close implements backend.Backend: the store outlives the databases over it.
func (t *twin) Close() error { return nil }

// AllocateScope implements backend.Backend.
func (t *twin) AllocateScope(ctx context.Context) (codec.Scope, error) {
	if len(t.numbers) > 0 {
		t.ReserveScopes(t.numbers[0])
		t.numbers = t.numbers[1:]
	}
	return t.Backend.AllocateScope(ctx)
}

// settle forgets how to go back below a version.
func (t *twin) settle(version uint64) error {
	n := 0
	for n < len(t.deed) && t.deed[n].version <= version {
		if err := t.redo(t.deed[n]); err != nil {
			return err
		}
		n++
	}
	t.deed = t.deed[n:]
	return nil
}

func (t *twin) redo(d deed) error {
	ctx := context.Background()
	if d.prune != nil {
		_, err := t.base.Prune(ctx, d.scope, *d.prune)
		return err
	}
	t.at = time.Unix(0, d.time)
	t.base.Reserve(d.version)
	out, err := t.base.Commit(ctx, d.request)
	if err == nil && out.Version != d.version {
		err = fmt.Errorf("version %d is %d the second time", d.version, out.Version)
	}
	return err
}

// knows reports whether a version is that of a commit that the twin can go back to.
func (t *twin) knows(version uint64) bool {
	return version == t.base.Published() || slices.ContainsFunc(t.deed, func(d deed) bool {
		return d.version == version
	})
}

// rewind makes the twin what it was at a version, as after a crash that took the rest; the next
// version is at least next.
func (t *twin) rewind(version, next uint64, now func() time.Time) error {
	if err := t.settle(version); err != nil {
		return fmt.Errorf("the model does something else the second time: %w", err)
	}
	t.numbers = nil
	scopes, err := t.Backend.AllocateScope(context.Background())
	if err != nil {
		return err
	}
	t.deed = nil
	t.Backend = t.base.Clone(now)
	t.ReserveScopes(scopes)
	t.Reserve(next)
	return nil
}

// reopened stands for a restart that loses nothing.
func (t *twin) reopened() { t.Backend = t.Backend.Reopen() }
