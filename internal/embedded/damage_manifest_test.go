package embedded

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
)

// A MANIFEST that was cut lists fewer tables. Cut at the end of a record it looks whole; cut
// anywhere in a database that was not closed it looks like a torn end. What the missing tables held
// was committed: an error, or all of the data, and never an older value in place of a newer one.
func TestDamageManifestCutAtEveryByte(t *testing.T) {
	for _, flushes := range []int{1, 3} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("flushes=%d/closed=%t", flushes, closed), func(t *testing.T) {
				t.Parallel()
				c := flushedCase(t, flushes, closed)
				file := c.manifest()
				for n := 0; n < len(c.now[file]); n += 1 + stride()/8 {
					cut := func(b []byte) []byte { return b[:n] }
					damaged(t, c, file, damage{fmt.Sprintf("cut-%d", n), cut})
				}
			})
		}
	}
}

// A flipped bit in a MANIFEST is found, also where it makes a record look like a torn one: that of
// a length.
func TestDamageManifestBitFlips(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprintf("closed=%t", closed), func(t *testing.T) {
			t.Parallel()
			c := flushedCase(t, 1, closed)
			file := c.manifest()
			for n := 0; n < len(c.now[file]); n += 1 + stride()/16 {
				flip := func(b []byte) []byte { return flipped(b, n, 0x80) }
				damaged(t, c, file, damage{fmt.Sprintf("flip-%d", n), flip})
			}
		})
	}
}

// manifest is the name of the newest MANIFEST.
func (c *damageCase) manifest() (file string) {
	for _, name := range c.now.names() {
		if strings.HasPrefix(name, manifestPrefix) {
			file = name
		}
	}
	return file
}

// dropOldLogs takes away the logs whose commits are all in tables. Pebble keeps one or two of them
// for another use, so they may be there or not.
func (c *damageCase) dropOldLogs() {
	var newest string
	for _, name := range c.now.names() {
		if isLog(name) {
			delete(c.now, newest)
			newest = name
		}
	}
}

// flushedCase is a database in its second life, with some of its commits in tables that were
// written in this life, and some in the log.
func flushedCase(t *testing.T, flushes int, closed bool) *damageCase {
	t.Helper()
	mem := disktest.New()
	o := memOptions()
	o.FS, o.Mode, o.SweepInterval = mem, Strict, -1
	db, err := Open(ctx, o)
	require.NoError(t, err)
	known := &ledger{}
	s := newScope(t, db, 1)
	known.note(entry{version: db.Published()}, true)
	damageWork(t, db, s, known, 30)
	require.NoError(t, db.Close())
	db, err = Open(ctx, o)
	require.NoError(t, err)
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	for range flushes {
		damageWork(t, db, s, known, 25)
		require.NoError(t, db.flushTables())
	}
	damageWork(t, db, s, known, 5)
	require.NoError(t, db.keeper.extend(0, 0))
	c := &damageCase{what: known.clone(), clean: closed, last: db.Published(),
		proven: db.Published(), logBegins: db.flushed.Load()}
	c.what.state(0) // sorts
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}
	if closed {
		require.NoError(t, db.Close())
	}
	c.now = loadImage(t, mem.CrashClone(all))
	if !closed {
		require.NoError(t, db.Close())
	}
	c.dropOldLogs()
	damaged(t, c, ownerName, damage{"none", func(b []byte) []byte { return b }})
	return c
}
