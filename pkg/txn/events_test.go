package txn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// payload encodes a text.
func payload(s string) []byte {
	b, err := codec.AppendValue(nil, codec.String(s))
	if err != nil {
		panic(err)
	}
	return b
}

func event(typ, text string) Event { return Event{Type: typ, Payload: payload(text)} }

// append appends one event and returns its place.
func (w *world) append(s Scope, typ, text string) Appended {
	w.t.Helper()
	placed, _, err := s.Append(w.t.Context(), []Event{event(typ, text)})
	require.NoError(w.t, err)
	require.Len(w.t, placed, 1)
	return placed[0]
}

// log reads all events of a scope and checks that they are a chain.
func (w *world) log(s Scope) []codec.EventRecord {
	w.t.Helper()
	return readLog(w.t, s)
}

func readLog(t require.TestingT, s Scope) []codec.EventRecord {
	var list []codec.EventRecord
	var head codec.EventDigest
	c := s.Scan(context.Background(), codec.Events, Range{})
	defer c.Close()
	for c.Next() {
		seq := uint64(len(list))
		require.Equal(t, codec.EventUserKey(seq), c.Key())
		e, err := codec.DecodeEventRecord(c.Entry().Value)
		require.NoError(t, err)
		require.Equal(t, head, e.Previous, "event %d", seq)
		head = codec.EventHash(head, seq, e.Time, e.Type, codec.PayloadDigest(e.Payload))
		require.Equal(t, head, e.Hash, "event %d", seq)
		if seq > 0 {
			require.GreaterOrEqual(t, e.Time, list[seq-1].Time)
		}
		list = append(list, e)
	}
	require.NoError(t, c.Err())
	return list
}

func texts(log []codec.EventRecord) []string {
	list := make([]string, 0, len(log))
	for _, e := range log {
		v, err := codec.DecodeValue(e.Payload)
		if err != nil {
			panic(err)
		}
		text, _ := v.AsString()
		list = append(list, e.Type+":"+text)
	}
	return list
}

// R160, E51: numbers count from 0 without a gap, several events of one call lie together, and what
// is returned is what is read.
func TestR160DirectAppends(t *testing.T) {
	w := newWorld(t, Config{})
	s := w.Scope(w.scope)
	next, hash, err := s.EventHead(t.Context())
	require.NoError(t, err)
	require.Zero(t, next)
	require.Zero(t, hash)
	placed, none, err := s.Append(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, placed)
	require.Zero(t, none)
	require.Empty(t, w.stub.requests, "no events are no commit")

	first := w.append(s, "a", "1")
	require.Zero(t, first.Sequence)
	placed, version, err := s.Append(t.Context(), []Event{event("b", "2"), event("a", "3")})
	require.NoError(t, err)
	require.Equal(t, w.Manager.b.Published(), version)
	log := w.log(s)
	require.Equal(t, []string{"a:1", "b:2", "a:3"}, texts(log))
	for i, p := range append([]Appended{first}, placed...) {
		require.Equal(t, Appended{Sequence: uint64(i), Hash: log[i].Hash}, p)
	}
	next, hash, err = s.EventHead(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(3), next)
	require.Equal(t, log[2].Hash, hash)
}

// R165, E50, E51: events of a transaction take effect with its other writes or not at all, and
// burn nothing.
func TestR165AppendsJoinTheTransaction(t *testing.T) {
	w := newWorld(t, Config{})
	direct, own := w.Scope(w.scope), errors.New("mine")
	w.append(direct, "a", "0")
	_, err := w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		s := tx.Scope(w.scope)
		require.Equal(t, uint64(1), w.append(s, "a", "lost").Sequence)
		require.Equal(t, uint64(2), w.append(s, "a", "lost").Sequence)
		return own
	})
	require.Equal(t, own, err)
	tx, s := w.begin(Options{})
	require.Equal(t, uint64(1), w.append(s, "a", "lost").Sequence)
	require.NoError(t, tx.Rollback())
	tx, s = w.begin(Options{})
	require.Equal(t, uint64(1), w.append(s, "a", "lost").Sequence)
	_, err = s.CAS(t.Context(), index, "k", 77, nil)
	require.NoError(t, err)
	_, err = tx.Commit(t.Context())
	require.ErrorIs(t, err, backend.ErrConflict)
	require.Equal(t, []string{"a:0"}, texts(w.log(direct)))

	version, err := w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		s := tx.Scope(w.scope)
		require.Equal(t, uint64(1), w.append(s, "b", "1").Sequence)
		_, err := s.Put(t.Context(), index, "k", []byte("v"), 0)
		require.NoError(t, err)
		require.Equal(t, uint64(2), w.append(s, "b", "2").Sequence)
		require.Equal(t, Counts{Puts: 1, Appends: 2, Bytes: 8}, tx.Counts())
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, []string{"a:0", "b:1", "b:2"}, texts(w.log(direct)))
	for _, key := range []struct {
		p    codec.Primitive
		user string
	}{{codec.Events, codec.EventUserKey(2)}, {index, "k"}} {
		e, err := direct.Get(t.Context(), key.p, key.user)
		require.NoError(t, err)
		require.Equal(t, version, e.Version)
	}
	version, err = w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		w.append(tx.Scope(w.scope), "c", "3")
		return nil
	})
	require.NoError(t, err)
	require.NotZero(t, version, "appends alone are something to commit")
	require.Len(t, w.log(direct), 4)
}

