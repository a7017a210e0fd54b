package memtable

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// Benchmarks put the table beside a Go map of entries with the same content, in the same process
// and turn by turn, and report the quotient as xmap: the machine's speed and noise cancel out.
// bytes/key is memory over key and value.

type entHead struct{ newest *entVersion }

type entVersion struct {
	version uint64
	value   []byte
	older   *entVersion
}

type bench struct {
	tb     *Table
	m      map[string]*entHead
	scopes []*Scope
	scope  []*Scope // of each key
	keys   []string
	full   []string // scope and key in one string: the map's key
	value  []byte
	now    uint64
	bytes  float64
}

const benchPerScope = 1000

var benches = map[int]*bench{}

func benchKey(i int) string { return fmt.Sprintf("state/%08x/item-%06d", rand.Uint32(), i) }

// sized returns tables with n keys in scopes of a thousand, mean key 27 bytes, values of 64.
func sized(b *testing.B, n int) *bench {
	b.Helper()
	if n > 10_000 && testing.Short() {
		b.Skip("large tables take a while to build")
	}
	if benches[n] != nil {
		return benches[n]
	}
	x := &bench{tb: New(Options{}), m: map[string]*entHead{}, value: make([]byte, 64), now: 1}
	for i := 0; i < n; i++ {
		if i%benchPerScope == 0 {
			x.scopes = append(x.scopes, x.tb.NewScope(uint64(i/benchPerScope), true))
		}
		x.keys = append(x.keys, benchKey(i))
	}
	rand.Shuffle(n, func(i, j int) { x.keys[i], x.keys[j] = x.keys[j], x.keys[i] })
	size := 0
	for i, k := range x.keys {
		s := x.scopes[rand.IntN(len(x.scopes))]
		x.scope = append(x.scope, s)
		full := fmt.Sprintf("r/%010x/k/%s", s.number, k)
		x.full = append(x.full, full)
		x.now++
		s.Apply('k', k, Record{Version: x.now, Stamp: x.now, Value: x.value})
		x.m[full] = &entHead{&entVersion{x.now, append([]byte(nil), x.value...), nil}}
		size += len(k) + len(x.value)
		x.keys[i] = k
	}
	x.tb.Forget(x.now)
	x.bytes = float64(x.tb.Bytes()-int64(size)) / float64(n)
	benches[n] = x
	return x
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

// race runs both in turns of a few thousand and reports nanoseconds of the first and the quotient.
func race(b *testing.B, n int, ours, theirs func(i int)) {
	b.Helper()
	const turn = 4096
	var a, m time.Duration
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += turn {
		start := time.Now()
		for i := done; i < done+turn; i++ {
			ours(i)
		}
		middle := time.Now()
		b.StopTimer()
		for i := done; i < done+turn; i++ {
			theirs(i)
		}
		b.StartTimer()
		a += middle.Sub(start)
		m += time.Since(middle)
	}
	b.ReportMetric(float64(a)/float64(m), "xmap")
	_ = n
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

func randomly(n, from int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = rand.IntN(from)
	}
	return out
}

func BenchmarkGetHot(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) { x.get(b, randomly(1000, len(x.keys))) })
}

func BenchmarkGetUniform(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) { x.get(b, randomly(1<<20, len(x.keys))) })
}

func (x *bench) get(b *testing.B, order []int) {
	race(b, len(order), func(i int) {
		k := order[i%len(order)]
		r, _, _ := x.scope[k].Get('k', x.keys[k], x.now)
		sink += r.Value[0]
	}, func(i int) { x.mapGet(x.full[order[i%len(order)]]) })
	b.ReportMetric(x.bytes, "bytes/key")
}

func BenchmarkGetAbsent(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) {
		var keys, full []string
		for i := 0; i < 1<<16; i++ {
			k := benchKey(i) + "?"
			keys = append(keys, k)
			full = append(full, fmt.Sprintf("r/%010x/k/%s", i%len(x.scopes), k))
		}
		race(b, len(keys), func(i int) {
			i &= 1<<16 - 1
			if _, _, a := x.scopes[i%len(x.scopes)].Get('k', keys[i], x.now); a != Absent {
				b.Fatal(a)
			}
		}, func(i int) {
			if x.m[full[i&(1<<16-1)]] != nil {
				b.Fatal("present")
			}
		})
	})
}

func BenchmarkValidateByRef(b *testing.B) {
	sizes(b, func(b *testing.B, x *bench) {
		order := randomly(1<<12, len(x.keys))
		refs := make([]Ref, len(order))
		for i, k := range order {
			_, refs[i], _ = x.scope[k].Get('k', x.keys[k], x.now)
		}
		race(b, len(order), func(i int) {
			if stamp, ok := x.tb.StampAt(refs[i%len(refs)]); !ok || stamp > x.now {
				b.Fatal("changed")
			}
		}, func(i int) { x.mapGet(x.full[order[i%len(order)]]) })
	})
}
