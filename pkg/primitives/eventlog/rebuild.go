package eventlog

import (
	"context"

	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// IndexRepair says what RebuildIndex has done.
type IndexRepair struct {
	// Added and Removed count the entries that were missing, and those that were surplus.
	Added, Removed uint64
}

// repairPage is how many events, or index entries, one transaction of a repair looks at.
const repairPage = 256

// RebuildIndex makes the index of events by type what the log says, and tells what it changed: on a
// good index nothing, so it may be repeated. The log itself is only read. It works on a run that
// has ended too, for an index is no data of the run; and beside appends, which bring their own
// entries.
//
// Outside a transaction it commits in steps of bounded size. After an error, or a crash, the steps
// before it last, and calling it again finishes the work. Inside a transaction it is part of that
// one and its limits. Cost: as VerifyIndex, and the writes. Errors: also codec.ErrCorrupt for an
// event that cannot be read, since nobody can tell its type.
func (l Log) RebuildIndex(ctx context.Context) (IndexRepair, error) {
	var done IndexRepair
	// Only up to the length at the start: whoever looks beyond meets those who append.
	length, _, err := l.scope.EventHead(ctx)
	for start := uint64(0); err == nil && start < length; start += repairPage {
		var n uint64
		n, err = l.addMissing(ctx, start, min(start+repairPage, length))
		done.Added += n
	}
	for from, more := "", true; err == nil && more; {
		var n uint64
		n, from, err = l.removeSurplus(ctx, from)
		done.Removed += n
		more = from != ""
	}
	return done, l.wrap("rebuild index", "", err)
}

// addMissing adds the entries that events with start <= seq < end lack. REQUIRES: start < end.
func (l Log) addMissing(ctx context.Context, start, end uint64) (uint64, error) {
	var keys []string
	_, err := l.scope.Atomic(ctx, func(s txn.Scope) error {
		keys = nil
		for at, err := range New(s).checkEvents(ctx, start, end) {
			if err != nil {
				return err
			}
			if !at.good {
				keys = append(keys, at.Key)
			}
		}
		for _, key := range keys {
			if _, err := s.Put(ctx, codec.Events.Index(), key, indexValue, 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return uint64(len(keys)), nil
}

// removeSurplus looks at a page of index entries, removes those that are surplus, and returns where
// the next page begins; empty if this was the last.
func (l Log) removeSurplus(ctx context.Context, from string) (n uint64, next string, err error) {
	var keys []string
	_, err = l.scope.Atomic(ctx, func(s txn.Scope) error {
		keys, next = nil, ""
		seen := 0
		for at, err := range New(s).checkEntries(ctx, from) {
			if err != nil {
				return err
			}
			if !at.good {
				keys = append(keys, at.Key)
			}
			if seen++; seen == repairPage {
				next = at.Key + "\x00" // the smallest key behind it
				break
			}
		}
		for _, key := range keys {
			if _, err := s.Delete(ctx, codec.Events.Index(), key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, "", err
	}
	return uint64(len(keys)), next, nil
}