// E51: a transaction reads its own events, by key, by scans both ways, and by type; they reach the
// authority as appends and in no other form.
func TestE51OwnEventsAreReadable(t *testing.T) {
	w := newWorld(t, Config{})
	direct := w.Scope(w.scope)
	w.append(direct, "a", "0")
	w.append(direct, "b", "1")
	tx, s := w.begin(Options{})
	w.append(s, "b", "2")
	placed, _, err := s.Append(t.Context(), []Event{event("a", "3"), event("c", "4")})
	require.NoError(t, err)
	log := w.log(s)
	require.Equal(t, []string{"a:0", "b:1", "b:2", "a:3", "c:4"}, texts(log))
	require.Equal(t, Appended{Sequence: 4, Hash: log[4].Hash}, placed[1])
	require.Equal(t, w.clock.Load(), log[4].Time)
	w.append(s, "b", "5")
	e, err := s.Get(t.Context(), codec.Events, codec.EventUserKey(5))
	require.NoError(t, err)
	require.True(t, e.Exists)
	require.Zero(t, e.Version)
	e, err = s.Peek(t.Context(), codec.Events.Index(), codec.EventTypeKey("b", 5))
	require.NoError(t, err)
	require.Equal(t, Entry{Value: []byte{0xf6}, Exists: true}, e)
	r := PrefixRange(codec.EventTypePrefix("b"))
	r.Reverse = true
	require.Equal(t, codec.EventTypeKey("b", 5), w.keys(s, codec.Events.Index(), r)[0])
	require.Contains(t, w.keys(s, codec.Events.Index(), r), codec.EventTypeKey("b", 2))
	r = Range{Start: codec.EventUserKey(1), End: codec.EventUserKey(4), Reverse: true}
	require.Equal(t, []string{codec.EventUserKey(3), codec.EventUserKey(2), codec.EventUserKey(1)},
		w.keys(s, codec.Events, r))
	require.Equal(t, 4, tx.Counts().Appends)
	require.Zero(t, tx.Counts().Puts)

	before := len(w.stub.requests)
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	require.Empty(t, w.stub.requests[before].Writes)
	require.Len(t, w.stub.requests[before].Appends, 4)
	require.Equal(t, []string{"a:0", "b:1", "b:2", "a:3", "c:4", "b:5"}, texts(w.log(direct)))
}

// keys lists the keys of a range.
func (w *world) keys(s Scope, p codec.Primitive, r Range) []string {
	w.t.Helper()
	c := s.Scan(w.t.Context(), p, r)
	defer c.Close()
	var list []string
	for c.Next() {
		list = append(list, c.Key())
	}
	require.NoError(w.t, c.Err())
	return list
}

// What a transaction may read of a log, for the test below.

func readsHead(w *world, s Scope) {
	_, _, err := s.EventHead(w.t.Context())
	require.NoError(w.t, err)
}

func getsEvent(seq uint64) func(*world, Scope) {
	return func(w *world, s Scope) {
		_, err := s.Get(w.t.Context(), codec.Events, codec.EventUserKey(seq))
		require.NoError(w.t, err)
	}
}

func scansEvents(r Range, steps int) func(*world, Scope) {
	return func(w *world, s Scope) {
		c := s.Scan(w.t.Context(), codec.Events, r)
		defer c.Close()
		for range steps {
			c.Next()
		}
		require.NoError(w.t, c.Err())
	}
}

