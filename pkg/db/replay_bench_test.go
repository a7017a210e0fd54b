package inmem_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/cockroachkvs"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/pkg/codec"
	inmem "github.com/inmem-db/inmem/pkg/db"
)

// pastBench is a database with one run that is looked at, and others beside it.
type pastBench struct {
	dir  string
	db   *inmem.DB
	run  *inmem.Run
	keys int
	// plain is a copy of the store, opened with Pebble alone.
	plain *pebble.DB
	scope codec.Scope
}

const benchPerCommit = 10

// newPastBench fills a database: a run of so many keys, written in commits of ten and once more in
// part, and so many times as much in other runs, whose commits lie between its own.
func newPastBench(b *testing.B, keys, beside int) *pastBench {
	b.Helper()
	ctx := context.Background()
	p := &pastBench{dir: b.TempDir(), keys: keys}
	var err error
	p.db, err = inmem.Open(p.dir, &inmem.Options{SyncInterval: time.Hour, SyncCommits: 1 << 30})
	require.NoError(b, err)
	p.run, err = p.db.BeginRun(ctx, inmem.RunOptions{})
	require.NoError(b, err)
	others := make([]*inmem.Run, max(1, beside))
	for i := range others {
		others[i], err = p.db.BeginRun(ctx, inmem.RunOptions{})
		require.NoError(b, err)
	}
	value := inmem.Bytes(make([]byte, 100))
	write := func(run *inmem.Run, i int) {
		_, err := run.Update(ctx, func(tx *inmem.Tx) error {
			for j := range benchPerCommit {
				key := fmt.Sprintf("user:%032d", uint32((i*benchPerCommit+j)*2654435761))
				if _, err := tx.KV().Put(ctx, key, value); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(b, err)
	}
	for i := range keys / benchPerCommit {
		write(p.run, i)
		for j := range beside {
			write(others[(i+j)%len(others)], i)
		}
	}
	require.NoError(b, p.db.Close())
	p.openPlain(b)
	p.db, err = inmem.Open(p.dir, nil)
	require.NoError(b, err)
	p.run, err = p.db.Run(ctx, p.run.ID())
	require.NoError(b, err)
	b.Cleanup(func() {
		require.NoError(b, p.db.Close())
		require.NoError(b, p.plain.Close())
	})
	return p
}

// openPlain opens a copy of the closed database with Pebble.
func (p *pastBench) openPlain(b *testing.B) {
	b.Helper()
	copied := b.TempDir()
	require.NoError(b, os.CopyFS(copied+"/db", os.DirFS(p.dir)))
	o := &pebble.Options{
		Comparer: &cockroachkvs.Comparer, KeySchema: cockroachkvs.KeySchema.Name,
		KeySchemas:         sstable.MakeKeySchemas(&cockroachkvs.KeySchema),
		FormatMajorVersion: pebble.FormatValueSeparation, Cache: pebble.NewCache(48 << 20),
		Filters: map[string]pebble.FilterPolicy{bloom.FilterPolicy(10).Name(): bloom.FilterPolicy(10)},
	}
	var err error
	p.plain, err = pebble.Open(copied+"/db", o)
	require.NoError(b, err)
	p.scope = 1
}

// scan reads what the run has in the store, as fast as Pebble can.
func (p *pastBench) scan(b *testing.B) (entries int) {
	b.Helper()
	lower, upper := codec.ScopeBounds(p.scope)
	it, err := p.plain.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	require.NoError(b, err)
	size := 0
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			b.Fatal(err)
		}
		size += len(it.Key()) + len(value)
		entries++
	}
	require.NoError(b, it.Close())
	// Beside the values there is at most one record for each commit: those that came together share.
	require.GreaterOrEqual(b, entries, p.keys, "%d bytes", size)
	require.LessOrEqual(b, entries, p.keys+p.keys/benchPerCommit, "%d bytes", size)
	return entries
}

// replay reads all of the run's history, values decoded.
func (p *pastBench) replay(b *testing.B, o inmem.ReplayOptions) {
	b.Helper()
	changes, size := 0, 0
	for c, err := range p.run.Replay(context.Background(), o) {
		if err != nil {
			b.Fatal(err)
		}
		for i := range c.Changes {
			if o.Values == inmem.NoValues {
				changes++
				continue
			}
			v, err := c.Changes[i].Value()
			if err != nil {
				b.Fatal(err)
			}
			size += v.EncodedSize()
			changes++
		}
	}
	require.Equal(b, p.keys, changes)
}

// BenchmarkReplay measures a replay beside a plain scan of the same entries by Pebble, in turns. It
// tells medians, and the ratio of the shortest times, which others on the machine disturb least.
func BenchmarkReplay(b *testing.B) {
	for _, c := range []struct{ keys, beside int }{
		{1000, 0}, {1000, 100}, {100_000, 0}, {100_000, 10},
	} {
		if testing.Short() && c.beside > 0 {
			continue
		}
		b.Run(fmt.Sprintf("keys=%d/beside=%dx", c.keys, c.beside), func(b *testing.B) {
			p := newPastBench(b, c.keys, c.beside)
			p.scan(b)
			p.replay(b, inmem.ReplayOptions{})
			var plain, replay, bare []time.Duration
			b.ResetTimer()
			for range b.N {
				start := time.Now()
				p.scan(b)
				plain = append(plain, time.Since(start))
				start = time.Now()
				p.replay(b, inmem.ReplayOptions{})
				replay = append(replay, time.Since(start))
				start = time.Now()
				p.replay(b, inmem.ReplayOptions{Values: inmem.NoValues})
				bare = append(bare, time.Since(start))
			}
			quietest := float64(slices.Min(plain)) / float64(slices.Min(replay))
			report := func(times []time.Duration, unit string) (median float64) {
				slices.Sort(times)
				median = float64(times[len(times)/2])
				b.ReportMetric(median/float64(c.keys), unit)
				return median
			}
			report(bare, "ns-novalues/change")
			ratio := report(plain, "ns-plain/change") / report(replay, "ns-replay/change")
			b.ReportMetric(ratio, "of-plain-scan")
			b.ReportMetric(quietest, "of-plain-scan-at-best")
		})
	}
}
