package embedded

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// refusedFor demands that an open is refused as damage of a file, and changes nothing.
func refusedFor(t *testing.T, m image, file string) {
	t.Helper()
	o := memOptions()
	fs := m.store(t)
	o.FS, o.SweepInterval = fs, -1
	_, err := Open(ctx, o)
	require.ErrorIs(t, err, codec.ErrCorrupt)
	require.ErrorContains(t, err, file)
	left := loadImage(t, fs)
	for name, data := range m {
		if name != ownerName {
			require.Equal(t, data, left[name], name)
		}
	}
}

// A log that is gone is told by the name that it had, also where nothing proves what was in it: a
// process that had the database open had a log.
func TestDamageNewestLogGone(t *testing.T) {
	for _, proven := range []bool{false, true} {
		c := inOneLog(t, proven)
		refusedFor(t, c.now.with(c.log, nil), c.log)
	}
}

// sealed closes the text of a sentinel.
func sealed(text string) []byte {
	return fmt.Appendf([]byte(text), "crc32c %08x\n", crc32.Checksum([]byte(text), castagnoli))
}

// Of a database that was written before there was the line, the log is not asked for.
func TestSentinelWithoutLog(t *testing.T) {
	s := sentinel{Format: codec.FormatVersion, State: stateOpen, Log: 7}
	text, _, ok := strings.Cut(string(s.encode()), "log 7\n")
	require.True(t, ok)
	_, err := decodeSentinel(sealed(text))
	require.NoError(t, err)
	_, err = decodeSentinel(sealed(text + "log seven\n"))
	require.ErrorIs(t, err, codec.ErrCorrupt)
	found, err := decodeSentinel(s.encode())
	require.NoError(t, err)
	require.Equal(t, s, found)
}

// An old copy of the sentinel has old ceilings: what was handed out above them would be handed out
// again, and two runs would write under the same keys.
func TestDamageOldSentinelKnowsFewerScopes(t *testing.T) {
	mem := disktest.New()
	o := memOptions()
	o.FS, o.Mode, o.SweepInterval = mem, Batched, -1
	db, err := Open(ctx, o)
	require.NoError(t, err)
	before := loadImage(t, mem)
	for range 2*scopeBlock + 1 {
		_, err := db.AllocateScope(ctx)
		require.NoError(t, err)
	}
	s := newScope(t, db, 1)
	commit(t, db, put(s, "key", "of the run with this number"))
	require.NoError(t, db.Flush(ctx))
	killed := loadImage(t, mem)
	require.NoError(t, db.Close())
	closed := loadImage(t, mem)
	for _, now := range []image{killed, closed} {
		refusedFor(t, now.with(sentinelName, before[sentinelName]), sentinelName)
		o.FS = now.store(t)
		db, err := Open(ctx, o)
		require.NoError(t, err)
		next, err := db.AllocateScope(ctx)
		require.NoError(t, err)
		require.Greater(t, next, s.Number)
		require.NoError(t, db.Close())
	}
}

// Damage of the files that Pebble does not name is named.
func TestDamageIsNamed(t *testing.T) {
	now := flushedCase(t, 1, true)
	for _, name := range now.now.names() {
		data := now.now[name]
		switch {
		case strings.HasPrefix(name, optionsPrefix):
			refusedFor(t, now.now.with(name, data[:20]), name)
			other := bytes.Replace(data, []byte("comparer=cockroach"), []byte("comparer=cockroarh"), 1)
			refusedFor(t, now.now.with(name, other), name)
		case strings.HasPrefix(name, formatPrefix):
			refusedFor(t, now.now.with(name, nil), formatPrefix)
		case name == sentinelName:
			s, err := decodeSentinel(data)
			require.NoError(t, err)
			s.Durable--
			refusedFor(t, now.now.with(name, s.encode()), name)
		}
	}
}
