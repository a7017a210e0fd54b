package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// GatherOptions say what Gather reads, and where it writes.
type GatherOptions struct {
	// From is the directory of a damaged database. Nothing in it is changed.
	From string
	// To is a directory that does not exist, and in which Gather makes a store.
	To string
	// FS replaces the file system (tests).
	FS vfs.FS

	_ struct{}
}

// Gathered is what Gather has read.
type Gathered struct {
	Files []GatheredFile
	// Newest is the version of the newest commit that was found, Durable what the sentinel says was
	// on stable storage; 0 if it cannot be read.
	Newest, Durable uint64

	_ struct{}
}

// GatheredFile is a file of the damaged database, and what could be read of it.
type GatheredFile struct {
	Name    string
	Bytes   int64
	Records uint64
	// Damage says what could not be read; empty if all could.
	Damage string
}

// Gather reads every table and every log of a directory by itself, whatever the MANIFEST and the
// sentinel say or whether they are there, and puts all records that can be read into a new store,
// which Open opens. What could not be read is missing in it, and so are the checks that would have
// refused it: whoever goes on with it has to look what of it is whole.
//
// Records are versions, and a version is written once; so it does not matter in which order files
// are read, nor that some were replaced long ago. What housekeeping had removed may come back:
// versions below horizons, which the horizons still hide, keys of deleted scopes, which no record
// names, and entries of the index of runs. Records of commits that have come back go again.
//
// Errors: codec.ErrInvalidArgument if there is nothing to read, or To exists; backend.ErrLocked,
// backend.ErrStorage, ctx's. Damage is no error.
func Gather(ctx context.Context, o GatherOptions) (Gathered, error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	g := &gathering{
		ctx: ctx, o: &o, horizons: map[codec.Scope][]byte{}, newest: map[codec.Scope]uint64{},
		commits: map[uint64][]byte{},
	}
	err := g.run()
	if err != nil {
		err = fmt.Errorf("gather %s: %w", o.From, err)
	}
	found := Gathered{Files: g.files, Newest: g.last}
	if s, failed := readSentinel(o.FS, o.From); failed == nil {
		found.Durable = s.Durable
	}
	return found, err
}

// gathering is one Gather under way.
type gathering struct {
	ctx   context.Context
	o     *GatherOptions
	db    *DB // the new one; not open: for its options
	store *pebble.DB
	batch *pebble.Batch
	files []GatheredFile

	last, lastTime uint64            // the newest commit record, and its time
	commits        map[uint64][]byte // what the batch has under keys of commit records
	version        uint64            // the greatest version of any record
	scope          codec.Scope
	// The horizon record of a scope is written over; the one that rose highest is the last.
	horizons map[codec.Scope][]byte
	newest   map[codec.Scope]uint64
}

func (g *gathering) run() error {
	names, release, err := g.source()
	if err != nil {
		return err
	}
	defer release()
	if err := g.begin(); err != nil {
		return err
	}
	for _, name := range names {
		if err = g.ctx.Err(); err != nil {
			break
		}
		if strings.HasSuffix(name, ".sst") {
			err = g.table(name)
		} else {
			err = g.log(name)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = g.finish()
	}
	if err = errors.Join(err, closePebble(g.store)); err == nil {
		err = g.seal()
	}
	g.db.cache.Unref()
	return err
}

// source lists the tables and logs, and keeps the directory from being opened meanwhile.
func (g *gathering) source() (names []string, release func(), err error) {
	vfsys, dir := g.o.FS, g.o.From
	all, err := vfsys.List(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", codec.ErrInvalidArgument, err)
	}
	for _, name := range all {
		if isStoreFile(name) && (strings.HasSuffix(name, ".sst") || isLog(name)) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil, fmt.Errorf("%w: there are no tables and no logs in it",
			codec.ErrInvalidArgument)
	}
	if _, err := vfsys.Stat(g.o.To); !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("%w: %s exists", codec.ErrInvalidArgument, g.o.To)
	}
	slices.Sort(names)
	if !slices.Contains(all, lockName) {
		return names, func() {}, nil // locking would make the file
	}
	lock, err := vfsys.Lock(vfsys.PathJoin(dir, lockName))
	if err != nil {
		return nil, nil, fmt.Errorf("%w by process %s: close it there (%v)", backend.ErrLocked,
			readOwner(vfsys, dir), err)
	}
	return names, func() { _ = lock.Close() }, nil
}

// begin opens the new store.
func (g *gathering) begin() error {
	g.db = newDB(Options{
		Dir: g.o.To, FS: g.o.FS, Mode: Strict, CacheSize: 1, Logger: slog.New(slog.DiscardHandler),
	})
	g.db.cache = pebble.NewCache(g.db.opts.CacheSize)
	if err := makeDir(g.o.FS, g.o.To); err != nil {
		return placeFailed(err)
	}
	o := g.db.pebbleOptions(false)
	// A failing disk ends the whole, and nothing of it is kept: no guard is needed, and no log.
	o.FS, o.DisableWAL, o.EventListener = g.o.FS, true, nil
	var err error
	if g.store, err = openPebble(g.o.To, o); err != nil {
		return placeFailed(err)
	}
	g.batch = g.store.NewBatch()
	return nil
}

// gatherBatch is how many bytes are written at once.
const gatherBatch = 4 << 20

