package inmem

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/bundle"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// ImportOptions configure ImportRun. The zero value imports the run as it was.
type ImportOptions struct {
	// ID gives the run another id; default: the one that it had.
	ID string
	// Tenant, App and Agent, where not empty, put it into another namespace.
	Tenant, App, Agent string
	// Progress, if not nil, is called behind every commit that was imported.
	Progress func(BundleProgress)

	_ struct{}
}

// ImportRun makes a run of a bundle that ExportRun wrote. It never overwrites: an id that is taken
// is ErrRunExists. Nothing is imported before all of the bundle has been read and found whole, and
// nothing of the run can be seen before all of it is there; it appears in one commit. An error, or
// a crash in the middle, leaves nothing behind: what was written is removed then, or with the next
// Open or ImportRun, and the id is free again.
//
// A Watch of the database tells the commits of the run as they are written.
//
// The run has the status, tags, metadata and times that it had, and every one of its commits, with
// new versions. Those that they had are kept: Commit.Origin shows them, Run.AtTime goes by their
// times, and what views of the past show as expired is judged by them. Events have their times and
// hashes, so the chain proves the same as before. The id of its parent is kept, but it is nobody's
// child. StateHash was compared with the bundle's.
//
// The bundle is read twice. If r cannot seek, it is copied into a temporary file meanwhile.
// Memory: some megabytes and the largest commit. Others commit as ever; in Strict every commit of
// the run waits for the disk like any other.
//
// Errors: ErrCorrupt naming the place, ErrFormat for a bundle of a newer version of this library,
// ErrRunExists, ErrInvalidArgument, ErrTooLarge, ErrTimeout, ErrCanceled, those of r and of
// Tx.Commit.
func (d *DB) ImportRun(ctx context.Context, r io.Reader, o ImportOptions) (*Run, error) {
	run, err := d.importRun(ctx, r, &o)
	if err != nil {
		return nil, fmt.Errorf("import run: %w", txn.ContextError(err))
	}
	return run, nil
}

func (d *DB) importRun(ctx context.Context, r io.Reader, o *ImportOptions) (*Run, error) {
	if r == nil {
		return nil, fmt.Errorf("%w: no reader", ErrInvalidArgument)
	}
	if err := d.dropImports(ctx); err != nil {
		return nil, err
	}
	spool, err := newSpool(r)
	if err != nil {
		return nil, err
	}
	defer spool.close()
	x := importing{d: d, ctx: ctx, o: o}
	info, err := verifyBundle(ctx, spool.first(), x.prepare)
	if err != nil {
		return nil, err
	}
	again, err := spool.second()
	if err != nil {
		return nil, err
	}
	if err := x.create(); err != nil {
		return nil, err
	}
	defer d.imports.end(x.run.scope.Number)
	err = x.fill(again, &info)
	if err == nil {
		err = x.finish()
	}
	if err != nil {
		x.drop()
		return nil, fmt.Errorf("%s: %w", x.run.id, err)
	}
	return x.run, nil
}

// importing is one import under way.
type importing struct {
	d      *DB
	ctx    context.Context
	o      *ImportOptions
	run    *Run
	record codec.ScopeRecord // that it will have
	total  uint64

	// direct: the commits are made as new ones of a scope that is no import; see Salvage.
	direct  bool
	version uint64 // of the last commit, here
	request backend.Request
	deletes int
	expires int
}

// prepare decides what the run's record will be, before anything is written. It refuses an id that
// is taken early; create does it for good.
func (x *importing) prepare(r *bundle.Run) (err error) {
	rec := r.Record
	if x.o.ID != "" {
		if rec.ID, err = runindex.ParseID(x.o.ID); err != nil {
			return err
		}
	}
	for _, name := range []struct{ to, from *string }{
		{&rec.Tenant, &x.o.Tenant}, {&rec.App, &x.o.App}, {&rec.Agent, &x.o.Agent},
	} {
		if *name.from != "" {
			*name.to = *name.from
		}
	}
	n := runindex.NewRun{
		Tenant: rec.Tenant, App: rec.App, Agent: rec.Agent, Tags: rec.Tags, Metadata: rec.Metadata,
	}
	if err := n.Check(); err != nil {
		return err
	}
	rec.Imported, rec.Flattened = r.Commits, rec.ForkVersion != 0
	x.record, x.total = rec, r.Commits
	id := uuid.UUID(rec.ID).String()
	if _, err = x.d.scopeRecord(x.ctx, id); err == nil {
		return fmt.Errorf("%s: %w", id, ErrRunExists)
	} else if errors.Is(err, ErrRunNotFound) {
		err = nil
	}
	return err
}

// create takes the id, with a scope that nobody sees.
func (x *importing) create() error {
	number, err := x.d.b.AllocateScope(x.ctx)
	if err != nil {
		return err
	}
	id := uuid.UUID(x.record.ID).String()
	s := &backend.Scope{Number: number, Record: id, Imported: true}
	x.record.Number = number
	x.run = &Run{d: x.d, id: id, scope: s}
	x.d.imports.begin(number)
	_, err = x.d.m.Update(x.ctx, x.d.system, housekeeping, func(t *txn.Tx) error {
		t.CreateScope(s)
		return runindex.BeginImport(x.ctx, t.Scope(x.d.system), x.d.epoch, x.run.ref())
	})
	if errors.Is(err, runindex.ErrRunExists) {
		err = ErrRunExists
	}
	if err == nil {
		return nil
	}
	x.drop() // the outcome may not be known
	x.d.imports.end(number)
	return fmt.Errorf("%s: %w", id, err)
}

