package main

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

func bboltEngine() engine.Engine {
	return engine.Engine{
		Name: "bbolt", Version: engine.ModuleVersion("go.etcd.io/bbolt"),
		About: "bbolt: a B+ tree in mapped memory (the system's page cache is its cache), one writer",
		Durability: map[string]string{
			engine.Strict: "synced by Update; of several goroutines by Batch, which commits together",
			engine.Batched: "NoSync, and a timer that calls Sync every 100 ms; a power cut can damage " +
				"the file",
		},
		Open: openBbolt,
	}
}

type bboltStore struct {
	db     *bbolt.DB
	group  bool // commit together
	ticker *engine.Ticker
}

var bucket = []byte("b")

func openBbolt(_ context.Context, dir string, o engine.Options) (engine.Store, error) {
	opts := *bbolt.DefaultOptions
	opts.NoSync = o.Mode != engine.Strict
	opts.NoFreelistSync = true
	opts.FreelistType = bbolt.FreelistMapType
	db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, &opts)
	if err != nil {
		return nil, err
	}
	s := &bboltStore{db: db, group: !opts.NoSync && o.Workers > 1}
	if s.group { // a batch is complete when all have come
		db.MaxBatchSize, db.MaxBatchDelay = o.Workers, 2*time.Millisecond
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if opts.NoSync {
		s.ticker = engine.StartTicker(db.Sync)
	}
	return s, nil
}

// bboltTx is the one bucket in a transaction, of either kind.
type bboltTx struct{ *bbolt.Bucket }

func (t bboltTx) Get(_ context.Context, key string, dst []byte) ([]byte, bool, error) {
	v := t.Bucket.Get(engine.BytesOf(key))
	return append(dst, v...), v != nil, nil
}

func (t bboltTx) Put(_ context.Context, key, value string) error {
	return t.Bucket.Put(engine.BytesOf(key), engine.BytesOf(value))
}

func (s *bboltStore) Get(ctx context.Context, key string, dst []byte) (v []byte, found bool,
	err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		v, found, err = bboltTx{tx.Bucket(bucket)}.Get(ctx, key, dst)
		return err
	})
	return v, found, err
}

func (s *bboltStore) Update(_ context.Context, fn func(engine.Tx) error) error {
	in := func(tx *bbolt.Tx) error { return fn(bboltTx{tx.Bucket(bucket)}) }
	if s.group {
		return s.db.Batch(in)
	}
	return s.db.Update(in)
}

func (s *bboltStore) Put(ctx context.Context, key, value string) error {
	return s.Update(ctx, func(tx engine.Tx) error { return tx.Put(ctx, key, value) })
}

func (s *bboltStore) Delete(ctx context.Context, key string) (existed bool, err error) {
	err = s.Update(ctx, func(tx engine.Tx) error {
		_, existed, err = tx.Get(ctx, key, nil)
		if err != nil || !existed {
			return err
		}
		return tx.(bboltTx).Bucket.Delete(engine.BytesOf(key))
	})
	return existed && err == nil, err
}

func (s *bboltStore) CAS(ctx context.Context, key, expected, value string) (bool, error) {
	return casIn(ctx, s, key, expected, value)
}

func (s *bboltStore) View(_ context.Context, fn func(engine.Reader) error) error {
	return s.db.View(func(tx *bbolt.Tx) error { return fn(bboltTx{tx.Bucket(bucket)}) })
}

func (s *bboltStore) Scan(_ context.Context, prefix, from string,
	each func(key, value string) bool) error {
	return s.db.View(func(tx *bbolt.Tx) error {
		c, p := tx.Bucket(bucket).Cursor(), engine.BytesOf(prefix)
		k, v := c.Seek(engine.BytesOf(max(prefix, from)))
		for ; k != nil && bytes.HasPrefix(k, p); k, v = c.Next() {
			if !each(engine.StringOf(k), engine.StringOf(v)) {
				break
			}
		}
		return nil
	})
}

// Load sorts large transactions: neighbours then share pages, which are written once.
func (s *bboltStore) Load(ctx context.Context, n int, at func(int) (key, value string)) error {
	const perTxn = 100_000
	pairs := make([][2]string, 0, min(n, perTxn))
	for from := 0; from < n; from += perTxn {
		if err := ctx.Err(); err != nil {
			return err
		}
		pairs = pairs[:0]
		for i := from; i < min(from+perTxn, n); i++ {
			key, value := at(i)
			pairs = append(pairs, [2]string{key, value})
		}
		// Stable: of two with the same key the later one stays.
		slices.SortStableFunc(pairs, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
		err := s.db.Update(func(tx *bbolt.Tx) error {
			b := bboltTx{tx.Bucket(bucket)}
			for _, p := range pairs {
				if err := b.Put(ctx, p[0], p[1]); err != nil {
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

func (s *bboltStore) Flush(context.Context) error { return s.db.Sync() }

func (s *bboltStore) Close() error {
	return errors.Join(s.ticker.Stop(), s.db.Close())
}