// E52, R164: transactions that only append commit, all of them; one that saw the end of the log
// loses to whoever moved it.
func TestE52OnlyReadersOfTheEndConflict(t *testing.T) {
	key := func(seq uint64) string { return codec.EventUserKey(seq) }
	get, scan, head := getsEvent, scansEvents, readsHead
	all := 100
	for _, c := range []struct {
		name string
		own  int // events appended before the read; the log has three
		read func(*world, Scope)
		lost int // so many foreign events make it lose, 0: none do
	}{
		{"nothing", 1, func(*world, Scope) {}, 0},
		{"head", 0, head, 1},
		{"head behind own events", 2, head, 1},
		{"an event", 1, get(2), 0},
		{"an own event", 1, get(3), 0},
		{"the next place", 0, get(3), 1},
		{"the next place behind own events", 2, get(5), 1},
		{"a place further on", 0, get(4), 2},
		{"a place further on behind own events", 3, get(7), 2},
		{"all", 1, scan(Range{}, all), 1},
		{"all, backwards", 1, scan(Range{Reverse: true}, all), 1},
		{"the last, backwards", 0, scan(Range{Reverse: true}, 1), 1},
		{"the last own, backwards", 1, scan(Range{Reverse: true}, 1), 1},
		{"the first", 1, scan(Range{}, 1), 0},
		{"not begun", 1, scan(Range{Reverse: true}, 0), 0},
		{"up to the last", 0, scan(Range{End: key(3)}, all), 0},
		{"up to the last own", 1, scan(Range{End: key(4), Reverse: true}, all), 0},
		{"up to the next place", 1, scan(Range{End: key(5)}, all), 1},
		{"behind the end", 1, scan(Range{Start: key(9)}, all), 1},
	} {
		for foreign := range 3 {
			t.Run(fmt.Sprintf("%s/%d foreign", c.name, foreign), func(t *testing.T) {
				w := newWorld(t, Config{})
				direct := w.Scope(w.scope)
				for i := range 3 {
					w.append(direct, "a", fmt.Sprint(i))
				}
				tx, s := w.begin(Options{})
				for range c.own {
					w.append(s, "own", "")
				}
				c.read(w, s)
				w.append(s, "own", "last")
				for range foreign {
					w.append(direct, "foreign", "")
				}
				_, err := tx.Commit(t.Context())
				if c.lost == 0 || foreign < c.lost {
					require.NoError(t, err)
					require.Len(t, w.log(direct), 3+c.own+1+foreign)
					return
				}
				require.ErrorIs(t, err, backend.ErrConflict)
				require.Len(t, w.log(direct), 3+foreign)
			})
		}
	}
}

// R079, E52: a transaction that lost is run again as a whole, and its events get other numbers and
// hashes.
func TestE52RetriesAppendAnew(t *testing.T) {
	w := newWorld(t, Config{})
	direct := w.Scope(w.scope)
	var told []Appended
	_, err := w.Update(t.Context(), w.scope, Options{}, func(tx *Tx) error {
		s := tx.Scope(w.scope)
		if _, _, err := s.EventHead(t.Context()); err != nil {
			return err
		}
		if len(told) < 2 {
			w.append(direct, "foreign", "")
		}
		told = append(told, w.append(s, "own", ""))
		return nil
	})
	require.NoError(t, err)
	log := w.log(direct)
	require.Equal(t, []string{"foreign:", "foreign:", "own:"}, texts(log))
	require.Len(t, told, 3)
	require.Equal(t, Appended{Sequence: 2, Hash: log[2].Hash}, told[2])
}

// E53: the time of a provisional event is the transaction's, but never before the event before it;
// that of a committed one is the commit's.
func TestE53Times(t *testing.T) {
	w := newWorld(t, Config{})
	start := w.clock.Load()
	tx, s := w.begin(Options{})
	w.clock.Add(int64(time.Hour))
	w.append(w.Scope(w.scope), "a", "0")
	w.append(s, "a", "1")
	require.Equal(t, start, w.log(s)[0].Time)
	_, err := tx.Commit(t.Context())
	require.ErrorIs(t, err, backend.ErrConflict, "it read the whole log")
	require.Equal(t, start+int64(time.Hour), w.log(w.Scope(w.scope))[0].Time)

	tx, s = w.begin(Options{})
	tx.now = start // an authority whose clock stood still for the transaction
	w.append(s, "a", "1")
	require.Equal(t, start+int64(time.Hour), w.log(s)[1].Time)
}