// take takes over a record.
func (g *gathering) take(key, value []byte) (bool, error) {
	if codec.CheckKey(key) != nil {
		return false, nil
	}
	if version, err := codec.DecodeCommitKey(key); err == nil {
		last, scope, err := readCommits(version, value)
		if err != nil {
			return false, nil
		}
		g.scope = max(g.scope, scope)
		if version > g.last {
			g.last, g.lastTime = version, uint64(last)
		}
		return true, g.setCommits(version, key, value)
	}
	n, p, user, version, err := codec.DecodeKey(key)
	if err == nil {
		err = opens(n, p, user, version, value)
	}
	if err != nil {
		return false, nil
	}
	g.scope, g.version = max(g.scope, n, named(n, p, value)), max(g.version, version)
	if version != 0 {
		return true, g.set(key, value)
	}
	if n == codec.SystemScope || p != codec.Horizons {
		return false, nil
	}
	env, err := codec.DecodeEnvelope(value)
	if err != nil {
		return false, nil
	}
	rec, err := codec.DecodeHorizonRecord(env.Payload)
	if err != nil {
		return false, nil
	}
	if newest := backend.Horizons(rec.Horizons).Newest(); newest >= g.newest[n] {
		g.newest[n], g.horizons[n] = newest, slices.Clone(value)
	}
	return true, nil
}

// opens tells whether Open can go by a record: there it is an error if it cannot.
func opens(
	n codec.Scope, p codec.Primitive, user []byte, version uint64, value []byte,
) (err error) {
	switch {
	case n == codec.SystemScope && p == codec.Commits:
		err = codec.ErrCorrupt // one that can be read is known by its whole key
	case n == codec.SystemScope && p == codec.Graveyard:
		_, err = codec.DecodeGraveUserKey(string(user))
	case p == codec.Events:
		_, _, err = codec.DecodeJournalUserKey(user)
	case p == codec.Journal:
		number, part, err := codec.DecodeJournalUserKey(user)
		if err != nil || part > 0 {
			return err
		}
		records := codec.OpenGroup(version, value)
		count := uint64(0)
		for records.Next() {
			count++
		}
		if err = records.Err(); err == nil && (count == 0 || count > number) {
			err = fmt.Errorf("%w: %d records up to number %d", codec.ErrCorrupt, count, number)
		}
		return err
	}
	return err
}

// named is the greatest scope that a record of one names: its own number, which no key needs to
// have, and its parent's, which may be gone.
func named(n codec.Scope, p codec.Primitive, value []byte) codec.Scope {
	if n != codec.SystemScope || p != codec.ScopeRecords {
		return 0
	}
	env, err := codec.DecodeEnvelope(value)
	if err != nil || env.Tombstone {
		return 0
	}
	rec, err := codec.DecodeScopeRecord(env.Payload)
	if err != nil {
		return 0
	}
	return max(rec.Number, rec.ParentNumber)
}

// readCommits reads all commit records under one key, and returns the time of the last one and the
// greatest scope that they name.
func readCommits(version uint64, value []byte) (last int64, greatest codec.Scope, err error) {
	err = eachInGroup(version, value, func(rec codec.CommitRecord, err error) error {
		last = rec.Time
		for _, s := range rec.Scopes {
			greatest = max(greatest, s.Scope)
		}
		return err
	})
	return last, greatest, err
}

func (g *gathering) set(key, value []byte) error {
	if err := g.batch.Set(key, value, nil); err != nil {
		return err
	}
	if g.batch.Len() < gatherBatch {
		return nil
	}
	return g.apply()
}

func (g *gathering) apply() error {
	if err := g.batch.Commit(pebble.NoSync); err != nil {
		return placeFailed(err)
	}
	if err := g.batch.Close(); err != nil {
		return err
	}
	g.batch = g.store.NewBatch()
	clear(g.commits)
	return g.ctx.Err()
}

// finish writes what was held back, and moves everything into tables.
func (g *gathering) finish() error {
	for _, n := range sortedKeys(g.horizons) {
		if err := g.set(codec.HorizonKey(n), g.horizons[n]); err != nil {
			return err
		}
	}
	if g.version > g.last {
		// Its commit record is lost. Readers see what lies below the newest one.
		rec := codec.CommitRecord{Version: g.version, Previous: g.last, Time: int64(g.lastTime)}
		key := codec.AppendCommitKey(nil, g.version)
		if err := g.set(key, codec.AppendCommitRecord(nil, rec)); err != nil {
			return err
		}
		g.last = g.version
	}
	if err := g.apply(); err != nil {
		return err
	}
	if err := g.relink(); err != nil {
		return err
	}
	if err := errors.Join(g.apply(), g.batch.Close()); err != nil {
		return err
	}
	return placeFailed(g.store.Flush())
}

// seal writes the sentinel of a closed database.
func (g *gathering) seal() error {
	name, err := currentManifest(g.o.FS, g.o.To)
	if err != nil {
		return err
	}
	whole, err := scanManifest(g.o.FS, g.o.To, name, true)
	if err != nil {
		return err
	}
	id, err := uuid.NewRandom()
	if err != nil {
		return err
	}
	return placeFailed(writeSentinel(g.o.FS, g.o.To, sentinel{
		Format: codec.FormatVersion, ID: id.String(), State: stateClean, Durable: g.last,
		Flushed: g.last, Versions: g.last, Scopes: uint64(g.scope), Manifest: name,
		ManifestSize: uint64(whole),
	}))
}
