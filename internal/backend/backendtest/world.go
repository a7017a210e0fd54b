package backendtest

import (
	"context"
	"math"
	"sync"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// world is what a check is told in: short words for what one does with an authority. Every word
// fails the check when the authority answers with an error that the story does not expect.
// Safe for concurrent use, except reopen.
type world struct {
	tester
	ctx   context.Context
	env   *Env
	b     backend.Backend
	clock *Clock
	sys   *backend.Scope
}

func newWorld(ctx context.Context, t tester, env *Env) *world {
	return &world{tester: t, ctx: ctx, env: env, b: env.Backend, clock: env.Clock,
		sys: &backend.Scope{Number: codec.SystemScope}}
}

// within is the same world with failures reported to another tester.
func (w *world) within(t tester) *world {
	return newWorld(w.ctx, t, w.env)
}

// now is the authority's clock, in the unit of deadlines.
func (w *world) now() int64 { return w.clock.Now().UnixNano() }

// text is the encoded form of a String: what the layers above would store. It is nil for a text
// that is not UTF-8, which no check uses.
func text(s string) []byte {
	b, err := codec.AppendValue(nil, codec.String(s))
	if err != nil {
		return nil
	}
	return b
}

// scope makes a new Active scope.
func (w *world) scope() *backend.Scope {
	w.Helper()
	s := w.allocate()
	w.must(w.b.Commit(w.ctx, w.creation(s, codec.Active)))
	return s
}

// allocate makes a handle with a fresh number and record key, and no record yet. The record key is
// unlike all others of the same store.
func (w *world) allocate() *backend.Scope {
	w.Helper()
	n, err := w.b.AllocateScope(w.ctx)
	require.NoError(w, err)
	return &backend.Scope{Number: n, Record: recordKey(n)}
}

// again is a second handle to the same scope.
func again(s *backend.Scope) *backend.Scope {
	return &backend.Scope{Number: s.Number, Record: s.Record}
}

// creation is the request that brings a scope into being.
func (w *world) creation(s *backend.Scope, status codec.Status) *backend.Request {
	return &backend.Request{
		CreateScopes: []*backend.Scope{s},
		Writes:       []backend.Write{w.record(s, status)},
		Conditions: []backend.Condition{
			{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record}},
	}
}

// record is the write that gives a scope a status.
func (w *world) record(s *backend.Scope, status codec.Status) backend.Write {
	w.Helper()
	value := encodeScope(w, codec.ScopeRecord{Number: s.Number, Status: status,
		Tenant: "tenant", App: "app", Agent: "agent", Created: w.now(), Updated: w.now()})
	return backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record,
		Op: backend.Put, Value: value}
}

// setStatus writes the scope's record.
func (w *world) setStatus(s *backend.Scope, status codec.Status) uint64 {
	w.Helper()
	return w.commit(w.record(s, status)).Version
}

// drop deletes the scope's record.
func (w *world) drop(s *backend.Scope) uint64 {
	w.Helper()
	return w.commit(backend.Write{Scope: w.sys, Primitive: codec.ScopeRecords, Key: s.Record,
		Op: backend.Delete}).Version
}

func put(s *backend.Scope, key, value string) backend.Write {
	return backend.Write{Scope: s, Primitive: codec.KV, Key: key, Op: backend.Put, Value: text(value)}
}

func putUntil(s *backend.Scope, key, value string, deadline int64) backend.Write {
	x := put(s, key, value)
	x.Expiry = deadline
	return x
}

func del(s *backend.Scope, key string) backend.Write {
	return backend.Write{Scope: s, Primitive: codec.KV, Key: key, Op: backend.Delete}
}

func expire(s *backend.Scope, key string, stamp uint64) backend.Write {
	return backend.Write{Scope: s, Primitive: codec.KV, Key: key, Op: backend.Expire, Stamp: stamp}
}

func event(s *backend.Scope, typ, payload string) backend.Append {
	b := text(payload)
	return backend.Append{Scope: s, Type: typ, Payload: b, Digest: codec.PayloadDigest(b)}
}

// must is for commits that have to succeed.
func (w *world) must(out backend.Outcome, err error) backend.Outcome {
	w.Helper()
	require.NoError(w, err)
	return out
}

// commit commits writes that have to succeed, and demands that the caller can read them at once.
func (w *world) commit(writes ...backend.Write) backend.Outcome {
	w.Helper()
	out := w.must(w.b.Commit(w.ctx, &backend.Request{Writes: writes}))
	require.GreaterOrEqual(w, w.b.Published(), out.Version,
		"a commit that returned is visible to the caller")
	return out
}

// sweep submits what a sweeper submits.
func (w *world) sweep(writes ...backend.Write) backend.Outcome {
	w.Helper()
	return w.must(w.b.Commit(w.ctx,
		&backend.Request{Writes: writes, Flags: codec.FlagExpiry}))
}

func (w *world) put(s *backend.Scope, key, value string) uint64 {
	w.Helper()
	out := w.commit(put(s, key, value))
	require.NotZero(w, out.Version, "a put takes a version")
	return out.Version
}

func (w *world) del(s *backend.Scope, key string) backend.Outcome {
	w.Helper()
	return w.commit(del(s, key))
}

// get reads a key as a new reader would.
func (w *world) get(s *backend.Scope, key string) backend.Record {
	w.Helper()
	return w.getAt(s, key, w.b.Published())
}

