package txn

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/backend/model"
	"github.com/inmem-db/inmem/internal/embedded"
	"github.com/inmem-db/inmem/pkg/codec"
)

// E50-E53, R160, R161, R164, R165: random interleavings of direct appends and of transactions that
// append, read the logs and end one way or the other, against lists.
func TestR165LogsAgainstLists(t *testing.T) {
	var clock atomic.Int64
	clock.Store(1e18)
	now := func() time.Time { return time.Unix(0, clock.Load()) }
	engine, err := embedded.Open(t.Context(), embedded.Options{Mode: embedded.None, Clock: now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	for name, b := range map[string]backend.Backend{"model": model.New(now), "embedded": engine} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) {
				w := &logWorld{m: New(b, Config{}), clock: &clock}
				for i := range w.runs {
					w.runs[i] = beginRun(t, b)
				}
				r.Cleanup(func() {
					for _, x := range w.open {
						require.NoError(t, x.tx.Rollback())
					}
				})
				r.Repeat(map[string]func(*rapid.T){
					"": w.check, "append": w.append, "begin": w.begin, "append in": w.appendIn,
					"read event": w.readEvent, "read head": w.readHead, "scan": w.scan,
					"scan type": w.scanType, "end": w.end,
					"tick": func(*rapid.T) { clock.Add(1000) },
				})
			})
		})
	}
}

// logWorld is two logs, in the database and as lists.
type logWorld struct {
	m     *Manager
	clock *atomic.Int64
	runs  [2]*backend.Scope
	lists [2][]logEvent
	open  []*logTx
}

type logEvent struct{ typ, text string }

// logTx is a transaction on both logs.
type logTx struct {
	tx     *Tx
	time   int64
	base   [2]int // events in its snapshot
	own    [2][]logEvent
	placed [2][]Appended
	// room is how many foreign events a log may get before the transaction has read what is not
	// true; holds says the same for the ranges of a Serializable one.
	room  [2]int
	holds [2][]func(foreign []logEvent) bool
}

var logTypes = []string{"a", "ab", "\x00", "tool/call"}

func drawEvents(t *rapid.T) (list []logEvent, events []Event) {
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		e := logEvent{rapid.SampledFrom(logTypes).Draw(t, "type"),
			fmt.Sprint(rapid.IntRange(0, 99).Draw(t, "text"))}
		list, events = append(list, e), append(events, event(e.typ, e.text))
	}
	return list, events
}

func (w *logWorld) append(t *rapid.T) {
	i := rapid.IntRange(0, 1).Draw(t, "run")
	list, events := drawEvents(t)
	placed, version, err := w.m.Scope(w.runs[i]).Append(context.Background(), events)
	require.NoError(t, err)
	require.Equal(t, w.m.b.Published(), version)
	w.lists[i] = append(w.lists[i], list...)
	log := readLog(t, w.m.Scope(w.runs[i]))
	for n, p := range placed {
		seq := len(log) - len(placed) + n
		require.Equal(t, Appended{Sequence: uint64(seq), Hash: log[seq].Hash}, p)
		require.Equal(t, w.clock.Load(), log[seq].Time)
	}
}

func (w *logWorld) begin(t *rapid.T) {
	if len(w.open) == 3 {
		t.Skip()
	}
	o := Options{Isolation: Isolation(rapid.IntRange(0, 1).Draw(t, "isolation"))}
	tx, err := w.m.Begin(context.Background(), nil, o)
	require.NoError(t, err)
	x := &logTx{tx: tx, time: w.clock.Load(), room: [2]int{math.MaxInt, math.MaxInt}}
	for i := range w.lists {
		x.base[i] = len(w.lists[i])
	}
	w.open = append(w.open, x)
}