func TestRefusedEvents(t *testing.T) {
	w := newWorld(t, Config{MaxBytes: 4000, MaxWrites: 3})
	long := strings.Repeat("t", codec.MaxEventType)
	tx, own := w.begin(Options{})
	good := event("t", "p")
	for name, c := range map[string]struct {
		events []Event
		is     error
	}{
		"no type":      {[]Event{good, {Payload: good.Payload}}, codec.ErrInvalidArgument},
		"not UTF-8":    {[]Event{good, {Type: "\xff", Payload: good.Payload}}, codec.ErrInvalidArgument},
		"no payload":   {[]Event{good, {Type: "t"}}, codec.ErrInvalidArgument},
		"long type":    {[]Event{good, event(long+"t", "")}, codec.ErrTooLarge},
		"long payload": {[]Event{good, {"t", make([]byte, maxPayload+1)}}, codec.ErrTooLarge},
		"bytes":        {[]Event{good, {"t", make([]byte, 4000)}}, codec.ErrTooLarge},
		"events":       {[]Event{good, good, good, good}, codec.ErrTooLarge},
	} {
		for _, s := range []Scope{w.Scope(w.scope), own} {
			placed, version, err := s.Append(t.Context(), c.events)
			require.ErrorIs(t, err, c.is, name)
			require.Empty(t, placed)
			require.Zero(t, version)
			require.Less(t, len(err.Error()), 200)
		}
	}
	require.Empty(t, w.stub.requests)
	require.Zero(t, tx.Counts(), "a refused call leaves nothing")
	for _, typ := range []string{long, "__meta__", "\x00", "/", " "} {
		w.append(w.Scope(w.scope), typ, "")
	}

	view := w.Scope(w.scope).Snapshot()
	_, _, err := view.Append(t.Context(), []Event{good})
	require.ErrorIs(t, err, backend.ErrReadOnly)
	next, _, err := view.EventHead(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(5), next)
	w.append(w.Scope(w.scope), "later", "")
	next, _, err = view.EventHead(t.Context())
	require.NoError(t, err)
	require.Equal(t, uint64(5), next, "a view stands still")
}

// Events count towards the limits of a transaction together with its writes; reading them does not.
func TestAppendsCountTowardsTheLimits(t *testing.T) {
	w := newWorld(t, Config{MaxBytes: 100, MaxWrites: 3})
	tx, s := w.begin(Options{})
	put := func(key string, n int) error {
		_, err := s.Put(t.Context(), index, key, bytes.Repeat([]byte{0}, n), 0)
		return err
	}
	w.append(s, "type", "12345") // 10 bytes
	require.Len(t, w.log(s), 1)
	require.Len(t, w.keys(s, codec.Events.Index(), Range{}), 1)
	require.ErrorIs(t, put("k", 90), codec.ErrTooLarge)
	require.NoError(t, put("k", 80))
	_, _, err := s.Append(t.Context(), []Event{event("type", "12345")})
	require.ErrorIs(t, err, codec.ErrTooLarge)
	_, _, err = s.Append(t.Context(), []Event{event("t", "1"), event("t", "2")})
	require.ErrorIs(t, err, codec.ErrTooLarge)
	w.append(s, "type", "")
	require.ErrorIs(t, put("l", 0), codec.ErrTooLarge, "one too many")
	require.NoError(t, put("k", 0))
	require.Equal(t, Counts{Reads: 1, Puts: 1, Appends: 2, Bytes: 16}, tx.Counts())
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	require.Len(t, w.log(w.Scope(w.scope)), 2)
}

// A write to a key of the index is written, whatever event is shown there.
func TestWritesStandBesideShownEvents(t *testing.T) {
	w := newWorld(t, Config{MaxWrites: 5})
	tx, s := w.begin(Options{})
	at := func(seq uint64) string { return codec.EventTypeKey("a", seq) }
	_, err := s.Delete(t.Context(), codec.Events.Index(), at(1))
	require.NoError(t, err)
	for i := range 3 {
		w.append(s, "a", fmt.Sprint(i))
	}
	require.Equal(t, []string{at(0), at(2)}, w.keys(s, codec.Events.Index(), Range{}))
	_, err = s.Put(t.Context(), codec.Events.Index(), at(2), null, 0)
	require.NoError(t, err)
	require.Equal(t, Counts{Puts: 1, Deletes: 1, Appends: 3,
		Bytes: 9 + int64(len(at(1)+at(2))) + 1}, tx.Counts())
	_, err = s.Put(t.Context(), index, "k", nil, 0)
	require.ErrorIs(t, err, codec.ErrTooLarge, "five are the limit")
	w.stub.commit = func(context.Context, *backend.Request) (backend.Outcome, error) {
		return backend.Outcome{}, nil
	}
	_, err = tx.Commit(t.Context())
	require.NoError(t, err)
	require.Len(t, w.stub.requests[0].Writes, 2)
}

