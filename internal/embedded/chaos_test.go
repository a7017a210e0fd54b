package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Runs are written, read at versions past and present, deleted and begun again, while commits are
// handed over, forgotten, and states dropped at any moment. Every read is what was written, no
// number is given out twice, and no update is lost.
func TestQueueUnderChaos(t *testing.T) {
	for _, mode := range []Mode{Batched, Strict, None} {
		t.Run(mode.String(), func(t *testing.T) { chaos(t, mode) })
	}
}

func chaos(t *testing.T, mode Mode) {
	o := memOptions()
	o.Mode = mode
	o.SweepInterval, o.SyncInterval, o.WriteBuffer = time.Millisecond, time.Millisecond, 64<<10
	o.MemoryBudget, o.load = 1<<20, 4<<10
	db := mustOpen(t, o)
	rounds := 400
	if testing.Short() {
		rounds = 100
	}
	counter := newScope(t, db, 200)
	var stop atomic.Bool
	var helpers, writers sync.WaitGroup
	helpers.Go(func() { forgetOften(t, db, &stop) })
	var increments atomic.Int64
	for n := range byte(4) {
		w := &chaosRun{db: db, n: n + 1, versions: map[string][]chaosVersion{}}
		writers.Go(func() {
			for i := 0; i < rounds && !t.Failed(); i++ {
				w.step(t, i)
				if increment(t, db, counter) {
					increments.Add(1)
				}
			}
		})
		helpers.Go(func() {
			for !stop.Load() && !t.Failed() {
				w.look(t)
			}
		})
	}
	writers.Wait()
	stop.Store(true)
	helpers.Wait()
	if !t.Failed() {
		got := value(t, db, fresh(counter), "n", db.Published())
		assert.Equal(t, fmt.Sprint(increments.Load()), got)
		requireTail(t, db)
	}
}

// fresh is a handle that knows no state.
func fresh(s *backend.Scope) *backend.Scope {
	return &backend.Scope{Number: s.Number, Record: s.Record}
}

// forgetOften does what a lack of memory and the hand-over do, at random.
func forgetOften(t *testing.T, db *DB, stop *atomic.Bool) {
	for !stop.Load() {
		switch rand.IntN(4) {
		case 0:
			assert.NoError(t, db.handover.push())
		case 1:
			db.commitLock.Lock()
			assert.NoError(t, forgetAll(db))
			db.commitLock.Unlock()
		case 2:
			db.commitLock.Lock()
			for n, freed := 1, int64(1); n > 0 || freed > 0; {
				n, freed = db.table.Evict(db.evictable(), db.table.Bytes())
			}
			db.dropIdleLocked(db.evictable())
			db.commitLock.Unlock()
		default:
			time.Sleep(time.Duration(rand.IntN(500)) * time.Microsecond)
		}
	}
}

// increment adds one to a number in a transaction, if nobody comes between.
func increment(t *testing.T, db *DB, counter *backend.Scope) bool {
	s := fresh(counter)
	pin, err := db.Begin()
	if !assert.NoError(t, err) {
		return false
	}
	defer pin.Release()
	rec, err := db.Get(ctx, s, codec.KV, "n", pin.Version())
	if !assert.NoError(t, err) {
		return false
	}
	var n int
	if rec.Exists() {
		v, err := codec.DecodeValue(rec.Value)
		assert.NoError(t, err)
		text, err := v.AsString()
		assert.NoError(t, err)
		_, err = fmt.Sscan(text, &n)
		assert.NoError(t, err)
	}
	read := backend.Read{
		Scope: s, Primitive: codec.KV, Key: "n", Stamp: rec.Stamp, Hint: rec.Hint,
	}
	_, err = db.Commit(ctx, &backend.Request{
		Pin: pin, Reads: []backend.Read{read},
		Writes: []backend.Write{put(s, "n", fmt.Sprint(n+1))},
	})
	if errors.Is(err, backend.ErrConflict) || errors.Is(err, backend.ErrTxnTooOld) {
		return false
	}
	return assert.NoError(t, err)
}

type chaosVersion struct {
	version uint64
	text    string // "" for a deletion
}

// chaosRun is a run with one writer, and what he wrote.
type chaosRun struct {
	db *DB
	n  byte

	mu       sync.Mutex
	scope    *backend.Scope
	versions map[string][]chaosVersion
	first    uint64 // version of the first commit
	last     uint64 // of the newest commit, and count of them
	commits  uint64
	events   uint64
}

