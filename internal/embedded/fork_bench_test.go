package embedded

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

const benchKeys = 100_000

// forksOf opens a database with a parent of many keys and a line of forks of it, the last of which
// has written some keys of its own.
func forksOf(b *testing.B, depth int) (db *DB, line []forked) {
	o := memOptions()
	o.Mode, o.SweepInterval, o.WriteBuffer = None, -1, 64<<20
	db = mustOpen(b, o)
	line = []forked{run(newScope(b, db, 1), 1)}
	fill(b, db, line[0].Scope, benchKeys)
	for range depth {
		f := fork(b, db, line[len(line)-1], db.Published())
		commit(b, db, put(f.Scope, "key/00000500", "own"), put(f.Scope, "own", "own"))
		line = append(line, f)
	}
	return db, line
}

func BenchmarkForkBegin(b *testing.B) {
	db, line := forksOf(b, 0)
	b.Run("fork", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, r, err := newFork(db, line[0], db.Published())
			require.NoError(b, err)
			if _, err := db.Commit(ctx, r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("ordinary", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			f, r, err := newFork(db, line[0], 0)
			require.NoError(b, err)
			f.rec.ParentNumber = 0
			r.Writes[0] = f.record()
			if _, err := db.Commit(ctx, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkForkGet(b *testing.B) {
	for _, depth := range []int{0, 1, 2, 8} {
		db, line := forksOf(b, depth)
		s, at := line[depth].Scope, db.Published()
		for _, c := range []struct{ name, key string }{
			{"inherited", "key/00040000"}, {"own", "own"}, {"absent", "key/00040000x"},
		} {
			b.Run(fmt.Sprintf("depth=%d/%s", depth, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := db.Get(ctx, s, codec.KV, c.key, at); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkForkScan100(b *testing.B) {
	for _, depth := range []int{0, 1, 2, 8} {
		db, line := forksOf(b, depth)
		s, at := line[depth].Scope, db.Published()
		r := backend.Range{Start: "key/00000450", End: "key/00000550"}
		b.Run(fmt.Sprintf("depth=%d", depth), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				n := 0
				c := db.Scan(ctx, s, codec.KV, r, at)
				for c.Next() {
					n++
				}
				c.Close()
				if n != 100 {
					b.Fatal(n)
				}
			}
		})
	}
}
