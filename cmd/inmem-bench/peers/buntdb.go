package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidwall/buntdb"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

func buntEngine() engine.Engine {
	return engine.Engine{
		Name: "buntdb", Version: engine.ModuleVersion("github.com/tidwall/buntdb"),
		About: "BuntDB: all in memory in a B-tree under one lock, and an append-only file",
		Durability: map[string]string{
			engine.Strict:  "SyncPolicy Always: one sync per commit, no sharing",
			engine.Batched: "SyncPolicy Never, and a timer that syncs the file every 100 ms",
		},
		Open: openBunt,
	}
}

type buntStore struct {
	db     *buntdb.DB
	file   *os.File // the same file again: BuntDB has no call to sync it
	ticker *engine.Ticker
}

func openBunt(_ context.Context, dir string, o engine.Options) (engine.Store, error) {
	path := filepath.Join(dir, "db")
	db, err := buntdb.Open(path)
	if err != nil {
		return nil, err
	}
	config := buntdb.Config{SyncPolicy: buntdb.Never, AutoShrinkDisabled: true}
	if o.Mode == engine.Strict {
		config.SyncPolicy = buntdb.Always
	}
	if err := db.SetConfig(config); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &buntStore{db: db, file: file}
	if o.Mode != engine.Strict {
		s.ticker = engine.StartTicker(file.Sync)
	}
	return s, nil
}

// buntTx is a transaction, of either kind.
type buntTx struct{ *buntdb.Tx }

func (t buntTx) Get(_ context.Context, key string, dst []byte) ([]byte, bool, error) {
	v, err := t.Tx.Get(key)
	if errors.Is(err, buntdb.ErrNotFound) {
		return dst, false, nil
	}
	return append(dst, v...), err == nil, err
}

func (t buntTx) Put(_ context.Context, key, value string) error {
	_, _, err := t.Set(key, value, nil)
	return err
}

func (s *buntStore) Get(ctx context.Context, key string, dst []byte) (v []byte, found bool,
	err error) {
	err = s.db.View(func(tx *buntdb.Tx) error {
		v, found, err = buntTx{tx}.Get(ctx, key, dst)
		return err
	})
	return v, found, err
}

func (s *buntStore) Update(_ context.Context, fn func(engine.Tx) error) error {
	return s.db.Update(func(tx *buntdb.Tx) error { return fn(buntTx{tx}) })
}

func (s *buntStore) Put(ctx context.Context, key, value string) error {
	return s.Update(ctx, func(tx engine.Tx) error { return tx.Put(ctx, key, value) })
}

func (s *buntStore) Delete(_ context.Context, key string) (bool, error) {
	err := s.db.Update(func(tx *buntdb.Tx) error {
		_, err := tx.Delete(key)
		return err
	})
	if errors.Is(err, buntdb.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (s *buntStore) CAS(ctx context.Context, key, expected, value string) (bool, error) {
	return casIn(ctx, s, key, expected, value)
}

func (s *buntStore) View(_ context.Context, fn func(engine.Reader) error) error {
	return s.db.View(func(tx *buntdb.Tx) error { return fn(buntTx{tx}) })
}

func (s *buntStore) Scan(_ context.Context, prefix, from string,
	each func(key, value string) bool) error {
	return s.db.View(func(tx *buntdb.Tx) error {
		return tx.AscendGreaterOrEqual("", max(prefix, from), func(key, value string) bool {
			return strings.HasPrefix(key, prefix) && each(key, value)
		})
	})
}

func (s *buntStore) Load(ctx context.Context, n int, at func(int) (key, value string)) error {
	return loadIn(ctx, n, at, func(fn func(put func(key, value string) error) error) error {
		return s.db.Update(func(tx *buntdb.Tx) error {
			return fn(func(key, value string) error { return buntTx{tx}.Put(ctx, key, value) })
		})
	})
}

func (s *buntStore) Flush(context.Context) error { return s.file.Sync() }

func (s *buntStore) Close() error {
	return errors.Join(s.ticker.Stop(), s.file.Close(), s.db.Close())
}