func (r *chaosRun) step(t *testing.T, i int) {
	db := r.db
	r.mu.Lock()
	begun := r.scope != nil
	r.mu.Unlock()
	switch {
	case !begun:
		s, err := beginScope(db, r.n)
		if assert.NoError(t, err) {
			r.mu.Lock()
			r.scope, r.first, r.last, r.commits, r.events = s, 0, 0, 0, 0
			r.versions = map[string][]chaosVersion{}
			r.mu.Unlock()
		}
		return
	case rand.IntN(60) == 0:
		r.mu.Lock() // no reader knows what to expect meanwhile
		defer r.mu.Unlock()
		_, err := db.Commit(ctx, deletion(r.scope))
		assert.NoError(t, err)
		_, err = db.Get(ctx, r.scope, codec.KV, "key-0", db.Published())
		assert.ErrorIs(t, err, backend.ErrScopeGone)
		r.scope = nil
		return
	}
	s := fresh(r.scope)
	key := fmt.Sprint("key-", rand.IntN(8))
	q := &backend.Request{}
	var text string
	switch rand.IntN(8) {
	case 0:
		q.Writes = []backend.Write{{Scope: s, Primitive: codec.KV, Key: key, Op: backend.Delete}}
	case 1:
		text = fmt.Sprintf("%d-%01000d", i, 0)
		q.Writes = []backend.Write{put(s, key, text)}
	default:
		text = fmt.Sprint(i)
		q.Writes = []backend.Write{put(s, key, text)}
	}
	if rand.IntN(3) == 0 {
		payload := []byte{0xf6}
		q.Appends = []backend.Append{{Scope: s, Type: "t", Payload: payload,
			Digest: codec.PayloadDigest(payload)}}
	}
	if rand.IntN(20) == 0 && r.db.opts.Mode != None {
		q.Durability = backend.Durable
	}
	out, err := db.Commit(ctx, q)
	if !assert.NoError(t, err) || out.Version == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.Writes[0].Op == backend.Put || out.Existed > 0 {
		r.versions[key] = append(r.versions[key], chaosVersion{out.Version, text})
	}
	for _, a := range out.Appends {
		assert.Equal(t, r.events, a.Sequence)
		r.events++
	}
	if r.first == 0 {
		r.first = out.Version
	}
	r.last = out.Version
	r.commits++
}

// look reads at some version.
func (r *chaosRun) look(t *testing.T) {
	r.mu.Lock()
	s, last := r.scope, r.last
	if s == nil || last == 0 {
		r.mu.Unlock()
		time.Sleep(time.Millisecond)
		return
	}
	at := last - min(last-r.first, rand.Uint64N(50)*rand.Uint64N(2))
	key := fmt.Sprint("key-", rand.IntN(8))
	want := map[string]string{}
	for k, list := range r.versions {
		for _, v := range list {
			if v.version <= at {
				want[k] = v.text
			}
		}
	}
	commits := r.commits
	r.mu.Unlock()
	s = fresh(s)
	for k, v := range want {
		if v == "" {
			delete(want, k)
		}
	}
	gone := func(err error) bool { return errors.Is(err, backend.ErrScopeGone) }
	switch rand.IntN(4) {
	case 0:
		c := r.db.Scan(ctx, s, codec.KV, backend.Range{Reverse: rand.IntN(2) == 0}, at)
		got := map[string]string{}
		for c.Next() {
			got[c.Key()] = chaosText(t, *c.Record())
		}
		if err := c.Err(); !gone(err) && assert.NoError(t, err) {
			assert.Equal(t, want, got, "scan of %d at %d", s.Number, at)
		}
		c.Close()
	case 1:
		c, err := r.db.Commits(ctx, s, last)
		if !gone(err) && assert.NoError(t, err) {
			assert.Equal(t, commits, c.Count)
			assert.Equal(t, last, c.Last)
		}
	default:
		rec, err := r.db.Get(ctx, s, codec.KV, key, at)
		if !gone(err) && assert.NoError(t, err) {
			assert.Equal(t, want[key], chaosText(t, rec), "%s of %d at %d", key, s.Number, at)
		}
	}
}

func chaosText(t *testing.T, rec backend.Record) string {
	if !rec.Exists() {
		return ""
	}
	v, err := codec.DecodeValue(rec.Value)
	assert.NoError(t, err)
	text, err := v.AsString()
	assert.NoError(t, err)
	return text
}