// Who appended finds his events when he is told of the version.
func TestAppendsSettle(t *testing.T) {
	w := newWorld(t, Config{})
	w.stub.published = func(uint64) uint64 { return 0 }
	_, version, err := w.Scope(w.scope).Append(t.Context(), []Event{event("a", "0")})
	require.NoError(t, err)
	require.Equal(t, []uint64{version}, w.stub.waited)
	w.stub.waitErr = backend.ErrStorage
	placed, later, err := w.Scope(w.scope).Append(t.Context(), []Event{event("a", "1")})
	var unknown *backend.UnknownOutcomeError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, unknown.Version, later)
	require.Equal(t, uint64(1), placed[0].Sequence)
}

// A transaction that was ended to free memory says so when its events are lost.
func TestTooOldWithEvents(t *testing.T) {
	w := newWorld(t, Config{})
	tx, s := w.begin(Options{})
	w.append(s, "a", "0")
	w.stub.pinErr = backend.ErrTxnTooOld
	_, _, err := s.Append(t.Context(), []Event{event("a", "1")})
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
	_, _, err = s.EventHead(t.Context())
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
	_, err = tx.Commit(t.Context())
	require.ErrorIs(t, err, backend.ErrTxnTooOld)
}

// The commits that a scope shows are those up to its version; looking at them is no read.
func TestCommitsOfAScope(t *testing.T) {
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			m, run := open(t, Config{})
			ctx, s := t.Context(), m.Scope(run)
			c, err := s.Commits(ctx)
			require.NoError(t, err)
			require.Zero(t, c)
			first, err := s.Put(ctx, codec.KV, "k", null, 0)
			require.NoError(t, err)
			_, last, err := s.Append(ctx, []Event{event("a", "0"), event("a", "1")})
			require.NoError(t, err)
			want := Commits{First: first, Last: last, Count: 2}
			view := s.Snapshot()
			tx, err := m.Begin(ctx, run, Options{})
			require.NoError(t, err)
			later, err := s.Put(ctx, codec.KV, "k", null, 0)
			require.NoError(t, err)
			for _, s := range []Scope{view, tx.Scope(run)} {
				c, err = s.Commits(ctx)
				require.NoError(t, err)
				require.Equal(t, want, c)
			}
			require.Zero(t, tx.Counts())
			c, err = s.Commits(ctx)
			require.NoError(t, err)
			require.Equal(t, Commits{First: first, Last: later, Count: 3}, c)
			require.NoError(t, tx.Rollback())
			_, err = tx.Scope(run).Commits(ctx)
			require.ErrorIs(t, err, ErrTxnDone)
			_, err = Scope{}.Commits(ctx)
			require.ErrorIs(t, err, codec.ErrInvalidArgument)
		})
	}
}

// R164, E50: appends of many goroutines, directly and in transactions of which some fail, all
// succeed; the log has them in the order of their commits, without a gap.
func TestR164ConcurrentAppends(t *testing.T) {
	const goroutines = 50
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			each := 100
			if name == "model" {
				each = 20 // finding the end of its log takes it long
			}
			m, run := open(t, Config{})
			ctx, s, own := t.Context(), m.Scope(run), errors.New("mine")
			check := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			var all sync.WaitGroup
			for g := range goroutines {
				all.Go(func() {
					for i := range each {
						e := []Event{event("t", fmt.Sprintf("%d.%d", g, i))}
						if i%2 == 0 {
							_, _, err := s.Append(ctx, e)
							check(err)
							continue
						}
						fails := i%7 == 0
						fn := func(tx *Tx) error {
							if _, _, err := tx.Scope(run).Append(ctx, e); err != nil || !fails {
								return err
							}
							return own
						}
						_, err := m.Update(ctx, run, Options{}, fn)
						if fails && errors.Is(err, own) {
							fails = false
							_, err = m.Update(ctx, run, Options{}, fn)
						}
						check(err)
					}
				})
			}
			all.Wait()
			log := readLog(t, s)
			require.Len(t, log, goroutines*each)
			next := map[string]int{}
			for _, text := range texts(log) {
				var i int
				g, rest, _ := strings.Cut(text, ".")
				_, err := fmt.Sscan(rest, &i)
				require.NoError(t, err)
				require.Equal(t, next[g], i, "one goroutine's events stand in its order")
				next[g]++
			}
			require.Zero(t, m.Stats().Conflicts)
		})
	}
}
