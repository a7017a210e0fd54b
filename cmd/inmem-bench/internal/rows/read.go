package rows

import (
	"context"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
)

// reader is what one worker of a reading row keeps; padded to cache lines of its own.
type reader struct {
	g    measure.LCG
	next int
	buf  []byte
	sum  byte
	_    [64]byte
}

func (m *maker) readers(n int) []reader {
	all := make([]reader, n)
	for i := range all {
		all[i] = reader{g: measure.NewLCG(m.cfg.Seed, i), buf: make([]byte, 0, 2*valueSize)}
	}
	return all
}

// draw returns the number of the next random key, and brings the one after it near.
func (r *reader) draw(k keys) int {
	i := r.next
	r.next = r.g.Below(k.n)
	r.sum ^= touch(k.at(r.next))
	return i
}

// get reads one key and checks it.
func (r *reader) get(ctx context.Context, s engine.Reader, k keys, i int) error {
	got, found, err := s.Get(ctx, k.at(i), r.buf[:0])
	return expectValue(k.at(i), value(i), got, found, err)
}

// hotTrial reads the middle key.
func (m *maker) hotTrial(f *shared) *measure.Trial {
	r := &m.readers(1)[0]
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		return r.get(ctx, f.store, f.keys, f.keys.n/2)
	}}
}

// absentTrial reads a key that would stand among those that are there.
func (m *maker) absentTrial(f *shared) *measure.Trial {
	r := &m.readers(1)[0]
	absent := f.keys.at(f.keys.n / 2)[:keySize-1] + "x"
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		_, found, err := f.store.Get(ctx, absent, r.buf[:0])
		if err == nil && found {
			return measure.Wrongf("key %q is there, expected none", absent)
		}
		return err
	}}
}

// uniformTrial reads random keys.
func (m *maker) uniformTrial(workers int) func(*shared) *measure.Trial {
	return func(f *shared) *measure.Trial {
		all := m.readers(workers)
		return &measure.Trial{Op: func(ctx context.Context, worker, _ int) error {
			r := &all[worker]
			return r.get(ctx, f.store, f.keys, r.draw(f.keys))
		}}
	}
}

// viewTrial takes a snapshot and reads one random key.
func (m *maker) viewTrial(f *shared) *measure.Trial {
	r := &m.readers(1)[0]
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		return f.store.View(ctx, func(s engine.Reader) error {
			return r.get(ctx, s, f.keys, r.draw(f.keys))
		})
	}}
}

// scanTrial reads a random group of a hundred neighbours.
func (m *maker) scanTrial(f *shared) *measure.Trial {
	r := &m.readers(1)[0]
	groups := f.keys.n / groupSize
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		g := r.g.Below(groups)
		return scan(ctx, f, f.keys.prefix(g), g*groupSize, groupSize)
	}}
}

// fullScanTrial reads everything in order; the units are keys.
func (m *maker) fullScanTrial(f *shared) *measure.Trial {
	return &measure.Trial{Op: func(ctx context.Context, _, _ int) error {
		return scan(ctx, f, present, 0, f.keys.n)
	}}
}

// scan visits the keys with a prefix, which are those with the numbers from first on, and checks
// each of them.
func scan(ctx context.Context, f *shared, prefix string, first, n int) error {
	i := first
	var wrong error
	err := f.store.Scan(ctx, prefix, "", func(key, got string) bool {
		if i >= first+n || key != f.keys.at(i) || len(got) != valueSize ||
			got[:9] != value(i)[:9] {
			wrong = measure.Wrongf("scan of %q: place %d is %q with %.9q", prefix, i-first, key, got)
			return false
		}
		i++
		return true
	})
	switch {
	case wrong != nil:
		return wrong
	case err == nil && i != first+n:
		return measure.Wrongf("scan of %q found %d keys, expected %d", prefix, i-first, n)
	}
	return err
}
