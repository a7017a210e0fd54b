package embedded

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// manyWrites are the writes of a commit in a test of walks: puts with and without a deadline,
// small, empty and large, and deletes, of two primitives.
func manyWrites(rng *rand.Rand, s *backend.Scope, n int) (writes []backend.Write) {
	for _, p := range []codec.Primitive{codec.Cells, codec.KV} {
		for _, i := range rng.Perm(500)[:n] {
			w := backend.Write{Scope: s, Primitive: p, Key: fmt.Sprintf("%0*d", 1+i%7, i)}
			switch rng.IntN(10) {
			case 0:
				w.Op = backend.Delete
			case 1:
				w.Op, w.Value = backend.Put, bytes.Repeat([]byte{byte(i)}, rng.IntN(20<<10))
			case 2:
				w.Op, w.Value, w.Expiry = backend.Put, []byte(w.Key), 1<<62+int64(i)
			default:
				w.Op, w.Value = backend.Put, []byte(fmt.Sprint(rng.Uint64()))
			}
			writes = append(writes, w)
		}
	}
	return writes
}

// told is a journal with its values as lines.
func told(t *testing.T, db *DB, s *backend.Scope, r backend.JournalRange) (lines []string) {
	t.Helper()
	for e, err := range db.Journal(ctx, s, r) {
		require.NoError(t, err)
		for _, c := range e.Changes {
			lines = append(lines, fmt.Sprintf("%d/%d %c %v %s %x %d", e.Version, e.Number, c.Primitive,
				c.Op, c.Key, c.Value, c.Expiry))
		}
	}
	return lines
}

// wholePage reads all of a scope's own history as one page.
func wholePage(t *testing.T, db *DB, s *backend.Scope, from uint64) *journalPage {
	t.Helper()
	w := journalWalk{
		db: db, ctx: ctx, scope: s, next: from, limit: largePage,
		r: backend.JournalRange{At: db.Published(), Values: backend.NewValues},
	}
	p, again, err := w.tryPage()
	require.NoError(t, err)
	require.False(t, again)
	return p
}

// Values that a walk over the keys finds are those that looking them up finds: with several walks
// at once, under a filter, and in a fork; and a walk is what reads them.
func TestWalkFindsWhatLookingUpFinds(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	db := mustOpen(t, memOptions())
	a, b := newScope(t, db, 1), newScope(t, db, 2)
	for range 300 {
		commit(t, db, manyWrites(rng, a, 30)...)
		commit(t, db, manyWrites(rng, b, 1)...)
	}
	f := fork(t, db, run(a, 1), db.Published())
	for range 20 {
		commit(t, db, manyWrites(rng, f.Scope, 30)...)
	}
	p := wholePage(t, db, a, 1)
	require.True(t, p.scanned != nil, "%d changes were looked up", p.changes)
	require.GreaterOrEqual(t, p.changes, splitFrom)
	require.True(t, wholePage(t, db, f.Scope, uint64(len(p.entries))+1).scanned != nil)
	for _, only := range [][]backend.KeySpace{
		nil,
		{{Primitive: codec.KV}},
		{{Primitive: codec.Cells, Prefix: "0"}},
		{{Primitive: codec.KV, Prefix: "00"}, {Primitive: codec.KV, Prefix: "04"}},
	} {
		for _, s := range []*backend.Scope{a, b, f.Scope} {
			for _, from := range []uint64{0, 290} {
				r := backend.JournalRange{At: db.Published(), From: from, Only: only}
				r.Values = backend.OldAndNewValues
				looked := told(t, db, s, r)
				r.Values = backend.NewValues
				require.Equal(t, looked, told(t, db, s, r))
			}
		}
	}
}

// A walk that meets what the journal does not name, or misses what it names, is not believed.
func TestWalkIsNotBelievedBlindly(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	db := mustOpen(t, memOptions())
	s := newScope(t, db, 1)
	var versions []uint64
	for range 40 {
		versions = append(versions, commit(t, db, manyWrites(rng, s, 10)...))
	}
	p := wholePage(t, db, s, 1)
	require.True(t, p.scanned != nil)
	r := backend.JournalRange{At: db.Published(), Values: backend.NewValues}
	before := told(t, db, s, r)

	entry := func(user string, version uint64) []byte {
		key, err := codec.AppendKey(nil, s.Number, codec.KV, user)
		require.NoError(t, err)
		return codec.AppendVersion(key, version)
	}
	c := p.lists[20].changes[15]
	require.Equal(t, codec.KV, c.Primitive)
	value := codec.AppendEnvelope(nil, codec.Envelope{Payload: []byte("nobody wrote me")})
	extra := entry(c.Key[:len(c.Key)-1]+"/", versions[20])
	require.NoError(t, db.store.Set(extra, value, pebble.NoSync))
	require.True(t, wholePage(t, db, s, 1).scanned == nil)
	require.Equal(t, before, told(t, db, s, r))

	// The extra entry stands where another one is missing: the numbers are right, the keys are not.
	require.NoError(t, db.store.Delete(entry(c.Key, versions[20]), pebble.NoSync))
	require.True(t, wholePageOrNil(db, s) == nil)
	for _, err := range db.Journal(ctx, s, r) {
		if err != nil {
			require.ErrorIs(t, err, codec.ErrCorrupt)
			require.ErrorContains(t, err, c.Key)
			return
		}
	}
	require.Fail(t, "a missing value was not missed")
}

// wholePageOrNil is what a walk found of the first page, nil if it failed.
func wholePageOrNil(db *DB, s *backend.Scope) *scannedValues {
	w := journalWalk{
		db: db, ctx: ctx, scope: s, next: 1, limit: largePage,
		r: backend.JournalRange{At: db.Published(), Values: backend.NewValues},
	}
	p, _, err := w.tryPage()
	if err != nil {
		return nil
	}
	return p.scanned
}