// draw picks an open transaction and one of its logs.
func (w *logWorld) draw(t *rapid.T) (x *logTx, i int, s Scope) {
	if len(w.open) == 0 {
		t.Skip()
	}
	x = rapid.SampledFrom(w.open).Draw(t, "transaction")
	i = rapid.IntRange(0, 1).Draw(t, "run")
	return x, i, x.tx.Scope(w.runs[i])
}

// seen is a log as a transaction sees it.
func (w *logWorld) seen(x *logTx, i int) []logEvent {
	return slices.Concat(w.lists[i][:x.base[i]], x.own[i])
}

func (w *logWorld) appendIn(t *rapid.T) {
	x, i, s := w.draw(t)
	list, events := drawEvents(t)
	placed, version, err := s.Append(context.Background(), events)
	require.NoError(t, err)
	require.Zero(t, version)
	for n, p := range placed {
		require.Equal(t, uint64(x.base[i]+len(x.own[i])+n), p.Sequence)
	}
	x.own[i] = append(x.own[i], list...)
	x.placed[i] = append(x.placed[i], placed...)
}

func (w *logWorld) readEvent(t *rapid.T) {
	x, i, s := w.draw(t)
	log := w.seen(x, i)
	seq := rapid.IntRange(0, len(log)+3).Draw(t, "sequence")
	e, err := s.Get(context.Background(), codec.Events, codec.EventUserKey(uint64(seq)))
	require.NoError(t, err)
	require.Equal(t, seq < len(log), e.Exists)
	if !e.Exists {
		x.room[i] = min(x.room[i], seq-len(log))
		return
	}
	record, err := codec.DecodeEventRecord(e.Value)
	require.NoError(t, err)
	require.Equal(t, []string{log[seq].typ + ":" + log[seq].text},
		texts([]codec.EventRecord{record}))
	if own := seq - x.base[i]; own >= 0 {
		require.Equal(t, x.placed[i][own].Hash, record.Hash)
	}
}

func (w *logWorld) readHead(t *rapid.T) {
	x, i, s := w.draw(t)
	next, hash, err := s.EventHead(context.Background())
	require.NoError(t, err)
	require.Equal(t, uint64(len(w.seen(x, i))), next)
	if n := len(x.placed[i]); n > 0 {
		require.Equal(t, x.placed[i][n-1].Hash, hash)
	}
	x.room[i] = 0
}

func (w *logWorld) scan(t *rapid.T) {
	x, i, s := w.draw(t)
	log := w.seen(x, i)
	start := rapid.IntRange(0, len(log)+2).Draw(t, "start")
	end := rapid.IntRange(start, len(log)+3).Draw(t, "end")
	r := Range{Start: codec.EventUserKey(uint64(start)), Reverse: rapid.Bool().Draw(t, "reverse")}
	if end == len(log)+3 {
		end = math.MaxInt
	} else {
		r.End = codec.EventUserKey(uint64(end))
	}
	want := []string{}
	for seq := start; seq < min(end, len(log)); seq++ {
		want = append(want, codec.EventUserKey(uint64(seq)))
	}
	if r.Reverse {
		slices.Reverse(want)
	}
	steps := rapid.IntRange(0, len(want)+1).Draw(t, "steps")
	got := walk(t, s, codec.Events, r, steps)
	require.Equal(t, want[:min(steps, len(want))], got)
	exhausted := steps > len(want)
	if end > len(log) && (exhausted || r.Reverse && steps > 0) {
		x.room[i] = 0 // it saw where the log ends
	}
	if x.tx.options.Isolation == Snapshot || steps == 0 {
		return
	}
	if last := start + steps; !exhausted && !r.Reverse {
		end = last
	} else if !exhausted {
		start = min(end, len(log)) - steps
	}
	base := x.base[i]
	x.holds[i] = append(x.holds[i], func(foreign []logEvent) bool {
		return max(base, start) >= min(base+len(foreign), end)
	})
}

