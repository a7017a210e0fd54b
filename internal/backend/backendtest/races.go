package backendtest

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
)

// rounds shortens loops with -short.
func rounds(n int) int {
	if testing.Short() {
		return max(1, n/5)
	}
	return n
}

func unknownOutcome(err error) *backend.UnknownOutcomeError {
	var unknown *backend.UnknownOutcomeError
	if errors.As(err, &unknown) {
		return unknown
	}
	return nil
}

// raceChecks start goroutines at the same moment on the same key and count who wins.
var raceChecks = []Check{
	{"R065-one-of-four-racing-CAS-wins", func(w *world) {
		s := w.scope()
		expected := uint64(0)
		for range rounds(200) {
			var won atomic.Int32
			var next atomic.Uint64
			w.parallel(4, func(i int) {
				out, err := w.begin().cas(s, "k", expected, fmt.Sprint(i)).commit()
				if err != nil {
					require.ErrorIs(w, err, backend.ErrVersionMismatch)
					return
				}
				won.Add(1)
				next.Store(out.Version)
			})
			require.Equal(w, int32(1), won.Load())
			expected = next.Load()
		}
	}},
	{"R043-one-of-many-racing-deletes-existed", func(w *world) {
		s := w.scope()
		for range rounds(100) {
			w.put(s, "k", "0")
			var existed atomic.Int32
			w.parallel(4, func(int) {
				out := w.must(w.begin().del(s, "k").commit())
				require.Equal(w, out.Existed == 1, out.Version != 0)
				existed.Add(int32(out.Existed))
			})
			require.Equal(w, int32(1), existed.Load())
		}
	}},
	{"R047-blind-puts-never-fail", func(w *world) {
		s := w.scope()
		var greatest atomic.Uint64
		w.parallel(100, func(i int) {
			for {
				v := w.put(s, "k", fmt.Sprint(i))
				old := greatest.Load()
				if old >= v || greatest.CompareAndSwap(old, v) {
					return
				}
			}
		})
		require.Equal(w, greatest.Load(), w.get(s, "k").Version, "the last committer's value stays")
	}},
	{"lost-update-counter", func(w *world) {
		s := w.scope()
		const writers = 8
		each := rounds(50)
		w.parallel(writers, func(int) {
			for range each {
				for done := false; !done && w.going(); {
					x := w.begin()
					n := integerOf(w, x.get(s, "counter"))
					runtime.Gosched() // here and below: so that the windows overlap
					_, err := x.write(putInteger(w, s, "counter", n+1)).commit()
					if done = err == nil; !done {
						require.ErrorIs(w, err, backend.ErrConflict)
					}
				}
			}
		})
		require.Equal(w, int64(writers*each), integerOf(w, w.get(s, "counter")))
	}},
	{"R073-sum-of-accounts-never-changes", accounts},
	{"write-skew-is-refused", func(w *world) {
		s := w.scope()
		for n := range rounds(100) {
			a, b := fmt.Sprintf("%d/a", n), fmt.Sprintf("%d/b", n)
			w.commit(put(s, a, "on call"), put(s, b, "on call"))
			keys := []string{a, b}
			var left atomic.Int32
			w.parallel(2, func(i int) {
				x := w.begin()
				if !x.get(s, keys[1-i]).Exists() {
					x.rollback()
					return
				}
				runtime.Gosched()
				if _, err := x.del(s, keys[i]).commit(); err == nil {
					left.Add(1)
				}
			})
			require.LessOrEqual(w, left.Load(), int32(1), "both went, each trusting the other")
		}
	}},
	{"phantom-skew-is-refused-in-serializable", func(w *world) {
		s := w.scope()
		for n := range rounds(100) {
			all := backend.PrefixRange(fmt.Sprintf("%04d/", n))
			w.parallel(3, func(i int) {
				x := w.beginSerializable()
				if len(x.scan(s, all)) > 0 {
					x.rollback()
					return
				}
				runtime.Gosched()
				_, err := x.put(s, fmt.Sprintf("%s%d", all.Start, i), "booked").commit()
				if err != nil {
					require.ErrorIs(w, err, backend.ErrConflict)
				}
			})
			require.Len(w, w.scan(s, all, w.b.Published()), 1, "a room is booked once")
		}
	}},
}

// accounts moves money between accounts, deletes empty ones and opens them again, while readers add
// up what they see through gets and through scans.
func accounts(w *world) {
	s := w.scope()
	const count, each = 8, 100
	name := func(i int) string { return fmt.Sprintf("account/%d", i%count) }
	var writes []backend.Write
	for i := range count {
		writes = append(writes, putInteger(w, s, name(i), each))
	}
	w.commit(writes...)
	var moving atomic.Int32
	moving.Store(4)
	w.parallel(8, func(i int) {
		if i < 4 {
			defer moving.Add(-1)
			for n := range rounds(100) {
				w.transfer(s, name(i+n), name(i+n*3+1), int64(n%(each/3)))
			}
			return
		}
		for moving.Load() > 0 && w.going() {
			x := w.begin()
			var byGet, byScan int64
			for _, p := range x.scan(s, backend.PrefixRange("account/")) {
				byScan += integerOf(w, p.record)
			}
			for j := range count {
				byGet += integerOf(w, x.get(s, name(j)))
			}
			x.rollback()
			require.Equal(w, int64(count*each), byScan)
			require.Equal(w, int64(count*each), byGet)
		}
	})
	require.Zero(w, w.b.Stats().OpenPins)
}

// transfer moves money, or all that there is, and leaves no empty account behind. It is tried once.
func (w *world) transfer(s *backend.Scope, from, to string, amount int64) {
	w.Helper()
	if from == to {
		return
	}
	x := w.begin()
	a, b := integerOf(w, x.get(s, from)), integerOf(w, x.get(s, to))
	amount = min(a, amount)
	runtime.Gosched()
	x.write(putInteger(w, s, from, a-amount), putInteger(w, s, to, b+amount))
	if a == amount {
		x.del(s, from)
	}
	if _, err := x.commit(); err != nil {
		require.ErrorIs(w, err, backend.ErrConflict)
	}
}
