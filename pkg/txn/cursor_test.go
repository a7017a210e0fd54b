package txn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// scanTwin is what a scan is held against: maps of keys to values, sorted when asked.
type scanTwin struct {
	below, own map[string]string // own: "" is a delete
}

func (w *scanTwin) shown(r Range) (keys []string) {
	for k := range w.below {
		if _, covered := w.own[k]; !covered && r.Contains(k) {
			keys = append(keys, k)
		}
	}
	for k, v := range w.own {
		if v != "" && r.Contains(k) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	if r.Reverse {
		slices.Reverse(keys)
	}
	return keys
}

func (w *scanTwin) value(k string) string {
	if v, ok := w.own[k]; ok {
		return v
	}
	return w.below[k]
}

// gone are the keys of the snapshot among those that the transaction has not written, in a range.
func (w *scanTwin) gone(r Range) (keys []string) {
	for k := range w.below {
		if _, covered := w.own[k]; !covered && r.Contains(k) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// scanWalk moves a cursor by all the ways there are, chosen by chance, and returns what it showed.
func scanWalk(t *testing.T, r *rand.Rand, c *Cursor, stop int, meanwhile func()) (shown []string) {
	show := func(key string, value []byte) { shown = append(shown, key+"="+string(value)) }
	for len(shown) < stop {
		if r.IntN(3) == 0 {
			if !c.Next() {
				return shown
			}
			show(c.Key(), c.Value())
			require.Equal(t, string(c.Value()), string(c.Entry().Value))
			require.True(t, c.Entry().Exists)
			meanwhile()
			continue
		}
		keys, values := c.Some(1 + r.IntN(90))
		if len(keys) == 0 {
			return shown
		}
		use := min(1+r.IntN(len(keys)), stop-len(shown))
		for i := range use {
			require.True(t, i == 0 || c.Step())
			require.Equal(t, keys[i], c.Key())
			show(keys[i], values[i])
			meanwhile()
		}
	}
	return shown
}

// scanWorld is an authority with its twin.
type scanWorld struct {
	*testing.T
	r      *rand.Rand
	m      *Manager
	run    *backend.Scope
	twin   scanTwin
	serial int
	kept   Cursor // used again and again
}

func (w *scanWorld) key() string { return fmt.Sprintf("%04d", w.r.IntN(600)) }

func (w *scanWorld) load(keys int) {
	_, err := w.m.Update(w.Context(), w.run, Options{}, func(tx *Tx) error {
		for range keys {
			k := w.key()
			w.twin.below[k] = k
			_, err := tx.Scope(w.run).Put(w.Context(), codec.KV, k, []byte(k), 0)
			require.NoError(w, err)
		}
		return nil
	})
	require.NoError(w, err)
}

// change writes what scans cannot take from a block, too: deletes and deadlines.
func (w *scanWorld) change() {
	for range w.r.IntN(4) {
		k, expiry := w.key(), int64(0)
		if w.serial++; w.serial%5 == 0 {
			expiry = 1 << 62
		}
		w.twin.below[k] = fmt.Sprint("v", w.serial)
		_, err := w.m.Scope(w.run).Put(w.Context(), codec.KV, k, []byte(w.twin.below[k]), expiry)
		require.NoError(w, err)
		delete(w.twin.below, k[:3]+"0")
		_, err = w.m.Scope(w.run).Delete(w.Context(), codec.KV, k[:3]+"0")
		require.NoError(w, err)
	}
}

// write is one of the transaction; visible tells the twin.
func (w *scanWorld) write(s Scope, visible bool) {
	k, v := w.key(), fmt.Sprint("own", w.serial)
	var err error
	if w.r.IntN(4) == 0 {
		_, err = s.Delete(w.Context(), codec.KV, k)
		v = ""
	} else {
		_, err = s.Put(w.Context(), codec.KV, k, []byte(v), 0)
	}
	require.NoError(w, err)
	if visible {
		w.twin.own[k] = v
	}
}

// scan opens a scan of any kind, walks it up to where it stops, and checks everything.
func (w *scanWorld) scan(tx *Tx) {
	s, meanwhile := tx.Scope(w.run), func() {}
	w.twin.own = map[string]string{}
	switch w.r.IntN(4) {
	case 0:
		s = w.m.Scope(w.run)
	case 1:
		s = w.m.newView().Scope(w.run)
	case 2:
		for range w.r.IntN(30) {
			w.write(s, true)
		}
		meanwhile = func() {
			if w.r.IntN(50) == 0 {
				w.write(s, false)
			}
		}
	}
	rng := Range{Reverse: w.r.IntN(2) == 0}
	if w.r.IntN(3) > 0 {
		rng.Start = w.key()
	}
	if w.r.IntN(3) > 0 {
		rng.End = max(w.key(), rng.Start+"0")
	}
	want := w.twin.shown(rng)
	stop := 1 + w.r.IntN(1000)
	ended := stop > len(want)
	want = want[:min(stop, len(want))]
	for i, k := range want {
		want[i] = k + "=" + w.twin.value(k)
	}
	c := &w.kept
	if w.r.IntN(2) == 0 {
		c = s.Scan(w.Context(), codec.KV, rng)
	} else {
		c.Scan(w.Context(), s, codec.KV, rng)
	}
	require.Equal(w, want, append([]string(nil), scanWalk(w.T, w.r, c, stop, meanwhile)...))
	require.NoError(w, c.Err())
	c.Close()
	c.Close()
	require.False(w, c.Next())
	keys, _ := c.Some(3)
	require.Empty(w, keys)
	checkReads(w.T, tx, s, &w.twin, rng, want, ended)
}

// Scans of all kinds, with cursors of their own and with one that is used again and again, show
// what the twin has; a transaction has then read what they went over, no more, and no less.
func TestScansAgainstTwin(t *testing.T) {
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			w := &scanWorld{T: t, r: rand.New(rand.NewPCG(seed, 5))}
			w.twin.below = map[string]string{}
			w.m, w.run = open(t, Config{})
			w.load(400)
			for range 300 {
				w.change()
				tx, err := w.m.Begin(t.Context(), w.run, Options{Isolation: Isolation(w.r.IntN(2))})
				require.NoError(t, err)
				w.scan(tx)
				require.NoError(t, tx.Rollback())
			}
		})
	}
}