// walk moves a new cursor on, and returns the keys that it showed.
func walk(t *rapid.T, s Scope, p codec.Primitive, r Range, steps int) []string {
	keys := []string{}
	c := s.Scan(context.Background(), p, r)
	defer c.Close()
	for range steps {
		if c.Next() {
			keys = append(keys, c.Key())
		}
	}
	require.NoError(t, c.Err())
	return keys
}

func (w *logWorld) scanType(t *rapid.T) {
	x, i, s := w.draw(t)
	typ := rapid.SampledFrom(logTypes).Draw(t, "type")
	want := typeKeys(w.seen(x, i), typ)
	r := PrefixRange(codec.EventTypePrefix(typ))
	require.Equal(t, want, walk(t, s, codec.Events.Index(), r, len(want)+1))
	if x.tx.options.Isolation == Serializable {
		x.holds[i] = append(x.holds[i], func(foreign []logEvent) bool {
			return len(typeKeys(foreign, typ)) == 0
		})
	}
}

// typeKeys are the index keys of a log's events of one type.
func typeKeys(log []logEvent, typ string) []string {
	keys := []string{}
	for seq, e := range log {
		if e.typ == typ {
			keys = append(keys, codec.EventTypeKey(typ, uint64(seq)))
		}
	}
	return keys
}

// end ends a transaction: by a rollback, by a commit that is bound to fail, or by one that fails
// exactly if foreign events made wrong what it read.
func (w *logWorld) end(t *rapid.T) {
	x, _, s := w.draw(t)
	w.open = slices.DeleteFunc(w.open, func(o *logTx) bool { return o == x })
	how := rapid.SampledFrom([]string{"commit", "commit", "rollback", "doom"}).Draw(t, "how")
	if how == "rollback" {
		require.NoError(t, x.tx.Rollback())
		return
	}
	lost := how == "doom"
	if lost {
		_, err := s.CAS(context.Background(), codec.KV, "never", 77, []byte{0xf6})
		require.NoError(t, err)
	}
	appends := len(x.own[0]) + len(x.own[1])
	moved := w.clock.Load() != x.time
	for i, list := range w.lists {
		foreign := list[x.base[i]:]
		moved = moved || len(foreign) > 0
		if appends == 0 {
			continue // only read: its snapshot is the truth
		}
		lost = lost || len(foreign) > x.room[i]
		for _, holds := range x.holds[i] {
			lost = lost || !holds(foreign)
		}
	}
	before := [2]int{len(w.lists[0]), len(w.lists[1])}
	version, err := x.tx.Commit(context.Background())
	if lost {
		require.ErrorIs(t, err, backend.ErrConflict)
		return
	}
	require.NoError(t, err)
	require.Equal(t, appends > 0, version != 0)
	for i := range w.lists {
		w.lists[i] = append(w.lists[i], x.own[i]...)
		log := readLog(t, w.m.Scope(w.runs[i]))
		for n, p := range x.placed[i] {
			if !moved { // nothing came between: what was provisional is what it became
				require.Equal(t, Appended{Sequence: uint64(before[i] + n),
					Hash: log[before[i]+n].Hash}, p)
			}
		}
	}
}

// check compares what is committed with the lists: the logs, their ends, and their indexes.
func (w *logWorld) check(t *rapid.T) {
	for i, list := range w.lists {
		s := w.m.Scope(w.runs[i])
		log := readLog(t, s)
		want, keys := []string{}, []string{}
		for _, e := range list {
			want = append(want, e.typ+":"+e.text)
		}
		require.Equal(t, want, texts(log))
		next, hash, err := s.EventHead(context.Background())
		require.NoError(t, err)
		require.Equal(t, uint64(len(list)), next)
		if len(log) > 0 {
			require.Equal(t, log[len(log)-1].Hash, hash)
		}
		for _, typ := range logTypes {
			keys = append(keys, typeKeys(list, typ)...)
		}
		slices.SortFunc(keys, strings.Compare)
		require.Equal(t, keys, walk(t, s, codec.Events.Index(), Range{}, len(keys)+1))
	}
}
