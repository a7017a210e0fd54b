package main

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

func (s *sqliteStore) Get(ctx context.Context, key string, dst []byte) (v []byte, found bool,
	err error) {
	err = s.reading(ctx, func(c *sqliteConn) error {
		v, found, err = c.Get(ctx, key, dst)
		return err
	})
	return v, found, err
}

func (s *sqliteStore) Put(ctx context.Context, key, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writer.Put(ctx, key, value)
}

func (s *sqliteStore) Delete(ctx context.Context, key string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.writer.del.ExecContext(ctx, key)
	if err != nil {
		return false, err
	}
	n, err := r.RowsAffected()
	return n > 0, err
}

func (s *sqliteStore) Update(ctx context.Context, fn func(engine.Tx) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writer.in(ctx, s.writer.immediate, fn)
}

func (s *sqliteStore) CAS(ctx context.Context, key, expected, value string) (bool, error) {
	return casIn(ctx, s, key, expected, value)
}

func (s *sqliteStore) View(ctx context.Context, fn func(engine.Reader) error) error {
	return s.reading(ctx, func(c *sqliteConn) error {
		return c.in(ctx, c.begin, func(tx engine.Tx) error { return fn(tx) })
	})
}

func (s *sqliteStore) Scan(ctx context.Context, prefix, from string,
	each func(key, value string) bool) error {
	return s.reading(ctx, func(c *sqliteConn) (err error) {
		rows, err := c.scan.QueryContext(ctx, max(prefix, from), string(after(prefix)))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, rows.Close()) }()
		var key, value string
		for rows.Next() {
			if err := rows.Scan(&key, &value); err != nil {
				return err
			}
			if !each(key, value) {
				break
			}
		}
		return rows.Err()
	})
}

func (s *sqliteStore) Load(ctx context.Context, n int, at func(int) (key, value string)) error {
	return loadIn(ctx, n, at, func(fn func(put func(key, value string) error) error) error {
		return s.Update(ctx, func(tx engine.Tx) error {
			return fn(func(key, value string) error { return tx.Put(ctx, key, value) })
		})
	})
}

func (s *sqliteStore) Flush(context.Context) error {
	if s.wal == nil {
		return nil // every commit was synced
	}
	return s.wal.Sync()
}

func (s *sqliteStore) Close() error {
	err := s.ticker.Stop()
	if s.wal != nil {
		err = errors.Join(err, s.wal.Close())
	}
	if s.writer != nil {
		err = errors.Join(err, s.writer.Close())
	}
	for len(s.idle) > 0 {
		err = errors.Join(err, (<-s.idle).Close())
	}
	return errors.Join(err, s.db.Close())
}
