package memtable

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// history is a schedule of commits, made before the test starts, so that readers can judge what
// they read beside the writer. Of each key the even elements are versions, the odd ones tell
// whether that version is a tombstone.
type history struct {
	commits [][]string // keys written by commit i+1
	keys    []string   // sorted
	by      map[string][]uint64
}

func makeHistory(r *rand.Rand, keys, commits int) *history {
	h := &history{by: map[string][]uint64{}}
	for i := 0; i < keys; i++ {
		if i%3 == 0 {
			h.keys = append(h.keys, fmt.Sprintf("rising/%05d", i))
		} else {
			h.keys = append(h.keys, fmt.Sprintf("%08x", r.Uint32()))
		}
	}
	shuffled := slices.Clone(h.keys)
	r.Shuffle(keys, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.Sort(h.keys)
	for v := 1; v <= commits; v++ {
		var c []string
		for range 1 + r.IntN(3) {
			// The set of keys in use grows all the time; within it, choice is free.
			k := shuffled[r.IntN(1+keys*v/commits)%keys]
			if !slices.Contains(c, k) {
				c = append(c, k)
				h.by[k] = append(h.by[k], uint64(v), uint64(r.IntN(8)/7))
			}
		}
		h.commits = append(h.commits, c)
	}
	return h
}

// at is the version of a key at a snapshot and whether it is a tombstone.
func (h *history) at(key string, at uint64) (version uint64, deleted bool) {
	for vs := h.by[key]; len(vs) > 0 && vs[0] <= at; vs = vs[2:] {
		version, deleted = vs[0], vs[1] == 1
	}
	return version, deleted
}

func (h *history) value(key string, version uint64) []byte {
	b := binary.BigEndian.AppendUint64([]byte(key), version)
	return append(b, make([]byte, version%100)...)
}

// judge compares a record with the history.
func (h *history) judge(key string, at uint64, r Record) error {
	version, deleted := h.at(key, at)
	if r.Version != version || r.Deleted != deleted {
		return fmt.Errorf("%q at %d: got version %d deleted %v, want %d %v",
			key, at, r.Version, r.Deleted, version, deleted)
	}
	if !deleted && version != 0 && string(r.Value) != string(h.value(key, version)) {
		return fmt.Errorf("%q at %d: value of another version or key", key, at)
	}
	return nil
}

// scanAll compares one scan with the history. A partial one must be right as far as it goes.
func (h *history) scanAll(s *Scope, at uint64, reverse bool) error {
	c := &mixedWalk{Cursor: s.Scan('k', "", "", reverse, at), most: int(at % 9)}
	defer c.Close()
	i := 0
	next := func() (string, bool) {
		for ; i < len(h.keys); i++ {
			k := h.keys[i]
			if reverse {
				k = h.keys[len(h.keys)-1-i]
			}
			if v, deleted := h.at(k, at); v != 0 && !deleted {
				i++
				return k, true
			}
		}
		return "", false
	}
	for c.Next() {
		want, ok := next()
		if !ok || c.Key() != want {
			return fmt.Errorf("scan at %d, reverse %v: got %q, want %q %v",
				at, reverse, c.Key(), want, ok)
		}
		if err := h.judge(want, at, *c.Record()); err != nil {
			return err
		}
	}
	if want, ok := next(); ok && !c.Partial() {
		return fmt.Errorf("scan at %d, reverse %v: ended before %q", at, reverse, want)
	}
	return nil
}

// reader reads at the visible version until told to stop.
func (h *history) reader(r *rand.Rand, visible *atomic.Uint64, scopes []*Scope) error {
	for {
		at := visible.Load()
		if at == 0 {
			continue
		}
		if at > uint64(len(h.commits)) {
			return nil
		}
		s := scopes[r.IntN(len(scopes))]
		if r.IntN(50) == 0 {
			if err := h.scanAll(s, at, r.IntN(2) == 0); err != nil {
				return err
			}
			continue
		}
		key := h.keys[r.IntN(len(h.keys))]
		if r.IntN(4) == 0 {
			at -= r.Uint64N(min(at, 20))
		}
		rec, _, ans := s.Get('k', key, at)
		if ans != Unknown {
			if err := h.judge(key, at, rec); err != nil {
				return fmt.Errorf("%v: %w", ans, err)
			}
		}
	}
}

// run applies the history to both scopes beside two readers. from is the commit from which on the
// writer evicts.
func (h *history) run(t *testing.T, seed uint64, from int) (evicted bool) {
	tb := New(Options{SegmentSize: minSegmentSize})
	scopes := []*Scope{tb.NewScope(1, true), tb.NewScope(2, false)}
	var visible atomic.Uint64
	var wg sync.WaitGroup
	for i := range uint64(2) {
		wg.Go(func() {
			if err := h.reader(rand.New(rand.NewPCG(seed, i)), &visible, scopes); err != nil {
				t.Error(err)
			}
		})
	}
	r := rand.New(rand.NewPCG(seed, 99))
	budget := int64(64<<10 + len(h.keys)*150) // about half of what the keys take in two scopes
	for i, keys := range h.commits {
		v := uint64(i + 1)
		for _, s := range scopes {
			for _, k := range keys {
				_, deleted := h.at(k, v)
				rec := Record{Version: v, Stamp: v, Deleted: deleted}
				if !deleted {
					rec.Value = h.value(k, v)
				}
				s.Apply('k', k, rec)
			}
		}
		visible.Store(v)
		if i < from {
			continue
		}
		for n := 0; n < 4 && tb.Bytes() > budget; n++ {
			tb.Evict(v-min(v, uint64(r.IntN(100))), 1<<12)
		}
		k := h.keys[r.IntN(len(h.keys))]
		version, deleted := h.at(k, v)
		rec := Record{Version: version, Stamp: version, Deleted: deleted}
		if version != 0 && !deleted {
			rec.Value = h.value(k, version)
		}
		scopes[r.IntN(2)].Admit('k', k, rec, v)
	}
	visible.Store(uint64(len(h.commits)) + 1) // tells the readers to stop
	wg.Wait()
	verify(t, tb)
	if from >= len(h.commits) {
		require.True(t, scopes[0].Complete())
	}
	return !scopes[0].Complete()
}

func TestReadersBesideTheWriter(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 3
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	evicted := 0
	for i := range rounds {
		h := makeHistory(rand.New(rand.NewPCG(seed, uint64(i))), 400+i*200, 2000)
		if h.run(t, seed+uint64(i), 1000*(i%3)) {
			evicted++
		}
	}
	require.Positive(t, evicted, "no round evicted anything: the test is too tame")
}

// TestEvictionOvertakesAScan stops a scan at every key in turn, evicts something, and goes on: the
// cursor either yields the next key or says that it cannot, and never skips one.
func TestEvictionOvertakesAScan(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		for stop := 0; stop < 60; stop++ {
			tb := New(Options{SegmentSize: minSegmentSize})
			s := tb.NewScope(1, true)
			var keys []string
			for i := 0; i < 60; i++ {
				k := fmt.Sprintf("%02d", i*37%60) // base and tree
				keys = append(keys, k)
				s.Apply('k', k, Record{Version: uint64(i + 1), Stamp: uint64(i + 1),
					Value: make([]byte, 200)})
			}
			slices.Sort(keys)
			if reverse {
				slices.Reverse(keys)
			}
			c := s.Scan('k', "", "", reverse, 60)
			for i := 0; i < stop; i++ {
				require.True(t, c.Next())
				require.Equal(t, keys[i], c.Key())
			}
			entries, _ := tb.Evict(60, 1)
			require.Positive(t, entries)
			// What takes the freed serials must not pass for what was there.
			s.Apply('k', "000", Record{Version: 61, Stamp: 61})
			i := stop
			for ; c.Next(); i++ {
				require.Equal(t, keys[i], c.Key())
			}
			require.True(t, c.Partial())
			require.Equal(t, stop, i)
		}
	}
}

