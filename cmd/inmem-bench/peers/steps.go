package main

import (
	"context"
	"errors"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/engine"
)

// casIn is compare-and-set for an engine that has none of its own: a transaction.
func casIn(ctx context.Context, s engine.Store, key, expected, value string) (swapped bool,
	err error) {
	err = s.Update(ctx, func(tx engine.Tx) error {
		swapped = false
		got, found, err := tx.Get(ctx, key, nil)
		if err != nil || !found || string(got) != expected {
			return err
		}
		swapped = true
		return tx.Put(ctx, key, value)
	})
	if errors.Is(err, engine.ErrConflict) {
		return false, nil
	}
	return swapped && err == nil, err
}

// loadIn loads in transactions of many keys.
func loadIn(ctx context.Context, n int, at func(int) (key, value string),
	update func(func(put func(key, value string) error) error) error) error {
	const perTxn = 10_000
	for from := 0; from < n; from += perTxn {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := update(func(put func(key, value string) error) error {
			for i := from; i < min(from+perTxn, n); i++ {
				key, value := at(i)
				if err := put(key, value); err != nil {
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

// after is the first key behind all that begin with a prefix; nil if there is none.
func after(prefix string) []byte {
	end := []byte(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}
