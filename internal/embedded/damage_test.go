package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/embedded/disktest"
	"github.com/inmem-db/inmem/pkg/codec"
)

// Every file of a database is damaged in every way, at its head, in its middle and at its end
// (R107, R129, semantics.md 8). The test demands:
//
//  1. what is read is right, or an error that matches ErrCorrupt (or ErrFormat); nothing else;
//  2. only the log of a database that was not closed may lose commits, those beyond the last
//     provable sync, and what was cut off is reported;
//  3. a refused open destroys nothing: when the damaged file is put back, all is there;
//  4. what was lost does not come back under a version that is used again.
func TestDamageMatrix(t *testing.T) {
	for _, c := range damageCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, file := range c.now.names() {
				for _, how := range damages(file, c) {
					t.Run(file+"/"+how.name, func(t *testing.T) { damaged(t, c, file, how) })
				}
			}
		})
	}
}

// image is the content of a directory.
type image map[string][]byte

func (m image) names() []string { return slices.Sorted(maps.Keys(m)) }

func loadImage(t *testing.T, fs vfs.FS) image {
	t.Helper()
	names, err := fs.List("db")
	require.NoError(t, err)
	m := image{}
	for _, n := range names {
		f, err := fs.Open("db/" + n)
		require.NoError(t, err)
		m[n], err = io.ReadAll(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	return m
}

// store makes a file system that holds the image, all of it on stable storage.
func (m image) store(t *testing.T) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	require.NoError(t, fs.MkdirAll("db", 0o755))
	for _, n := range m.names() {
		f, err := fs.Create("db/"+n, vfs.WriteCategoryUnspecified)
		require.NoError(t, err)
		_, err = f.Write(bytes.Clone(m[n])) // a file may change what it is given
		require.NoError(t, err)
		require.NoError(t, errors.Join(f.Sync(), f.Close()))
	}
	return fs
}

// with returns a copy in which one file is replaced; nil is none.
func (m image) with(file string, data []byte) image {
	c := maps.Clone(m)
	if c[file] = data; data == nil {
		delete(c, file)
	}
	return c
}

// damageCase is a database to damage.
type damageCase struct {
	name   string
	now    image
	before image     // an older copy
	what   knowledge // all commits
	last   uint64
	proven uint64 // what the sentinel vouches for
	clean  bool
	// logBegins is the last commit that is in no log any more.
	logBegins uint64
}

// damageCases are one history, closed and killed; killed with all and with little of it proven.
func damageCases(t *testing.T) []*damageCase {
	t.Helper()
	mem := disktest.New()
	all := vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))}
	copyOf := func() image { return loadImage(t, mem.CrashClone(all)) }
	o := memOptions()
	o.FS, o.Mode, o.SweepInterval, o.WriteBuffer = mem, Strict, -1, 64<<10
	db, err := Open(ctx, o)
	require.NoError(t, err)
	known := &ledger{}
	s := newScope(t, db, 1)
	known.note(entry{version: db.Published()}, true)
	damageWork(t, db, s, known, 60)
	before := copyOf()
	require.NoError(t, db.Close())
	db, err = Open(ctx, o)
	require.NoError(t, err)
	s = &backend.Scope{Number: s.Number, Record: s.Record}
	damageWork(t, db, s, known, 90)
	require.NoError(t, db.flushTables())
	require.Eventually(t, func() bool { return db.keeper.proven.Load() == db.Published() },
		10*time.Second, time.Millisecond, "a flush is noted in the sentinel")
	db.keeper.mu.Lock() // from here on nothing more is proven
	damageWork(t, db, s, known, 9)
	make1 := func(name string, clean bool) *damageCase {
		c := &damageCase{name: name, now: copyOf(), before: before, what: known.clone(), clean: clean,
			last: db.Published(), proven: db.keeper.proven.Load(), logBegins: db.flushed.Load()}
		c.what.state(0) // sorts
		return c
	}
	unproven := make1("killed-unproven", false)
	db.keeper.mu.Unlock()
	require.Less(t, unproven.proven, unproven.last)
	require.NoError(t, db.keeper.extend(0, 0))
	proven := make1("killed-proven", false)
	require.Equal(t, proven.last, proven.proven)
	require.NoError(t, db.Close())
	clean := make1("closed", true)
	clean.proven = clean.last
	return []*damageCase{clean, proven, unproven}
}

func damageWork(t *testing.T, db *DB, s *backend.Scope, known *ledger, commits int) {
	t.Helper()
	for i := range commits {
		key := fmt.Sprintf("key-%02d", i*7%23)
		text := fmt.Sprintf("%d-%d-%s", db.Published(), i, strings.Repeat("x", 100*(i%40)))
		w := put(s, key, text)
		if i%9 == 8 {
			w.Op, w.Value, text = backend.Delete, nil, ""
		}
		if out, err := db.Commit(ctx, &backend.Request{Writes: []backend.Write{w}}); out.Version != 0 {
			require.NoError(t, err)
			known.note(entry{out.Version, key, text}, true)
		} else {
			require.NoError(t, err)
		}
	}
}

// damage is one way to spoil a file.
type damage struct {
	name string
	make func([]byte) []byte // nil: the file is gone
}