// TestMovedEntriesStayInAScan compacts segments while a scan is open: nothing is lost by that.
func TestMovedEntriesStayInAScan(t *testing.T) {
	tb := New(Options{SegmentSize: minSegmentSize})
	s := tb.NewScope(1, true)
	v := uint64(0)
	write := func(i int) {
		v++
		s.Apply('k', fmt.Sprintf("%03d", i), Record{Version: v, Stamp: v, Value: make([]byte, 50)})
	}
	for i := 0; i < 300; i++ {
		write(i * 7 % 300)
	}
	at := v
	c := s.Scan('k', "", "", false, at)
	for i := 0; i < 300; i++ {
		if i%10 == 0 {
			for j := 0; j < 200; j++ {
				write(299 - j) // versions the scan does not see: it may meet Unknown, but no gap
			}
			tb.Evict(0, 1<<20)
		}
		if !c.Next() {
			require.True(t, c.Partial())
			break
		}
		require.Equal(t, fmt.Sprintf("%03d", i), c.Key())
		require.LessOrEqual(t, c.Record().Version, at)
	}
	verify(t, tb)
	require.True(t, s.Complete(), "compaction costs no scope its completeness")
	c = s.Scan('k', "", "", true, v)
	for i := 299; i >= 0; i-- {
		require.True(t, c.Next())
		require.Equal(t, fmt.Sprintf("%03d", i), c.Key())
	}
	require.False(t, c.Next() || c.Partial())
}

// TestOvertakenReaderLooksAgain puts a reader where a move or an eviction overtook it, which takes
// nanoseconds otherwise: what it was led to is gone, and leads elsewhere a moment later.
func TestOvertakenReaderLooksAgain(t *testing.T) {
	tb := New(Options{})
	s := tb.NewScope(1, true)
	s.Apply('k', "b", Record{Version: 1, Stamp: 1})
	s.Apply('k', "a", Record{Version: 2, Stamp: 2})
	e, off, b, i := tb.find(tb.index.hash(s.id, 'k', "a"), ident(s.id, 'k', 1), "a")
	const gone = 99 << 17
	words := map[string]*uint64{"slot": &b[1+i], "head": &e[entryHead]}
	chunk, at := s.order('k').place(uint32(e[entrySerial]))
	words["serial"] = &s.order('k').chunks[chunk][at]
	for name, w := range words {
		t.Run(name, func(t *testing.T) {
			was := atomic.LoadUint64(w)
			atomic.StoreUint64(w, was&^offsetMask|gone)
			var wg sync.WaitGroup
			wg.Go(func() {
				time.Sleep(5 * time.Millisecond)
				atomic.StoreUint64(w, was)
			})
			r, ref, ans := s.Get('k', "a", 2)
			require.Equal(t, Found, ans)
			require.EqualValues(t, off, ref)
			require.EqualValues(t, 2, r.Version)
			require.Equal(t, []string{"a", "b"}, scanKeys(t, s, "", "", false, 2))
			wg.Wait()
		})
	}
}
