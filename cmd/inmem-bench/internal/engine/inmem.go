package engine

import (
	"context"
	"errors"
	"fmt"

	inmem "github.com/inmem-db/inmem/pkg/db"
)

// cacheShare is what in-mem gives to its cache of disk blocks, in the proportion of its defaults up
// to a bound; the rest of Options.Memory is its budget for recent data. Keys and values are all in
// the latter as long as they fit.
func cacheShare(memory int64) int64 { return min(max(memory*3/7, leastCache), 64<<20) }

const leastCache = 34 << 20 // in-mem takes no less

// InMem is in-mem through its public API: one run, with versions, journal and history.
func InMem() Engine {
	return Engine{
		Name: "inmem", Ours: true, Version: "this source",
		About: "in-mem through its public API, in one run",
		Durability: map[string]string{
			Strict:  "Strict: concurrent commits share syncs",
			Batched: "Batched: synced after 100 ms or 1,000 commits",
		},
		Open: openInMem,
	}
}

type inMem struct {
	db  *inmem.DB
	run *inmem.Run
	kv  inmem.KV
}

// runID is the run that everything happens in; it is found again after a reopening.
const runID = "0197f3a0-0000-7000-8000-000000000001"

func openInMem(ctx context.Context, dir string, o Options) (_ Store, err error) {
	durability, cache := inmem.Batched, cacheShare(o.Memory)
	if o.Mode == Strict {
		durability = inmem.Strict
	}
	s := &inMem{}
	s.db, err = inmem.Open(dir, &inmem.Options{
		Durability: durability, CacheSize: cache, MemoryBudget: max(o.Memory-cache, 1<<20),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.db.Close())
		}
	}()
	if s.run, err = theRun(ctx, s.db); err != nil {
		return nil, err
	}
	s.kv = s.run.KV()
	return s, nil
}

// theRun begins the run in a new database, and finds it in one that was there.
func theRun(ctx context.Context, db *inmem.DB) (*inmem.Run, error) {
	run, err := db.Run(ctx, runID)
	if errors.Is(err, inmem.ErrRunNotFound) {
		run, err = db.BeginRun(ctx, inmem.RunOptions{
			ID: runID, Tenant: "tenant", App: "app", Agent: "agent",
		})
	}
	return run, err
}

// appendText appends a value that must be a String.
func appendText(v inmem.Value, found bool, err error, dst []byte) ([]byte, bool, error) {
	if err != nil || !found {
		return dst, false, err
	}
	text, err := v.AsString()
	return append(dst, text...), err == nil, err
}

func (s *inMem) Get(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	v, found, err := s.kv.Get(ctx, key)
	return appendText(v, found, err, dst)
}

func (s *inMem) Put(ctx context.Context, key, value string) error {
	_, err := s.kv.Put(ctx, key, inmem.String(value))
	return err
}

func (s *inMem) Delete(ctx context.Context, key string) (bool, error) {
	return s.kv.Delete(ctx, key)
}

// inMemKV is the KV of a transaction or a view.
type inMemKV struct{ kv inmem.KV }

func (k *inMemKV) Get(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	v, found, err := k.kv.Get(ctx, key)
	return appendText(v, found, err, dst)
}

func (k *inMemKV) Put(ctx context.Context, key, value string) error {
	_, err := k.kv.Put(ctx, key, inmem.String(value))
	return err
}

// once is one attempt: the workloads count them, and try again themselves.
var once = inmem.TxOptions{Retry: &inmem.Retry{Max: 0}}

func (s *inMem) Update(ctx context.Context, fn func(Tx) error) error {
	_, err := s.run.UpdateWith(ctx, once, func(tx *inmem.Tx) error {
		return fn(&inMemKV{tx.KV()})
	})
	if errors.Is(err, inmem.ErrConflict) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// CAS reads the value with its version, compares it as the others do, and then lets the version
// decide.
func (s *inMem) CAS(ctx context.Context, key, expected, value string) (bool, error) {
	e, err := s.kv.GetVersioned(ctx, key)
	if err != nil || !e.Exists || e.Value != inmem.String(expected) {
		return false, err
	}
	_, err = s.kv.CAS(ctx, key, e.Version, inmem.String(value))
	if errors.Is(err, inmem.ErrVersionMismatch) {
		return false, nil
	}
	return err == nil, err
}

func (s *inMem) View(ctx context.Context, fn func(Reader) error) error {
	return s.run.View(ctx, func(v *inmem.View) error { return fn(&inMemKV{v.KV()}) })
}

func (s *inMem) Scan(ctx context.Context, prefix, from string,
	each func(key, value string) bool) error {
	for pair, err := range s.kv.Scan(ctx, inmem.ScanOptions{Prefix: prefix, Start: from}) {
		if err != nil {
			return err
		}
		text, err := pair.Value.AsString()
		if err != nil {
			return err
		}
		if !each(pair.Key, text) {
			return nil
		}
	}
	return nil
}

// loadBatch is the number of keys in one transaction of a load.
const loadBatch = 10_000

func (s *inMem) Load(ctx context.Context, n int, at func(int) (key, value string)) error {
	for from := 0; from < n; from += loadBatch {
		_, err := s.run.Update(ctx, func(tx *inmem.Tx) error {
			kv := tx.KV()
			for i := from; i < min(from+loadBatch, n); i++ {
				key, value := at(i)
				if _, err := kv.Put(ctx, key, inmem.String(value)); err != nil {
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

func (s *inMem) Flush(ctx context.Context) error { return s.db.Flush(ctx) }
func (s *inMem) Close() error                    { return s.db.Close() }