func (w *world) getAt(s *backend.Scope, key string, at uint64) backend.Record {
	w.Helper()
	return w.read(s, codec.KV, key, at)
}

func (w *world) read(
	s *backend.Scope, p codec.Primitive, key string, at uint64,
) backend.Record {
	w.Helper()
	r, err := w.b.Get(w.ctx, s, p, key, at)
	require.NoError(w, err)
	w.plain(s, p, key, at, r)
	return r
}

// plain holds the short way against what Get said.
func (w *world) plain(
	s *backend.Scope, p codec.Primitive, key string, at uint64, r backend.Record,
) {
	w.Helper()
	if at > w.b.Published() {
		return
	}
	value, version, hint, ok := w.b.GetPlain(s, p, key, at)
	if !ok {
		return
	}
	require.Equal(w, r.Version, version)
	require.Equal(w, r.Stamp, version)
	require.Zero(w, r.Expiry)
	require.False(w, r.Deleted)
	if version != 0 {
		require.Equal(w, string(r.Value), string(value))
		require.NotZero(w, hint)
	}
}

// pair is what a cursor stands on.
type pair struct {
	key    string
	record backend.Record
}

func (w *world) scan(s *backend.Scope, r backend.Range, at uint64) []pair {
	w.Helper()
	return w.scanOf(s, codec.KV, r, at)
}

func (w *world) scanOf(
	s *backend.Scope, p codec.Primitive, r backend.Range, at uint64,
) []pair {
	w.Helper()
	c := w.b.Scan(w.ctx, s, p, r, at)
	defer c.Close()
	var pairs []pair
	for c.Next() {
		pairs = append(pairs, pair{c.Key(), *c.Record()})
	}
	require.NoError(w, c.Err())
	require.False(w, c.Next(), "after false Next stays false")
	w.blocks(s, p, r, at, pairs)
	return pairs
}

// blocks holds a scan in blocks, where the authority offers that, against the one by Next.
func (w *world) blocks(
	s *backend.Scope, p codec.Primitive, r backend.Range, at uint64, want []pair,
) {
	w.Helper()
	c, ok := w.b.Scan(w.ctx, s, p, r, at).(backend.BlockCursor)
	if !ok {
		return
	}
	defer c.Close()
	var b backend.Block
	for i := 0; ; {
		c.NextBlock(&b, 1+len(want)%7)
		require.LessOrEqual(w, b.Len, 1+len(want)%7)
		for j := range b.Len {
			require.Less(w, i, len(want))
			require.Equal(w, want[i].key, b.Keys[j])
			r := want[i].record
			r.Hint = b.Hints[j] // the entry may have been moved
			require.Equal(w, r, backend.Record{
				Version: b.Versions[j], Stamp: b.Versions[j], Value: b.Values[j], Hint: b.Hints[j],
			})
			i++
		}
		if b.Len > 0 {
			continue
		}
		if !c.Next() {
			require.NoError(w, c.Err())
			require.Len(w, want, i)
			return
		}
		require.Equal(w, want[i].key, c.Key())
		i++
	}
}

func keysOf(pairs []pair) []string {
	keys := make([]string, 0, len(pairs))
	for _, p := range pairs {
		keys = append(keys, p.key)
	}
	return keys
}

// wantValue demands a live record.
func (w *world) wantValue(s *backend.Scope, key, value string) backend.Record {
	w.Helper()
	r := w.get(s, key)
	require.Truef(w, r.Exists(), "%q should exist: %+v", key, r)
	require.Equal(w, text(value), r.Value)
	return r
}

// wantAbsent demands that there is no live record, and returns the tombstone if there is one.
func (w *world) wantAbsent(s *backend.Scope, key string) backend.Record {
	w.Helper()
	r := w.get(s, key)
	require.Falsef(w, r.Exists(), "%q should not exist: %+v", key, r)
	return r
}

// tail collects the commits from a version on.
func (w *world) tail(from uint64) []backend.Commit {
	w.Helper()
	var all []backend.Commit
	for c, err := range w.b.Tail(w.ctx, from) {
		require.NoError(w, err)
		all = append(all, c)
	}
	return all
}

// reopen closes the authority and opens it again; it skips the check if that cannot be done.
func (w *world) reopen() {
	w.Helper()
	if w.env.Reopen == nil {
		w.skip("no Reopen")
	}
	b, err := w.env.Reopen()
	require.NoError(w, err)
	w.b, w.env.Backend = b, b
	w.sys = again(w.sys) // a handle belongs to one authority
}

func (w *world) skip(why string) {
	if t, ok := w.tester.(interface{ Skip(args ...any) }); ok {
		t.Skip(why)
	}
}

// parallel runs n goroutines and waits. If one of them failed the check ends.
func (w *world) parallel(n int, f func(i int)) {
	w.Helper()
	var group sync.WaitGroup
	for i := range n {
		group.Add(1)
		go func() {
			defer group.Done()
			f(i)
		}()
	}
	group.Wait()
	if w.failed() {
		w.FailNow()
	}
}

func (w *world) failed() bool {
	t, ok := w.tester.(interface{ Failed() bool })
	return ok && t.Failed()
}

// going is for loops that wait for another goroutine: it is false once that has failed, or the time
// of the check is over.
func (w *world) going() bool { return w.ctx.Err() == nil && !w.failed() }

// beyond is a version that no authority under test will reach.
const beyond = math.MaxUint64 >> 8
