package memtable

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Benchmarks put the table beside a Go map of entries with the same content, in the same process
// and turn by turn, and report the quotient as xmap: the machine's speed and noise cancel out to
// some degree. ns/op is ours alone. bytes/key is memory over key and value.

// entHead and entVersion are what the map holds: a version chain as the table's, with pointers.
type entHead struct{ newest *entVersion }

type entVersion struct {
	version uint64
	value   []byte
	older   *entVersion
}

// call is one key as a caller would have it: full is the map's key, key its part within the scope.
type call struct {
	s         *Scope
	full, key string
}

type bench struct {
	tb     *Table
	m      map[string]*entHead
	scopes []*Scope
	calls  []call
	value  []byte
	now    uint64
	bytes  float64
}

const (
	benchPerScope = 1000
	benchPrefix   = len("r/0000000000/k/")
)

var benches = map[int]*bench{}

func (x *bench) newCall(i int) call {
	s := x.scopes[rand.IntN(len(x.scopes))]
	full := fmt.Sprintf("r/%010x/k/state/%08x/item-%06d", s.number, rand.Uint32(), i)
	return call{s, full, full[benchPrefix:]}
}

func (x *bench) insert(c call) {
	x.now++
	c.s.Apply('k', c.key, Record{Version: x.now, Stamp: x.now, Value: x.value})
}

func (x *bench) mapInsert(c call) {
	value := append([]byte(nil), x.value...)
	x.m[strings.Clone(c.full)] = &entHead{&entVersion{x.now, value, nil}}
}

func emptyBench(scopes int) *bench {
	x := &bench{tb: New(Options{}), m: map[string]*entHead{}, value: make([]byte, 64), now: 1}
	for i := range scopes {
		x.scopes = append(x.scopes, x.tb.NewScope(uint64(i), true))
	}
	return x
}

// sized returns tables with n keys of 27 bytes, in scopes of a thousand in turn, values of 64.
func sized(b *testing.B, n int) *bench {
	b.Helper()
	if n > 10_000 && testing.Short() {
		b.Skip("large tables take a while to build")
	}
	if benches[n] != nil {
		return benches[n]
	}
	clear(benches)
	x := emptyBench(n / benchPerScope)
	size := 0
	for i := range n {
		c := x.newCall(i)
		x.calls = append(x.calls, c)
		x.insert(c)
		x.mapInsert(c)
		size += len(c.key) + len(x.value)
	}
	x.tb.Forget(x.now)
	x.bytes = float64(x.tb.Bytes()-int64(size)) / float64(n)
	benches[n] = x
	return x
}

// stream lays calls out one behind the other, so that reading them costs both sides nothing.
func stream(calls []call) []call {
	var all strings.Builder
	for _, c := range calls {
		all.WriteString(c.full)
	}
	out, text := make([]call, len(calls)), all.String()
	for i, c := range calls {
		out[i] = call{c.s, text[:len(c.full)], text[benchPrefix:len(c.full)]}
		text = text[len(c.full):]
	}
	return out
}

// choose picks n random calls from the first of all.
func choose(n int, all []call) []call {
	out := make([]call, n)
	for i := range out {
		out[i] = all[rand.IntN(len(all))]
	}
	return stream(out)
}

var sink byte

func (x *bench) mapGet(full string) {
	for e := x.m[full].newest; e != nil; e = e.older {
		if e.version <= x.now {
			sink += e.value[0]
			return
		}
	}
}

// race runs both over the calls, in turns, and reports nanoseconds of the first and the quotient
// of medians over the turns.
func race(b *testing.B, calls []call, turn int, ours, theirs func(c call)) {
	b.Helper()
	var a, m []float64
	b.ReportAllocs()
	b.ResetTimer()
	at := 0
	timed := func(n int, f func(c call)) float64 {
		start := time.Now()
		for i := range n {
			f(calls[(at+i)%len(calls)])
		}
		return float64(time.Since(start)) / float64(n)
	}
	for done := 0; done < b.N; done += turn {
		a = append(a, timed(turn, ours))
		b.StopTimer()
		m = append(m, timed(turn, theirs))
		b.StartTimer()
		at += turn
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(a), "ns")
	b.ReportMetric(median(a)/median(m), "xmap")
}

func median(v []float64) float64 {
	v = append([]float64(nil), v...)
	for i := range v { // insertion sort is enough for a few hundred turns
		for j := i; j > 0 && v[j] < v[j-1]; j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
	return v[len(v)/2]
}

func sizes(b *testing.B, f func(b *testing.B, x *bench)) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			x := sized(b, n)
			runtime.GC()
			f(b, x)
		})
	}
}

