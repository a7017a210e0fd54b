package model

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sort"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Get implements backend.Reader.
func (b *Backend) Get(
	ctx context.Context, s *backend.Scope, p codec.Primitive, user string, at uint64,
) (backend.Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.readable(ctx, s)
	if err == nil {
		err = b.unpruned(s, p, at)
	}
	if err != nil {
		return backend.Record{}, fmt.Errorf("get %s: %w", codec.FormatKey(s.Number, p, user), err)
	}
	return b.at(keyOf(s, p, user), at), nil
}

// GetPlain implements backend.Reader: the model tells nothing twice.
func (b *Backend) GetPlain(*backend.Scope, codec.Primitive, string, uint64) (
	value []byte, version, hint uint64, ok bool,
) {
	return nil, 0, 0, false
}

// at is the newest record of a key at or below a version. Callers hold mu.
func (b *Backend) at(k key, version uint64) backend.Record {
	if chain := b.versions(k, version); len(chain) > 0 {
		return chain[len(chain)-1]
	}
	return backend.Record{}
}

// latest is the newest record of a key. Callers hold mu.
func (b *Backend) latest(k key) backend.Record { return b.at(k, b.published) }

// readable answers for reads of a scope. Callers hold mu.
func (b *Backend) readable(ctx context.Context, s *backend.Scope) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	return b.present(s)
}

// status is what the scope's record says now; the system scope has none and is always Active.
// A record that is missing, deleted, or names another number (the id was used again) means that the
// scope is gone, whatever version somebody wants to read. Callers hold mu.
func (b *Backend) status(s *backend.Scope) (codec.Status, codec.ScopeKind, error) {
	if s.Record == "" && s.Number == codec.SystemScope {
		return codec.Active, codec.KindRun, nil
	}
	r := b.latest(key{space{codec.SystemScope, codec.ScopeRecords}, s.Record})
	if !r.Exists() {
		return 0, 0, fmt.Errorf("scope %d: %w", s.Number, backend.ErrScopeGone)
	}
	record, err := codec.DecodeScopeRecord(r.Value)
	if err != nil {
		return 0, 0, fmt.Errorf("scope %d: record %q: %w", s.Number, s.Record, err)
	}
	if record.Number != s.Number {
		return 0, 0, fmt.Errorf("scope %d: its id belongs to scope %d now: %w",
			s.Number, record.Number, backend.ErrScopeGone)
	}
	return record.Status, record.Kind, nil
}

// Scan implements backend.Reader. The whole answer is taken at once.
func (b *Backend) Scan(
	ctx context.Context, s *backend.Scope, p codec.Primitive, r backend.Range, at uint64,
) backend.Cursor {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.readable(ctx, s)
	if err == nil {
		err = b.unpruned(s, p, at)
	}
	if err != nil {
		return &cursor{err: fmt.Errorf("scan: %w", err)}
	}
	c := &cursor{}
	for _, k := range b.keys(space{s.Number, p}, r) {
		if record := b.at(k, at); record.Exists() {
			c.rest = append(c.rest, item{k.user, record})
		}
	}
	if r.Reverse {
		slices.Reverse(c.rest)
	}
	return c
}

// keys lists the keys of a range that ever existed, in the scope or in one it reads through, in key
// order. Callers hold mu.
func (b *Backend) keys(in space, r backend.Range) []key {
	seen := map[string]bool{}
	for s, ok := in.scope, true; ok; s, _, ok = b.through(s, 0) {
		for user := range b.records[space{s, in.primitive}] {
			seen[user] = r.Contains(user)
		}
	}
	var found []key
	for user, inside := range seen {
		if inside {
			found = append(found, key{in, user})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].less(found[j]) })
	return found
}

type item struct {
	key    string
	record backend.Record
}

// cursor implements backend.Cursor over a list.
type cursor struct {
	current item
	rest    []item
	err     error
}

func (c *cursor) Next() bool {
	if len(c.rest) == 0 {
		return false
	}
	c.current, c.rest = c.rest[0], c.rest[1:]
	return true
}

func (c *cursor) Key() string             { return c.current.key }
func (c *cursor) Record() *backend.Record { return &c.current.record }
func (c *cursor) Err() error              { return c.err }
func (c *cursor) Close()                  { c.rest = nil }

// CommitRecord implements backend.Reader.
func (b *Backend) CommitRecord(ctx context.Context, version uint64) (codec.CommitRecord, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.usable(ctx); err != nil {
		return codec.CommitRecord{}, fmt.Errorf("read commit %d: %w", version, err)
	}
	if c, ok := b.commitFrom(version); ok && c.Version == version {
		return c.CommitRecord, nil
	}
	return codec.CommitRecord{}, nil
}

// CommitTime implements backend.Reader.
func (b *Backend) CommitTime(ctx context.Context, version uint64) (int64, error) {
	r, err := b.CommitRecord(ctx, version)
	return r.Time, err
}

// commitFrom is the first commit at or after a version. Callers hold mu.
func (b *Backend) commitFrom(version uint64) (backend.Commit, bool) {
	i := sort.Search(len(b.commits), func(i int) bool { return b.commits[i].Version >= version })
	if i == len(b.commits) {
		return backend.Commit{}, false
	}
	return b.commits[i], true
}

// Commits implements backend.Reader: it counts.
func (b *Backend) Commits(
	ctx context.Context, s *backend.Scope, at uint64,
) (backend.ScopeCommits, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	err := b.readable(ctx, s)
	if err == nil {
		err = b.unpruned(s, codec.Journal, min(at, b.published))
	}
	if err != nil {
		return backend.ScopeCommits{}, fmt.Errorf("commits of scope %d: %w", s.Number, err)
	}
	return b.extent(s.Number, at), nil
}

// extent counts the commits of a scope, and before them those of its parent up to the fork. Callers
// hold mu.
func (b *Backend) extent(s codec.Scope, at uint64) backend.ScopeCommits {
	var found backend.ScopeCommits
	if o, ok := b.origins[s]; ok {
		found = b.extent(o.parent, min(at, o.version))
	}
	for _, c := range b.commits {
		for _, x := range c.Scopes {
			if x.Scope != s || c.Version > at {
				continue
			}
			if found.Count++; found.Count == 1 {
				found.First = c.Version
			}
			found.Last = c.Version
		}
	}
	return found
}

// Tail implements backend.Reader. Between two commits the mutex is free, so the body of the loop
// may use the store.
func (b *Backend) Tail(ctx context.Context, from uint64) iter.Seq2[backend.Commit, error] {
	step := func(next uint64) (backend.Commit, bool, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if err := b.usable(ctx); err != nil {
			return backend.Commit{}, false, fmt.Errorf("tail from %d: %w", next, err)
		}
		c, ok := b.commitFrom(next)
		return b.told(c), ok, nil
	}
	return func(yield func(backend.Commit, error) bool) {
		for next := from; ; {
			c, ok, err := step(next)
			if err != nil {
				yield(backend.Commit{}, err)
				return
			}
			if !ok || !yield(c, nil) {
				return
			}
			next = c.Version + 1
		}
	}
}
