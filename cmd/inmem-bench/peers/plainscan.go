package main

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"

	"github.com/inmem-db/inmem/cmd/inmem-bench/internal/rows"
)

// plain reads the files of in-mem with Pebble alone.
type plain struct{ db *pebble.DB }

// openPlain opens the files of a database that is closed, as in-mem does.
func openPlain(dir string) (rows.Plain, error) {
	cache := pebble.NewCache(48 << 20)
	defer cache.Unref()
	db, err := pebble.Open(dir, &pebble.Options{
		Comparer: &cockroachkvs.Comparer, KeySchema: cockroachkvs.KeySchema.Name,
		KeySchemas:         sstable.MakeKeySchemas(&cockroachkvs.KeySchema),
		FormatMajorVersion: pebble.FormatValueSeparation, Cache: cache, Logger: quietLogger{},
		Filters: map[string]pebble.FilterPolicy{bloom.FilterPolicy(10).Name(): bloom.FilterPolicy(10)},
	})
	return &plain{db}, err
}

func (p *plain) Scan(lower, upper []byte) (entries, size int, err error) {
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return 0, 0, err
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return entries, size, errors.Join(err, it.Close())
		}
		entries++
		size += len(value)
	}
	return entries, size, it.Close()
}

func (p *plain) Close() error { return p.db.Close() }