// damages are all ways to spoil a file that change it.
func damages(file string, c *damageCase) []damage {
	data := c.now[file]
	all := []damage{{"delete", func([]byte) []byte { return nil }}}
	if old, ok := c.before[file]; ok && !bytes.Equal(old, data) {
		all = append(all, damage{"old-copy", func([]byte) []byte { return old }})
	}
	for other, content := range c.now {
		if strings.HasSuffix(file, ".sst") && strings.HasSuffix(other, ".sst") && other != file {
			all = append(all, damage{"is-" + other, func([]byte) []byte { return content }})
		}
	}
	n := len(bytes.TrimRight(data, "\x00")) // the rest was only reserved
	if n == 0 {
		return all
	}
	at := map[string]int{"head": 0, "quarter": n / 4, "middle": n / 2, "tail": n - 1}
	for _, where := range slices.Sorted(maps.Keys(at)) {
		i := at[where]
		all = append(all,
			damage{"flip-" + where, func(b []byte) []byte { b[i] ^= 0x10; return b }},
			damage{"zero-" + where, func(b []byte) []byte {
				clear(b[max(0, min(i, n-64)):min(len(b), max(0, min(i, n-64))+64)])
				return b
			}},
			damage{"cut-" + where, func(b []byte) []byte { return b[:i] }})
	}
	return slices.DeleteFunc(all, func(d damage) bool {
		changed := d.make(bytes.Clone(data))
		return changed != nil && bytes.Equal(changed, data)
	})
}

func damaged(t *testing.T, c *damageCase, file string, how damage) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("%s/%s", file, how.name)
		}
	}()
	o := memOptions()
	o.Mode, o.SweepInterval, o.WriteBuffer = Strict, -1, 64<<10
	spoilt := how.make(bytes.Clone(c.now[file]))
	fs := c.now.with(file, spoilt).store(t)
	o.FS = fs
	db, err := Open(ctx, o)
	if err != nil {
		isDamage(t, err)
		// What is cut at the end of a record shows only in what is missing then.
		if file == sentinelName || strings.HasPrefix(file, manifestPrefix) && how.name[:3] != "cut" {
			require.ErrorContains(t, err, file)
		}
		healed(t, c, loadImage(t, fs), file, o)
		return
	}
	last := db.Published()
	if last != c.last {
		require.Less(t, last, c.last)
		require.False(t, c.clean, "commits are gone without an error: %d of %d", last, c.last)
		require.True(t, isLog(file), "commits are gone without an error: %d of %d", last, c.last)
		require.GreaterOrEqual(t, last, c.proven)
		require.GreaterOrEqual(t, last, c.logBegins, "no longer in the log")
		if strings.HasPrefix(how.name, "flip") || strings.HasPrefix(how.name, "zero") {
			require.NotZero(t, db.Recovery().LogDropped, "a cut must be reported: %d of %d", last, c.last)
			require.Equal(t, file, db.Recovery().LogFile)
		}
	}
	require.Greater(t, db.Recovery().Next, c.last, "a version comes again")
	corrupt := readsRightOrCorrupt(t, db, c, last)
	if corrupt {
		require.True(t, strings.HasSuffix(file, ".sst"), "damage in %s is met late", file)
		_ = db.Close()
		return
	}
	requireTail(t, db)
	require.NoError(t, db.Close())
	db, err = Open(ctx, o)
	require.NoError(t, err)
	require.Equal(t, last, db.Published())
	require.NoError(t, db.Close())
}

func isDamage(t *testing.T, err error) {
	t.Helper()
	require.True(t, errors.Is(err, codec.ErrCorrupt) || errors.Is(err, codec.ErrFormat), "%v", err)
}

// healed puts the good file back into what a refused open has left: everything must be there.
func healed(t *testing.T, c *damageCase, left image, file string, o Options) {
	t.Helper()
	for name := range c.now {
		if name != file && name != ownerName && name != "LOCK" {
			require.Contains(t, left, name, "a refused open deleted a file")
		}
	}
	o.FS = left.with(file, c.now[file]).store(t)
	db, err := Open(ctx, o)
	require.NoError(t, err, "the file is back")
	require.Equal(t, c.last, db.Published())
	require.False(t, readsRightOrCorrupt(t, db, c, c.last))
	require.NoError(t, db.Close())
}

// readsRightOrCorrupt reads every key at some versions, by get and by scan.
func readsRightOrCorrupt(t *testing.T, db *DB, c *damageCase, last uint64) (corrupt bool) {
	t.Helper()
	s := &backend.Scope{Number: 1, Record: scopeName(1)}
	check := func(err error) bool {
		if err != nil {
			isDamage(t, err)
			corrupt = true
		}
		return err == nil
	}
	for _, at := range []uint64{last, last / 2, 10} {
		want := c.what.state(min(at, last))
		for key, text := range want {
			rec, err := db.Get(ctx, s, codec.KV, key, at)
			if check(err) {
				require.Equal(t, text, textOf(t, rec), "%s at %d", key, at)
			}
		}
		got := map[string]string{}
		cur := db.Scan(ctx, s, codec.KV, backend.Range{}, at)
		for cur.Next() {
			got[cur.Key()] = textOf(t, *cur.Record())
		}
		whole := check(cur.Err())
		cur.Close()
		maps.DeleteFunc(want, func(_, v string) bool { return v == "" })
		for key, text := range got {
			require.Equal(t, want[key], text, "%s at %d", key, at)
		}
		if whole {
			require.Len(t, got, len(want))
		}
	}
	return corrupt
}

// textOf is the string in a record; "" stands for absent.
func textOf(t *testing.T, rec backend.Record) string {
	t.Helper()
	if !rec.Exists() {
		return ""
	}
	v, err := codec.DecodeValue(rec.Value)
	require.NoError(t, err)
	text, err := v.AsString()
	require.NoError(t, err)
	return text
}
