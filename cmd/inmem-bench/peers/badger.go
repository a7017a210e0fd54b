package main

import (
	"context"
	"errors"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/options"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

// openedBadger is Badger: an LSM tree with optimistic transactions.
func badgerEngine() engine.Engine {
	return engine.Engine{
		Name: "badger", Version: engine.ModuleVersion("github.com/dgraph-io/badger/v4"),
		About: "Badger v4, values in the tree, no compression, one version kept",
		Durability: map[string]string{
			engine.Strict:  "SyncWrites: commits that wait together share syncs",
			engine.Batched: "no SyncWrites, and a timer that calls Sync every 100 ms",
		},
		Open: openBadger,
	}
}

type badgerStore struct {
	db     *badger.DB
	ticker *engine.Ticker
}

// Of the memory, the tables being written take three parts, the rest is cache of blocks; their
// indexes get a tenth of it.
const badgerMemTable = 64 << 20

func openBadger(_ context.Context, dir string, o engine.Options) (engine.Store, error) {
	cache := max(o.Memory-3*badgerMemTable, 32<<20)
	db, err := badger.Open(badger.DefaultOptions(dir).WithLogger(nil).
		WithSyncWrites(o.Mode == engine.Strict).WithMemTableSize(badgerMemTable).
		WithNumMemtables(3).WithCompression(options.None).WithMetricsEnabled(false).
		WithBlockCacheSize(cache * 9 / 10).WithIndexCacheSize(cache / 10))
	if err != nil {
		return nil, err
	}
	s := &badgerStore{db: db}
	if o.Mode != engine.Strict {
		s.ticker = engine.StartTicker(db.Sync)
	}
	return s, nil
}

// badgerTx is a transaction, of either kind.
type badgerTx struct{ *badger.Txn }

func (t badgerTx) Get(_ context.Context, key string, dst []byte) ([]byte, bool, error) {
	item, err := t.Txn.Get(engine.BytesOf(key))
	if errors.Is(err, badger.ErrKeyNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, err
	}
	err = item.Value(func(v []byte) error {
		dst = append(dst, v...)
		return nil
	})
	return dst, err == nil, err
}

func (t badgerTx) Put(_ context.Context, key, value string) error {
	return t.Set(engine.BytesOf(key), engine.BytesOf(value))
}

func (s *badgerStore) Get(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	tx := s.db.NewTransaction(false)
	defer tx.Discard()
	return badgerTx{tx}.Get(ctx, key, dst)
}

func (s *badgerStore) Update(_ context.Context, fn func(engine.Tx) error) error {
	err := s.db.Update(func(tx *badger.Txn) error { return fn(badgerTx{tx}) })
	if errors.Is(err, badger.ErrConflict) {
		return engine.ErrConflict
	}
	return err
}

func (s *badgerStore) Put(ctx context.Context, key, value string) error {
	return s.Update(ctx, func(tx engine.Tx) error { return tx.Put(ctx, key, value) })
}

func (s *badgerStore) Delete(ctx context.Context, key string) (existed bool, err error) {
	err = s.Update(ctx, func(tx engine.Tx) error {
		_, existed, err = tx.Get(ctx, key, nil)
		if err != nil || !existed {
			return err
		}
		return tx.(badgerTx).Txn.Delete(engine.BytesOf(key))
	})
	return existed && err == nil, err
}

func (s *badgerStore) CAS(ctx context.Context, key, expected, value string) (bool, error) {
	return casIn(ctx, s, key, expected, value)
}

func (s *badgerStore) View(_ context.Context, fn func(engine.Reader) error) error {
	return s.db.View(func(tx *badger.Txn) error { return fn(badgerTx{tx}) })
}

func (s *badgerStore) Scan(_ context.Context, prefix, from string,
	each func(key, value string) bool) error {
	tx := s.db.NewTransaction(false)
	defer tx.Discard()
	o := badger.DefaultIteratorOptions
	o.Prefix = engine.BytesOf(prefix)
	it := tx.NewIterator(o)
	defer it.Close()
	for it.Seek(engine.BytesOf(max(prefix, from))); it.Valid(); it.Next() {
		item, more := it.Item(), false
		err := item.Value(func(v []byte) error {
			more = each(engine.StringOf(item.Key()), engine.StringOf(v))
			return nil
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

func (s *badgerStore) Load(ctx context.Context, n int, at func(int) (key, value string)) error {
	batch := s.db.NewWriteBatch()
	defer batch.Cancel()
	for i := range n {
		if i%10_000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		key, value := at(i)
		if err := batch.Set(engine.BytesOf(key), engine.BytesOf(value)); err != nil {
			return err
		}
	}
	return batch.Flush()
}

func (s *badgerStore) Flush(context.Context) error { return s.db.Sync() }

func (s *badgerStore) Close() error {
	return errors.Join(s.ticker.Stop(), s.db.Close())
}
