package main

import (
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

func (s *pebbleStore) CAS(ctx context.Context, key, expected, value string) (swapped bool,
	err error) {
	batch := s.db.NewBatch()
	defer func() { err = errors.Join(err, batch.Close()) }()
	s.mu.Lock()
	v, closer, err := s.db.Get(engine.BytesOf(key))
	if err == nil {
		swapped = string(v) == expected
		err = closer.Close()
	} else if errors.Is(err, pebble.ErrNotFound) {
		err = nil
	}
	if err == nil && swapped {
		err = batch.Set(engine.BytesOf(key), engine.BytesOf(value), nil)
		err = errors.Join(err, s.apply(batch))
	}
	s.mu.Unlock()
	if err == nil && swapped && s.sync {
		err = batch.SyncWait()
	}
	return swapped && err == nil, err
}

type pebbleSnapshot struct{ *pebble.Snapshot }

func (s pebbleSnapshot) Get(_ context.Context, key string, dst []byte) ([]byte, bool, error) {
	v, closer, err := s.Snapshot.Get(engine.BytesOf(key))
	return appendOf(dst, v, closer, err)
}

func (s *pebbleStore) View(_ context.Context, fn func(engine.Reader) error) error {
	snapshot := s.db.NewSnapshot()
	return errors.Join(fn(pebbleSnapshot{snapshot}), snapshot.Close())
}

func (s *pebbleStore) Scan(ctx context.Context, prefix, from string,
	each func(key, value string) bool) (err error) {
	it, err := s.db.NewIterWithContext(ctx, &pebble.IterOptions{
		LowerBound: engine.BytesOf(max(prefix, from)), UpperBound: after(prefix),
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if !each(engine.StringOf(it.Key()), engine.StringOf(v)) {
			break
		}
	}
	return it.Error()
}

func (s *pebbleStore) Load(ctx context.Context, n int, at func(int) (key, value string)) error {
	const perBatch = 1000
	for from := 0; from < n; from += perBatch {
		if err := ctx.Err(); err != nil {
			return err
		}
		batch := s.db.NewBatch()
		for i := from; i < min(from+perBatch, n); i++ {
			key, value := at(i)
			if err := batch.Set(engine.BytesOf(key), engine.BytesOf(value), nil); err != nil {
				return errors.Join(err, batch.Close())
			}
		}
		if err := errors.Join(batch.Commit(s.write), batch.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (s *pebbleStore) Flush(context.Context) error { return s.syncLog() }

// Close does not flush the memtable, as Pebble's users know: the next Open replays the log.
func (s *pebbleStore) Close() error { return errors.Join(s.ticker.Stop(), s.db.Close()) }