// fill writes the history, and demands that it is the one that was verified.
func (x *importing) fill(in io.Reader, verified *BundleInfo) error {
	info, err := walkBundle(x.ctx, in, x)
	if err != nil {
		return err
	}
	if info.Digest != verified.Digest {
		return fmt.Errorf("%w: the bundle has changed while it was imported", ErrCorrupt)
	}
	hash, err := x.run.StateHash(x.ctx, x.version)
	if err == nil && hash != verified.StateHash {
		err = fmt.Errorf("%w: the bundle makes a run with state hash %v, expected %v", ErrCorrupt,
			hash, verified.StateHash)
	}
	if err == nil {
		err = x.d.agree(x.ctx, x.run.scope)
	}
	return err
}

// finish makes a run of it.
func (x *importing) finish() error {
	_, err := x.d.m.Update(x.ctx, x.d.system, housekeeping, func(t *txn.Tx) error {
		return runindex.FinishImport(x.ctx, t.Scope(x.d.system), x.d.epoch, x.record)
	})
	return err
}

// drop takes back what was written. If that fails, the next Open or ImportRun does it.
func (x *importing) drop() {
	ctx := context.WithoutCancel(x.ctx)
	if err := x.d.dropImport(ctx, x.run.ref()); err != nil && !errors.Is(err, ErrClosed) {
		x.d.options.Logger.LogAttrs(ctx, slog.LevelWarn, "what is left of an import stays for now",
			slog.String("run", x.run.id), slog.Any("error", err))
	}
}

// begin implements bundleVisitor.
func (x *importing) begin(*bundle.Run) error { return nil }

// change implements bundleVisitor: it adds to the commit under way.
func (x *importing) change(c *bundle.Change) error {
	s, r := x.run.scope, &x.request
	value := append([]byte(nil), c.Value...)
	if c.Op == codec.ChangeAppend {
		r.Appends = append(r.Appends, backend.Append{
			Scope: s, Type: c.Type, Payload: value, Digest: codec.PayloadDigest(value),
		})
		return nil
	}
	w := backend.Write{
		Scope: s, Primitive: c.Primitive, Key: string([]byte(c.Key)), Op: backend.Put, Value: value,
		Expiry: c.Expiry,
	}
	var before backend.Record
	var err error
	if c.Op == codec.ChangeExpire || c.Primitive == codec.Traces {
		before, err = x.d.b.Get(x.ctx, s, c.Primitive, w.Key, x.d.b.Published())
	}
	switch c.Op {
	case codec.ChangeDelete:
		w.Op, w.Value = backend.Delete, nil
		x.deletes++
	case codec.ChangeExpire:
		if x.direct { // it may have expired here, too
			w.Op, w.Value, w.Expiry = backend.Delete, nil, 0
			break
		}
		w.Op, w.Value, w.Expiry, w.Stamp = backend.Expire, nil, before.Expiry, before.Stamp
		x.expires++
	}
	r.Writes = append(r.Writes, w)
	if err == nil && c.Primitive == codec.Traces {
		err = x.derive(w.Key, before.Value, w.Value)
	}
	return err
}

// derive writes the index entries of a span that has changed.
func (x *importing) derive(id string, before, after []byte) error {
	old, err := spanEntries(id, before)
	if err != nil {
		return err
	}
	entries, err := spanEntries(id, after)
	if err != nil {
		return err
	}
	w := backend.Write{
		Scope: x.run.scope, Primitive: codec.Traces.Index(), Op: backend.Put, Value: nullValue,
	}
	for _, key := range entries {
		if w.Key = key; !slices.Contains(old, key) {
			x.request.Writes = append(x.request.Writes, w)
		}
	}
	w.Op, w.Value = backend.Delete, nil
	for _, key := range old {
		if w.Key = key; !slices.Contains(entries, key) {
			x.request.Writes = append(x.request.Writes, w)
			x.deletes++
		}
	}
	return nil
}

// commit implements bundleVisitor: it repeats the commit.
func (x *importing) commit(c bundle.Commit) error {
	if !x.direct {
		x.request.Origin = codec.Origin{Version: c.Version, Time: c.Time}
	}
	out, err := x.d.b.Commit(x.ctx, &x.request)
	if err != nil {
		return err
	}
	if !x.direct && (out.Existed != x.deletes || out.Expired != x.expires || out.Version == 0) {
		return fmt.Errorf("%w: commit %d of the bundle deletes what does not exist, or lets expire "+
			"what has not", ErrCorrupt, c.Number)
	}
	x.version, x.request, x.deletes, x.expires = out.Version, backend.Request{}, 0, 0
	if x.o.Progress != nil {
		x.o.Progress(BundleProgress{Commits: c.Number, Total: x.total})
	}
	return nil
}

// imports are those under way in this process.
type imports struct {
	mu   sync.Mutex
	live map[codec.Scope]bool // guarded by mu
}

func (i *imports) begin(n codec.Scope) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.live == nil {
		i.live = map[codec.Scope]bool{}
	}
	i.live[n] = true
}

func (i *imports) end(n codec.Scope) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.live, n)
}

func (i *imports) has(n codec.Scope) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.live[n]
}

// dropImports removes what is left of imports that have come to no end. Cost: a scan of the entries
// of imports.
func (d *DB) dropImports(ctx context.Context) error {
	list, err := runindex.Imports(ctx, d.m.Scope(d.system))
	for _, of := range list {
		if err == nil && !d.imports.has(of.Number) {
			err = d.dropImport(ctx, of)
		}
	}
	return err
}

func (d *DB) dropImport(ctx context.Context, of runindex.Ref) error {
	_, err := d.m.Update(ctx, d.system, housekeeping, func(t *txn.Tx) error {
		return runindex.DropImport(ctx, t.Scope(d.system), of)
	})
	return err
}