// A page that changed a twelfth of the keys, here and there, is read by a walk over all of them, as
// one of a long run is; one that changed next to none of them is looked up.
func TestWalkGoesOverWhatOtherPagesChanged(t *testing.T) {
	const keys, each, pages = 6000, 10, 12
	rng := rand.New(rand.NewPCG(7, 8))
	db := mustOpen(t, memOptions())
	s := newScope(t, db, 1)
	order := rng.Perm(keys)
	for i := 0; i < keys; i += each {
		var writes []backend.Write
		for _, k := range order[i : i+each] {
			writes = append(writes, backend.Write{
				Scope: s, Primitive: codec.KV, Key: fmt.Sprintf("%06d", k), Op: backend.Put,
				Value: []byte(fmt.Sprint(i, k)),
			})
		}
		commit(t, db, writes...)
	}
	for _, c := range []struct {
		limit int
		walk  bool
	}{{keys / pages, true}, {scanFrom, false}} {
		w := journalWalk{
			db: db, ctx: ctx, scope: s, next: keys / each / 2, limit: c.limit,
			r: backend.JournalRange{At: db.Published(), Values: backend.NewValues},
		}
		if w.limit == firstPage {
			w.limit++
		}
		p, again, err := w.tryPage()
		require.NoError(t, err)
		require.False(t, again)
		require.Equal(t, c.walk, p.scanned != nil, "%d changes of %d", p.changes, keys)
		for i := 0; i < len(p.entries); {
			i = p.fill(i)
		}
		for i, e := range p.entries {
			require.Len(t, e.Changes, each)
			for _, c := range e.Changes {
				var first, k int
				_, err := fmt.Sscan(string(c.Value), &first, &k)
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf("%06d", k), c.Key)
				require.Equal(t, (keys/each/2-1+i)*each, first)
			}
		}
	}
}

// The checksum over what a commit left tells keys, their order, their kinds and tombstones apart.
func TestEntryCheckTellsApart(t *testing.T) {
	put := func(keys ...string) (list []codec.Change) {
		for _, k := range keys {
			list = append(list, codec.Change{Primitive: codec.KV, Op: codec.ChangePut, Key: k})
		}
		return list
	}
	lists := [][]codec.Change{
		nil, put(""), put("", ""), put("a"), put("b"), put("a", "b"), put("b", "a"), put("aa"),
		put("\x00a"), put("12345678"), put("012345678"), put("12345679"), put("123456780"),
		{{Primitive: codec.Cells, Op: codec.ChangePut, Key: "a"}},
		{{Primitive: codec.KV, Op: codec.ChangeDelete, Key: "a"}},
	}
	seen := map[uint64]int{}
	for i, list := range lists {
		for _, slot := range []uint32{0, 1, 1 << 20} {
			sum := listCheck(list, slot)
			before, found := seen[sum]
			require.True(t, !found || before == i && len(list) == 0, "%v and %v", lists[before], list)
			seen[sum] = i
		}
	}
	expired := put("a")
	expired[0].Op = codec.ChangeExpire
	require.Equal(t, listCheck(lists[14], 7), listCheck(expired, 7), "a tombstone as well")
}

// What a walk keeps is what lies in the slots, whatever its size, and no slice reaches beyond.
func TestKeptValuesLieInTheirSlots(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	v := &scannedValues{}
	walks := []*valueWalk{{v: v}, {v: v}}
	var kept [][]byte
	for i := range 3000 {
		n := rng.IntN(300)
		if i%50 == 0 {
			n = arenaBlock/8 - sizeBytes - 8 + rng.IntN(16) + i%100*1000
		}
		stored := make([]byte, n)
		for j := range stored {
			stored[j] = byte(rng.Uint32())
		}
		kept = append(kept, stored)
		v.slots = append(v.slots, walks[rng.IntN(2)].keep(stored))
	}
	v.first = []uint32{0, uint32(len(v.slots))}
	v.touch(0, 1)
	for i, stored := range kept {
		found := v.stored(v.slots[i])
		require.True(t, bytes.Equal(stored, found), "%d: %d bytes", i, len(stored))
		require.Equal(t, len(found), cap(found))
	}
}

// However large values are, a page holds a bounded part of them: the walk gives up, and smaller
// pages follow, which tell everything.
func TestPagesOfLargeValuesAreBounded(t *testing.T) {
	const each, size = 3, 400 << 10
	const commits = pageBytes * 3 / 2 / (each * size)
	db := mustOpen(t, memOptions())
	s := newScope(t, db, 1)
	for i := range commits {
		var writes []backend.Write
		for j := range each {
			writes = append(writes, backend.Write{
				Scope: s, Primitive: codec.KV, Key: fmt.Sprint(j, i), Op: backend.Put,
				Value: bytes.Repeat([]byte{byte(i)}, size),
			})
		}
		commit(t, db, writes...)
	}
	w := journalWalk{
		db: db, ctx: ctx, scope: s, next: 1, limit: largePage,
		r: backend.JournalRange{At: db.Published(), Values: backend.NewValues},
	}
	_, again, err := w.tryPage()
	require.NoError(t, err)
	require.True(t, again, "it would have held all")
	number := uint64(0)
	for {
		p, err := w.page()
		require.NoError(t, err)
		if len(p.entries) == 0 {
			break
		}
		require.LessOrEqual(t, p.bytes, pageBytes+each*(size+1))
		p.fill(0)
		for _, e := range p.entries {
			number++
			require.Equal(t, number, e.Number)
			for _, c := range e.Changes {
				require.Len(t, c.Value, size)
				require.Equal(t, byte(number-1), c.Value[size/2])
			}
		}
	}
	require.EqualValues(t, commits, number)
}
