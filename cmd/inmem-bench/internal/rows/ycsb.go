package rows

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// The sizes of YCSB: a million records of 1 KB, keys of 24 bytes that look random.
const (
	ycsbRecords   = 1_000_000
	ycsbValue     = 1000
	ycsbScan      = 100 // the longest
	ycsbPrefix    = "user"
	ycsbInsertMax = 20 * ycsbRecords
)

// mix is one of the six workloads of YCSB, in percent; the rest are inserts.
type mix struct {
	name                    string
	read, update, rmw, scan int
	latest                  bool
	about                   string
}

var mixes = []mix{
	{name: "a", read: 50, update: 50, about: "half reads, half updates"},
	{name: "b", read: 95, update: 5, about: "95 % reads, 5 % updates"},
	{name: "c", read: 100, about: "reads"},
	{name: "d", read: 95, latest: true, about: "95 % reads of the latest, 5 % inserts"},
	{name: "e", scan: 95, about: "95 % scans of 1 to 100, 5 % inserts"},
	{name: "f", read: 50, rmw: 50, about: "half reads, half read-modify-writes"},
}

// ycsbValues are the values: record i holds one whose number is i modulo 16, whoever updates it.
var ycsbValues = func() (all [64]string) {
	for i := range all {
		b := make([]byte, ycsbValue)
		for at := range b {
			b[at] = byte('A' + (i*11+at*7)%26)
		}
		copy(b, fmt.Sprintf("%02d", i))
		all[i] = string(b)
	}
	return all
}()

const ycsbKeySize = 24

// appendRecordKey appends the key of record i: the digits of a hash, then its number.
func appendRecordKey(b []byte, i int) []byte {
	b = append(b, ycsbPrefix...)
	b = appendDigits(b, int(scatter(i)%1e12), 12)
	return appendDigits(b, i, 8)
}

// firstKeys are the keys of the records that are loaded, one after the other.
var firstKeys = sync.OnceValue(func() string {
	text := make([]byte, 0, ycsbRecords*ycsbKeySize)
	for i := range ycsbRecords {
		text = appendRecordKey(text, i)
	}
	return string(text)
})

var ycsbZipf = sync.OnceValue(func() *zipf { return newZipf(ycsbRecords) })

// records are a database of YCSB.
type records struct {
	shared
	zipf     *zipf
	first    string       // the keys of the records that were loaded
	inserted atomic.Int64 // records that are there, from 0 on
	begun    atomic.Int64 // records that are there or about to be
	mu       sync.Mutex
	ahead    map[int]bool // records that are there while one before them is not; under mu
}

// ycsb are the six mixes with 1 and 4 goroutines. Those that insert come last: the others have all
// records and no more.
func (m *maker) ycsb() []measure.Workload {
	var all []measure.Workload
	for _, workers := range []int{1, 4} {
		r := m.records(workers)
		for _, x := range []mix{mixes[0], mixes[1], mixes[2], mixes[5], mixes[3], mixes[4]} {
			if m.e.Limit && x.scan > 0 {
				continue
			}
			w := measure.Workload{Workers: workers}
			w = m.on(&r.shared, "", fmt.Sprintf("%s; 1M records of 1 KB, %d goroutines",
				x.about, workers), w, func(*shared) *measure.Trial { return m.mixTrial(r, x, workers) })
			w.Name = fmt.Sprintf("ycsb/%s/%d", x.name, workers)
			all = append(all, w)
		}
	}
	return long(all)
}

func (m *maker) records(workers int) *records {
	r := &records{}
	r.Fixture = measure.Fixture{
		Name: fmt.Sprintf("YCSB, %d", workers),
		Setup: func(ctx context.Context, dir string) (err error) {
			r.zipf, r.first, r.ahead = ycsbZipf(), firstKeys(), map[int]bool{}
			o := m.options(m.mode(), 0, workers)
			o.Memory = max(o.Memory, 4*ycsbRecords*ycsbValue)
			if r.store, err = m.e.Open(ctx, dir, o); err != nil {
				return err
			}
			r.inserted.Store(ycsbRecords)
			r.begun.Store(ycsbRecords)
			err = r.store.Load(ctx, ycsbRecords, func(i int) (string, string) {
				return r.key(i), ycsbValues[i%16]
			})
			if err != nil {
				return errors.Join(err, r.store.Close())
			}
			return nil
		},
		Close: func() error { return r.store.Close() },
	}
	return r
}