func (x *bench) get(b *testing.B, calls []call) {
	race(b, calls, 10_000, func(c call) {
		r, _, _ := c.s.Get('k', c.key, x.now)
		sink += r.Value[0]
	}, func(c call) { x.mapGet(c.full) })
	b.ReportMetric(x.bytes, "bytes/key")
}

func BenchmarkGetHot(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) { x.get(b, choose(1000, choose(1000, x.calls))) })
}

func BenchmarkGetUniform(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) { x.get(b, choose(1<<19, x.calls)) })
}

func BenchmarkGetAbsent(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) {
		var calls []call
		for i := range 1 << 16 {
			calls = append(calls, x.newCall(-i))
		}
		race(b, stream(calls), 10_000, func(c call) {
			if _, _, a := c.s.Get('k', c.key, x.now); a != Absent {
				b.Fatal(a)
			}
		}, func(c call) {
			if x.m[c.full] != nil {
				b.Fatal("present")
			}
		})
	})
}

func BenchmarkValidateByRef(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) {
		calls := choose(1000, x.calls)
		refs := make([]Ref, len(calls))
		for i, c := range calls {
			_, refs[i], _ = c.s.Get('k', c.key, x.now)
		}
		i := 0
		race(b, calls, 10_000, func(call) {
			if stamp, ok := x.tb.StampAt(refs[i%len(refs)]); !ok || stamp > x.now {
				b.Fatal("changed")
			}
			i++
		}, func(c call) { x.mapGet(c.full) })
	})
}

func BenchmarkOverwrite(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) {
		evicted, budget := 0, 3*x.tb.Bytes()
		race(b, choose(1<<19, x.calls), 10_000, func(c call) {
			x.insert(c)
			if x.now&1023 == 0 {
				x.tb.Forget(x.now)
			}
			if x.tb.Bytes() > budget { // garbage by now, as nothing was inserted
				n, _ := x.tb.Evict(0, 1)
				evicted += n
			}
		}, func(c call) {
			value := append([]byte(nil), x.value...)
			e := x.m[c.full]
			e.newest = &entVersion{x.now, value, nil}
		})
		if evicted > 0 {
			b.Fatal("evicted")
		}
	})
}

func BenchmarkInsert(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("keys=%d", n), func(b *testing.B) {
			var a, m []float64
			for done := 0; done < b.N; done += n {
				b.StopTimer()
				x := emptyBench(n / benchPerScope)
				var calls []call
				for i := range n {
					calls = append(calls, x.newCall(i))
				}
				calls = stream(calls)
				runtime.GC()
				b.StartTimer()
				start := time.Now()
				for _, c := range calls {
					x.insert(c)
				}
				a = append(a, float64(time.Since(start))/float64(n))
				b.StopTimer()
				start = time.Now()
				for _, c := range calls {
					x.mapInsert(c)
				}
				m = append(m, float64(time.Since(start))/float64(n))
				b.StartTimer()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(a), "ns")
			b.ReportMetric(median(a)/median(m), "xmap")
		})
	}
}

// scans reports the time of scans of 100 keys as a multiple of 100 map gets of the same keys, for
// the keys of one scope that was scanned before, as hot as the gets of GetHot.
func (x *bench) scans(b *testing.B, before func(c call)) {
	s := x.scopes[0]
	var calls []call
	for _, c := range x.calls {
		if c.s == s {
			calls = append(calls, c)
		}
	}
	calls = stream(calls)
	s.Scan('k', "", "", false, x.now).Close()
	race(b, calls, 100, func(c call) {
		if before != nil {
			before(c)
		}
		cur := s.Scan('k', c.key[:len("state/xx")], "", false, x.now)
		for n := 0; n < 100 && cur.Next(); n++ {
			sink += cur.Record().Value[0]
		}
		cur.Close()
	}, func(call) {
		for i := range 100 {
			x.mapGet(calls[i].full)
		}
	})
}

func BenchmarkScan100(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) { x.scans(b, nil) })
}

func BenchmarkScan100AfterInsert(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) {
		i := 0
		x.scans(b, func(c call) {
			i++
			c.key = fmt.Sprintf("state/%08x/new-%d", rand.Uint32(), i)
			x.insert(c)
		})
		delete(benches, len(x.calls)) // changed for good
	})
}

func BenchmarkGetTenVersionsBack(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) {
		calls := choose(1000, choose(1000, x.calls))
		at := x.now
		for range 10 {
			for _, c := range calls {
				x.insert(c)
			}
		}
		race(b, calls, 10_000, func(c call) {
			r, _, _ := c.s.Get('k', c.key, at)
			sink += byte(r.Version)
		}, func(c call) { x.mapGet(c.full) })
		delete(benches, len(x.calls))
	})
}