// checkReads holds what a transaction has read against what a scan of its own went over.
func checkReads(t *testing.T, tx *Tx, s Scope, twin *scanTwin, r Range, shown []string,
	ended bool,
) {
	if s.tx == nil {
		require.Empty(t, tx.reads.list)
		return
	}
	if !ended && len(shown) > 0 {
		last, _, _ := strings.Cut(shown[len(shown)-1], "=")
		if r.Reverse {
			r.Start = last
		} else {
			r.End = last + "\x00"
		}
	}
	var got []string
	tx.reads.compact()
	for i := range tx.reads.list {
		got = append(got, tx.reads.list[i].Key)
	}
	slices.Sort(got)
	require.Equal(t, twin.gone(r), got)
	if tx.options.Isolation == Serializable {
		r.Reverse = false
		require.Equal(t, []backend.RangeRead{{Scope: s.s, Primitive: codec.KV, Range: r}},
			tx.ranges.list)
	}
}

// A transaction that ends during a scan, or a view, ends the scan before the next key, also among
// those that were at hand.
func TestScanEndsWithItsTransaction(t *testing.T) {
	for name, open := range authorities {
		t.Run(name, func(t *testing.T) {
			m, run := open(t, Config{})
			ctx := t.Context()
			for i := range 40 {
				_, err := m.Scope(run).Put(ctx, codec.KV, fmt.Sprintf("%02d", i), null, 0)
				require.NoError(t, err)
			}
			for _, kind := range []string{"transaction", "view"} {
				var s Scope
				var end func()
				if kind == "view" {
					v := m.newView()
					s, end = v.Scope(run), func() { v.ended.Store(true) }
				} else {
					tx, err := m.Begin(ctx, run, Options{})
					require.NoError(t, err)
					s, end = tx.Scope(run), func() { require.NoError(t, tx.Rollback()) }
				}
				var c Cursor
				c.Scan(ctx, s, codec.KV, Range{})
				keys, _ := c.Some(10)
				require.NotEmpty(t, keys)
				end()
				if len(keys) > 1 {
					require.False(t, c.Step())
				}
				require.False(t, c.Next())
				require.ErrorIs(t, c.Err(), ErrTxnDone)
				c.Close()
				require.Nil(t, c.s.tx, "a closed cursor keeps no transaction")
				c.Scan(ctx, m.Scope(run), codec.KV, Range{})
				require.True(t, c.Next())
				require.Equal(t, "00", c.Key())
				c.Close()
			}
		})
	}
}
