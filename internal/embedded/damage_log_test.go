package embedded

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// logCase is a database that was killed with everything in one log.
type logCase struct {
	now    image
	log    string // the name of the log
	length int    // of what was written to it
	what   knowledge
	last   uint64
	proven uint64
}

// inOneLog makes commits of one, of several and of many keys.
func inOneLog(t *testing.T, proven bool) *logCase {
	t.Helper()
	mem := disktest.New()
	o := memOptions()
	o.FS, o.Mode, o.SweepInterval = mem, Strict, -1
	db, err := Open(ctx, o)
	require.NoError(t, err)
	known := &ledger{}
	s := newScope(t, db, 1)
	known.note(entry{version: db.Published()}, true)
	for i := range 25 {
		var writes []backend.Write
		var keys []string
		text := fmt.Sprintf("%d-%s", i, strings.Repeat("y", i*i%300))
		for j := range 1 + i%4*3 {
			keys = append(keys, fmt.Sprintf("key-%d", (i+j*5)%17))
			writes = append(writes, put(s, keys[j], text))
		}
		version := commit(t, db, writes...)
		for _, k := range keys {
			known.note(entry{version, k, text}, true)
		}
	}
	if proven {
		require.NoError(t, db.keeper.extend(0, 0))
	}
	c := &logCase{what: known.clone(), last: db.Published(), proven: db.keeper.proven.Load()}
	c.now = loadImage(t, mem.CrashClone(vfs.CrashCloneCfg{}))
	require.NoError(t, db.Close())
	for _, name := range c.now.names() {
		if n := len(bytes.TrimRight(c.now[name], "\x00")); isLog(name) && n > c.length {
			c.log, c.length = name, n
		}
	}
	require.Greater(t, c.length, 10_000)
	return c
}

func (c *logCase) open(t *testing.T, log []byte) (*DB, *vfs.MemFS, error) {
	t.Helper()
	o := memOptions()
	o.Mode, o.SweepInterval = Strict, -1
	fs := c.now.with(c.log, log).store(t)
	o.FS = fs
	db, err := Open(ctx, o)
	return db, fs, err
}

// stride is how many bytes a short form goes on at a time.
func stride() int {
	switch {
	case os.Getenv("INMEM_CRASH_ROUNDS") != "": // make crash
		return 1
	case os.Getenv("INMEM_LONG") != "":
		return 11
	case testing.Short():
		return 1021
	}
	return 101
}

// R108, R129: a log cut at any byte gives a prefix of the commits, the longer the log the more of
// them; one that ends before what was proved to be durable is refused.
func TestDamageLogCutAtEveryByte(t *testing.T) {
	for _, proven := range []bool{false, true} {
		t.Run(fmt.Sprintf("proven=%t", proven), func(t *testing.T) {
			t.Parallel()
			c := inOneLog(t, proven)
			var before uint64
			opened := false
			for n := 0; n <= c.length; n += min(stride(), max(1, c.length-n)) {
				db, _, err := c.open(t, c.now[c.log][:n])
				if err != nil {
					require.ErrorIs(t, err, codec.ErrCorrupt, "cut at %d", n)
					require.False(t, opened, "cut at %d: refused, yet a shorter one was not", n)
					continue
				}
				opened = true
				last := db.Published()
				require.GreaterOrEqual(t, last, max(before, c.proven), "cut at %d", n)
				require.Greater(t, db.Recovery().Next, c.last)
				if last > 0 {
					holds(t, db, c.what.state(last), last)
				}
				before = last
				require.NoError(t, db.Close())
			}
			require.Equal(t, c.last, before)
		})
	}
}

// R107, R129: a flipped bit anywhere in the log gives an error, or a prefix with a report of what
// was cut off, or no difference; never a wrong value, and never less than what was proved.
func TestDamageLogBitFlips(t *testing.T) {
	for _, proven := range []bool{false, true} {
		t.Run(fmt.Sprintf("proven=%t", proven), func(t *testing.T) {
			t.Parallel()
			c := inOneLog(t, proven)
			cuts, refused := 0, 0
			for n := 0; n < c.length; n += stride() {
				db, _, err := c.open(t, flipped(c.now[c.log], n, 1<<(n%8)))
				if err != nil {
					refused++
					require.ErrorIs(t, err, codec.ErrCorrupt, "flip at %d", n)
					require.ErrorContains(t, err, strings.TrimSuffix(c.log, ".log"), "flip at %d", n)
					continue
				}
				last := db.Published()
				require.GreaterOrEqual(t, last, c.proven)
				require.Greater(t, db.Recovery().Next, c.last)
				if last < c.last {
					cuts++
					r := db.Recovery()
					require.Equal(t, c.log, r.LogFile)
					require.NotZero(t, r.LogDropped, "flip at %d: a cut without a report", n)
					require.LessOrEqual(t, r.LogOffset, int64(n))
				}
				if last > 0 {
					holds(t, db, c.what.state(last), last)
				}
				require.NoError(t, db.Close())
			}
			t.Logf("%d cuts, %d refused", cuts, refused)
			if proven {
				require.Zero(t, cuts)
			}
		})
	}
}

// A log that is refused is not lost: with the good file back, all is there.
func TestDamageLogRefusedThenHealed(t *testing.T) {
	c := inOneLog(t, true)
	for name, spoilt := range map[string][]byte{
		"flip":  flipped(c.now[c.log], c.length/2, 1),
		"cut":   c.now[c.log][:c.length/2],
		"empty": {},
		"gone":  nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, fs, err := c.open(t, spoilt)
			require.ErrorIs(t, err, codec.ErrCorrupt)
			if spoilt != nil { // which file is not there nobody can know
				require.ErrorContains(t, err, c.log)
			}
			require.ErrorContains(t, err, ".log")
			left := loadImage(t, fs)
			for _, file := range c.now.names() {
				if file != c.log && file != ownerName {
					require.Equal(t, c.now[file], left[file], "%s was changed by a refused open", file)
				}
			}
			o := memOptions()
			o.FS = left.with(c.log, c.now[c.log]).store(t)
			db, err := Open(ctx, o)
			require.NoError(t, err)
			require.Equal(t, c.last, db.Published())
			holds(t, db, c.what.state(c.last), c.last)
			require.NoError(t, db.Close())
		})
	}
}

func flipped(data []byte, at int, bits byte) []byte {
	c := bytes.Clone(data)
	c[at] ^= bits
	return c
}