func (r *records) key(i int) string {
	if i < ycsbRecords {
		return r.first[i*ycsbKeySize:][:ycsbKeySize]
	}
	return string(appendRecordKey(make([]byte, 0, ycsbKeySize), i))
}

// choose draws a record.
func (r *records) choose(g *measure.LCG, latest bool) int {
	if latest {
		return max(int(r.inserted.Load())-1-r.zipf.rank(g), 0)
	}
	return int(scatter(r.zipf.rank(g)) % ycsbRecords)
}

// mixTrial does the operations of a mix.
func (m *maker) mixTrial(r *records, x mix, workers int) *measure.Trial {
	readers := m.readers(workers)
	for i := range readers {
		readers[i].buf = make([]byte, 0, 2*ycsbValue)
	}
	return &measure.Trial{Op: func(ctx context.Context, worker, i int) error {
		w := &readers[worker]
		dice := w.g.Below(100)
		switch {
		case dice < x.read:
			return r.read(ctx, r.store, w, r.choose(&w.g, x.latest))
		case dice < x.read+x.update:
			n := r.choose(&w.g, false)
			return r.store.Put(ctx, r.key(n), ycsbValues[n%16+16*(i%4)])
		case dice < x.read+x.update+x.rmw:
			n := r.choose(&w.g, false)
			_, err := commit(ctx, r.store, func(tx engine.Tx) error {
				if err := r.read(ctx, tx, w, n); err != nil {
					return err
				}
				return tx.Put(ctx, r.key(n), ycsbValues[n%16+16*(i%4)])
			})
			return err
		case dice < x.read+x.update+x.rmw+x.scan:
			return r.scan(ctx, r.choose(&w.g, false), 1+w.g.Below(ycsbScan))
		}
		return r.insert(ctx)
	}}
}

// insert adds the next record. Of several goroutines one can be ahead of another: the records that
// are there are counted when all before them are.
func (r *records) insert(ctx context.Context) error {
	n := int(r.begun.Add(1)) - 1
	if n >= ycsbInsertMax {
		return measure.ErrExhausted
	}
	if err := r.store.Put(ctx, r.key(n), ycsbValues[n%16]); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead[n] = true
	for at := int(r.inserted.Load()); r.ahead[at]; at++ {
		delete(r.ahead, at)
		r.inserted.Store(int64(at) + 1)
	}
	return nil
}

// right says whether a value may be that of record i.
func right(i int, v string) bool {
	if len(v) != ycsbValue {
		return false
	}
	n, err := strconv.Atoi(v[:2])
	return err == nil && n < len(ycsbValues) && n%16 == i%16 && v == ycsbValues[n]
}

func (r *records) read(ctx context.Context, from engine.Reader, w *reader, i int) error {
	got, found, err := from.Get(ctx, r.key(i), w.buf[:0])
	if err == nil && (!found || !right(i, engine.StringOf(got))) {
		return measure.Wrongf("record %d: found %t, %d bytes, %.20q", i, found, len(got), got)
	}
	return err
}

func (r *records) scan(ctx context.Context, from, n int) error {
	last, seen := make([]byte, 0, ycsbKeySize), 0
	var wrong error
	err := r.store.Scan(ctx, ycsbPrefix, r.key(from), func(key, v string) bool {
		i, err := strconv.Atoi(key[len(key)-8:])
		if err != nil || key <= string(last) || !right(i, v) || seen == 0 && i != from {
			wrong = measure.Wrongf("scan from %q: %q after %q, %d bytes", r.key(from), key, last, len(v))
			return false
		}
		last = append(last[:0], key...)
		seen++
		return seen < n
	})
	return errors.Join(wrong, err)
}
