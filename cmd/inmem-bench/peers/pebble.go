package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

// pebbleEngine is Pebble by itself, as one would use it with care: transactions are a mutex and a
// batch, which is serializable and reads at full speed; the wait for the sync is outside of the
// mutex, so that concurrent commits share it.
func pebbleEngine() engine.Engine {
	return engine.Engine{
		Name: "pebble", Version: engine.ModuleVersion("github.com/cockroachdb/pebble/v2"),
		About: "Pebble by itself; transactions are a mutex around reads and a batch",
		Durability: map[string]string{
			engine.Strict:  "pebble.Sync: concurrent commits share syncs",
			engine.Batched: "pebble.NoSync, and a timer that syncs the log every 100 ms",
		},
		Open: openPebble,
	}
}

// pebbleMemTable is the size of what Pebble gathers before it writes a table, as long as some of
// them fit into the memory. It charges them to its cache, which therefore gets all of the memory.
func pebbleMemTable(memory int64) uint64 { return uint64(min(max(memory/8, 4<<20), 64<<20)) }

type pebbleStore struct {
	db     *pebble.DB
	write  *pebble.WriteOptions
	sync   bool
	ticker *engine.Ticker
	mu     sync.Mutex // orders transactions
}

func openPebble(_ context.Context, dir string, o engine.Options) (engine.Store, error) {
	cache := pebble.NewCache(o.Memory)
	defer cache.Unref()
	opts := &pebble.Options{
		Cache: cache, MemTableSize: pebbleMemTable(o.Memory), MaxOpenFiles: 1000,
		MemTableStopWritesThreshold: 4,
		FormatMajorVersion:          pebble.FormatNewest,
		Logger:                      quietLogger{},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		opts.Levels[i].FilterType = pebble.TableFilter
	}
	db, err := pebble.Open(dir, opts)
	if err != nil {
		return nil, err
	}
	s := &pebbleStore{db: db, write: pebble.NoSync, sync: o.Mode == engine.Strict}
	if s.sync {
		s.write = pebble.Sync
	} else {
		s.ticker = engine.StartTicker(s.syncLog)
	}
	return s, nil
}

// quietLogger drops what Pebble reports; its fatal errors end the process, as its own logger's do.
type quietLogger struct{}

func (quietLogger) Infof(string, ...any)              {}
func (quietLogger) Errorf(string, ...any)             {}
func (quietLogger) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

func (s *pebbleStore) syncLog() error { return s.db.LogData(nil, pebble.Sync) }

func appendOf(dst, value []byte, closer io.Closer, err error) ([]byte, bool, error) {
	if errors.Is(err, pebble.ErrNotFound) {
		return dst, false, nil
	}
	if err != nil {
		return dst, false, err
	}
	dst = append(dst, value...)
	return dst, true, closer.Close()
}

func (s *pebbleStore) Get(_ context.Context, key string, dst []byte) ([]byte, bool, error) {
	v, closer, err := s.db.Get(engine.BytesOf(key))
	return appendOf(dst, v, closer, err)
}

func (s *pebbleStore) Put(_ context.Context, key, value string) error {
	return s.db.Set(engine.BytesOf(key), engine.BytesOf(value), s.write)
}

func (s *pebbleStore) Delete(ctx context.Context, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, found, err := s.Get(ctx, key, nil)
	if err != nil || !found {
		return false, err
	}
	return true, s.db.Delete(engine.BytesOf(key), s.write)
}

// pebbleTx reads the present, which its mutex keeps still, and its own few writes.
type pebbleTx struct {
	*pebbleStore
	batch *pebble.Batch
	own   map[string]string
}

func (t *pebbleTx) Get(ctx context.Context, key string, dst []byte) ([]byte, bool, error) {
	if v, found := t.own[key]; found {
		return append(dst, v...), true, nil
	}
	return t.pebbleStore.Get(ctx, key, dst)
}

func (t *pebbleTx) Put(_ context.Context, key, value string) error {
	if t.own == nil {
		t.own = make(map[string]string, 1)
	}
	t.own[key] = value
	return t.batch.Set(engine.BytesOf(key), engine.BytesOf(value), nil)
}

func (s *pebbleStore) Update(_ context.Context, fn func(engine.Tx) error) (err error) {
	tx := &pebbleTx{pebbleStore: s, batch: s.db.NewBatch()}
	defer func() { err = errors.Join(err, tx.batch.Close()) }()
	s.mu.Lock()
	err = fn(tx)
	if err == nil && !tx.batch.Empty() {
		err = s.apply(tx.batch)
	}
	s.mu.Unlock()
	if err == nil && s.sync && !tx.batch.Empty() {
		err = tx.batch.SyncWait()
	}
	return err
}

// apply commits a batch; in mode strict the sync is still to be waited for.
func (s *pebbleStore) apply(b *pebble.Batch) error {
	if s.sync {
		return s.db.ApplyNoSyncWait(b, s.write)
	}
	return s.db.Apply(b, s.write)
}
