package workloads

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/measure"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

const (
	modeStrict = "strict"
	modeNone   = "none"
)

// store is a database of one trial with the run that it works in.
type store struct {
	dir  string
	db   *inmem.DB
	run  *inmem.Run
	kv   inmem.KV
	data data
}

// prepare makes a trial on an open store.
type prepare func(ctx context.Context, s *store) (*measure.Trial, error)

// durabilityOf finds a mode by its name.
func durabilityOf(mode string) (inmem.Durability, error) {
	for _, d := range []inmem.Durability{inmem.Strict, inmem.Batched, inmem.Async, inmem.None} {
		if d.String() == mode {
			return d, nil
		}
	}
	return 0, fmt.Errorf("no durability mode is called %q", mode)
}

// open makes the Setup of a workload: an empty database in its mode, a run of the namespace
// tenant/app/agent, keys loaded.
func (m *maker) open(mode string, l load, p prepare) func(context.Context, string) (
	*measure.Trial, error) {
	return m.openWith(mode, inmem.Options{}, l, p)
}

// openWith is open with further options.
func (m *maker) openWith(mode string, o inmem.Options, l load, p prepare) func(context.Context,
	string) (*measure.Trial, error) {
	return func(ctx context.Context, dir string) (_ *measure.Trial, err error) {
		s, err := m.store(ctx, dir, mode, o)
		if err != nil {
			return nil, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.db.Close())
			}
		}()
		s.data = m.data(l)
		if err = s.load(ctx); err != nil {
			return nil, err
		}
		t, err := p(ctx, s)
		if err != nil {
			return nil, err
		}
		if t.Close == nil {
			t.Close = s.db.Close
		}
		return t, nil
	}
}

// store opens a database and begins a run in it.
func (m *maker) store(ctx context.Context, dir, mode string, o inmem.Options) (_ *store,
	err error) {
	o.MemoryBudget = m.cfg.Memory
	if o.Durability, err = durabilityOf(mode); err != nil {
		return nil, err
	}
	s := &store{dir: dir}
	if s.db, err = inmem.Open(dir, &o); err != nil {
		return nil, err
	}
	s.run, err = s.db.BeginRun(ctx, inmem.RunOptions{Tenant: "tenant", App: "app", Agent: "agent"})
	if err != nil {
		return nil, errors.Join(err, s.db.Close())
	}
	s.kv = s.run.KV()
	return s, nil
}

// load puts the keys, some thousand per transaction: fast in every mode.
func (s *store) load(ctx context.Context) error {
	const perTxn = 10_000
	n := s.data.keys.Len()
	for from := 0; from < n; from += perTxn {
		_, err := s.run.Update(ctx, func(tx *inmem.Tx) error {
			k := tx.KV()
			for i := from; i < min(from+perTxn, n); i++ {
				if _, err := k.Put(ctx, s.data.keys.At(i), s.data.values.at(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// values are what plain workloads write: int64 values, or bytes from a short ring of prepared ones,
// so that making a value is not what is measured.
type values struct {
	size int // bytes of user data in a value
	ring []inmem.Value
}

func makeValues(size int) values {
	if size == 0 {
		return values{size: 8}
	}
	v := values{size, make([]inmem.Value, max(1, min(256, (1<<20)/size)))}
	b := make([]byte, size)
	for i := range b {
		b[i] = 0xAB
	}
	for i := range v.ring {
		if size >= 8 {
			binary.BigEndian.PutUint64(b, uint64(i))
		} else {
			b[0] = byte(i)
		}
		v.ring[i] = inmem.Bytes(b)
	}
	return v
}

// at is value number i.
func (v values) at(i int) inmem.Value {
	if v.ring == nil {
		return inmem.Int(int64(i))
	}
	return v.ring[i%len(v.ring)]
}

// expect checks one read.
func expect(key string, want, got inmem.Value, found bool, err error) error {
	switch {
	case err != nil:
		return err
	case !found:
		return measure.Wrongf("key %q is absent, expected %s", key, short(want))
	case got != want:
		return measure.Wrongf("key %q holds %s, expected %s", key, short(got), short(want))
	}
	return nil
}

func short(v inmem.Value) string {
	s := v.String()
	if len(s) > 40 {
		return fmt.Sprintf("%s... (%d characters)", s[:40], len(s))
	}
	return s
}

// expectAt checks what a key holds now.
func (s *store) expectAt(ctx context.Context, key string, want inmem.Value) error {
	v, ok, err := s.kv.Get(ctx, key)
	return expect(key, want, v, ok, err)
}

// expectCount checks how many keys there are.
func (s *store) expectCount(ctx context.Context, want int) error {
	n, err := s.kv.Count(ctx, inmem.ScanOptions{})
	if err != nil {
		return err
	}
	if n != want {
		return measure.Wrongf("there are %d keys, expected %d", n, want)
	}
	return nil
}

// expectNewer checks a commit version and remembers it.
func expectNewer(version uint64, last *uint64) error {
	if version <= *last {
		return measure.Wrongf("commit version %d after %d", version, *last)
	}
	*last = version
	return nil
}

// lane is what one worker writes to while others work beside it; padded to cache lines of its own.
type lane struct {
	last     uint64 // newest commit version
	attempts int
	commits  int
	_        [104]byte
}

func sum(numbers []int) int {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return total
}
