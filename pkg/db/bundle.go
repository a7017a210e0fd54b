package inmem

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/bundle"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/runindex"
	"github.com/inmem-db/inmem/pkg/txn"
)

// BundleInfo says what is in a bundle: the file that holds one run with its history.
type BundleInfo struct {
	// Run is the run's record, with FirstVersion, LastVersion and Commits. Versions and times are
	// those that its commits had where they were made.
	Run RunInfo
	// Changes is how many keys were changed in all commits together, Events how many events there
	// are.
	Changes, Events uint64
	// Head is the hash of the last event, which stands for all of them; zeros if there is none.
	Head Hash
	// StateHash is Run.StateHash at the last commit. An import is held to it.
	StateHash Hash
	// Digest is the SHA-256 of the content: two bundles with the same one are of the same history.
	Digest Hash
	// Size is that of the file in bytes.
	Size int64

	_ struct{}
}

// BundleProgress says how far an export or import has come.
type BundleProgress struct {
	// Commits is how many are done, Total how many there are.
	Commits, Total uint64
}

// ExportOptions configure ExportRun. The zero value exports all that there is.
type ExportOptions struct {
	// At is the last version that may be exported; 0 for what is published when the export begins.
	At uint64
	// Progress, if not nil, is called behind every commit.
	Progress func(BundleProgress)

	_ struct{}
}

// ExportRun writes a run with its whole history as a bundle: a file of its own, compressed and
// checksummed, that ImportRun takes, in this or another database. docs/format.md says what is in
// it. The run may be Active and may be written to meanwhile: what is exported is what it was at one
// version. A fork is exported with what it has from its parent, as one history.
//
// The same run makes the same bytes every time, with one version of this library; also on another
// machine, and from an import to which nothing was added.
//
// What is written is a bundle only if the call returns without an error; it says then what is in
// it. Index entries, and what says something about this database, are left out.
//
// Cost: it reads what the run shows, and then its history, once. Memory: some tens of megabytes and
// the largest commit. History is held while it works.
//
// Errors: ErrRunNotFound, ErrPruned if retention has removed a part of the history,
// ErrInvalidArgument for an id that is no UUID or a version that is not published, ErrTimeout,
// ErrCanceled, ErrStorage, ErrCorrupt, ErrClosed, and those of w.
func (d *DB) ExportRun(
	ctx context.Context, id string, w io.Writer, o ExportOptions,
) (BundleInfo, error) {
	if w == nil {
		return BundleInfo{}, fmt.Errorf("export: %w: no writer", ErrInvalidArgument)
	}
	r, err := d.Run(ctx, id)
	if err != nil {
		return BundleInfo{}, fmt.Errorf("export: %w", err)
	}
	x := export{d: d, ctx: ctx, run: r, o: o}
	info, err := x.write(w)
	if err != nil {
		return BundleInfo{}, fmt.Errorf("export run %s: %w", r.id, txn.ContextError(err))
	}
	return info, nil
}

// export is one export under way.
type export struct {
	d   *DB
	ctx context.Context
	run *Run
	o   ExportOptions
	at  uint64
}

func (x *export) write(w io.Writer) (BundleInfo, error) {
	newest := x.d.b.Published()
	if x.at = x.o.At; x.at == 0 {
		x.at = newest
	}
	if x.at > newest {
		return BundleInfo{}, fmt.Errorf("%w: version %d, the newest is %d", ErrInvalidArgument, x.at,
			newest)
	}
	hold, err := x.d.b.Retain(x.ctx, x.run.scope, min(1, x.at))
	if err != nil {
		return BundleInfo{}, err
	}
	defer hold.Release()
	head, err := x.head()
	if err != nil {
		return BundleInfo{}, err
	}
	out, err := bundle.NewWriter(w, head)
	if err != nil {
		return BundleInfo{}, err
	}
	if err := x.commits(out, head.Commits); err != nil {
		return BundleInfo{}, err
	}
	totals, err := out.Close()
	written := out.Run()
	return bundleInfo(&written, &totals), err
}

// head gathers what a bundle begins with.
func (x *export) head() (h bundle.Run, err error) {
	if h.Record, err = x.record(); err != nil {
		return h, err
	}
	c, err := x.d.b.Commits(x.ctx, x.run.scope, x.at)
	if err != nil {
		return h, err
	}
	hash, err := x.run.StateHash(x.ctx, c.Last)
	if err != nil {
		return h, err
	}
	h.Commits, h.StateHash = c.Count, hash
	if c.Count == 0 {
		return h, nil
	}
	if h.First, err = x.made(1); err == nil {
		h.Last, err = x.made(c.Count)
	}
	return h, err
}

// record is the run's record at the version of the export. Where there was none yet (what is
// exported comes from the parent of a fork, or was imported) it is the present one.
func (x *export) record() (codec.ScopeRecord, error) {
	e, err := x.d.b.Get(x.ctx, x.d.system, codec.ScopeRecords, x.run.id, x.at)
	if err != nil {
		return codec.ScopeRecord{}, err
	}
	if e.Exists() {
		r, err := codec.DecodeScopeRecord(e.Value)
		if err != nil || r.Number == x.run.scope.Number && r.Kind == codec.KindRun {
			return r, err
		}
	}
	return x.d.scopeRecord(x.ctx, x.run.id)
}

// made is the version that a commit had where it was made.
func (x *export) made(number uint64) (uint64, error) {
	r := backend.JournalRange{From: number, At: x.at}
	for e, err := range x.d.b.Journal(x.ctx, x.run.scope, r) {
		c := bundleCommit(&e)
		return c.Version, err
	}
	return 0, fmt.Errorf("%w: commit %d is missing", ErrCorrupt, number)
}

// bundleCommit is a commit with the version and time that it had where it was made.
func bundleCommit(e *backend.JournalEntry) bundle.Commit {
	c := bundle.Commit{
		Number: e.Number, Version: e.Version, Time: e.Judged(), Changes: uint64(len(e.Changes)),
	}
	if e.Origin.Version != 0 {
		c.Version = e.Origin.Version
	}
	return c
}

// commits writes the history.
func (x *export) commits(out *bundle.Writer, total uint64) error {
	r := backend.JournalRange{At: x.at, Values: backend.NewValues}
	for e, err := range x.d.b.Journal(x.ctx, x.run.scope, r) {
		if err != nil {
			return err
		}
		if err := out.Commit(bundleCommit(&e)); err != nil {
			return err
		}
		for i := range e.Changes {
			if err := writeChange(out, &e.Changes[i]); err != nil {
				return err
			}
		}
		if x.o.Progress != nil {
			x.o.Progress(BundleProgress{Commits: e.Number, Total: total})
		}
	}
	return nil
}

func writeChange(out *bundle.Writer, stored *backend.JournalChange) error {
	c := bundle.Change{Value: stored.Value, BundleChange: codec.BundleChange{
		Op: stored.Op, Primitive: stored.Primitive, Key: stored.Key, Expiry: stored.Expiry,
	}}
	if stored.Op == codec.ChangeAppend {
		e, err := codec.DecodeEventRecord(stored.Value)
		if err != nil {
			return err
		}
		c.Key, c.Type, c.Value, c.Hash = "", e.Type, e.Payload, e.Hash
	}
	return out.Change(c)
}

func bundleInfo(r *bundle.Run, t *bundle.Totals) BundleInfo {
	info := BundleInfo{
		Run: runindex.InfoOf(&r.Record), Changes: t.Changes, Events: t.Events, Head: Hash(t.Head),
		StateHash: r.StateHash, Digest: t.Digest, Size: t.Size,
	}
	info.Run.FirstVersion, info.Run.LastVersion, info.Run.Commits = r.First, r.Last, r.Commits
	return info
}

// VerifyBundle reads a bundle to its end and says what is in it. It returns without an error if
// nothing is damaged, missing or left over, and ImportRun would take it.
//
// Errors: ErrCorrupt naming the place, ErrFormat for one of a newer version of this library,
// ErrTimeout, ErrCanceled, and those of r.
func VerifyBundle(ctx context.Context, r io.Reader) (BundleInfo, error) {
	info, err := verifyBundle(ctx, r, func(*bundle.Run) error { return nil })
	if err != nil {
		return BundleInfo{}, fmt.Errorf("verify bundle: %w", txn.ContextError(err))
	}
	return info, nil
}

// bundleVisitor is told what is in a bundle, in its order.
type bundleVisitor interface {
	begin(r *bundle.Run) error
	change(c *bundle.Change) error
	commit(c bundle.Commit) error // after its changes
}

// contextEvery is how many changes are read between two looks at the context.
const contextEvery = 256

// walkBundle reads a bundle to its end.
func walkBundle(ctx context.Context, in io.Reader, v bundleVisitor) (BundleInfo, error) {
	if in == nil {
		return BundleInfo{}, fmt.Errorf("%w: no reader", ErrInvalidArgument)
	}
	r, err := bundle.NewReader(in)
	if err != nil {
		return BundleInfo{}, err
	}
	defer r.Close()
	head := r.Run()
	if err := v.begin(&head); err != nil {
		return BundleInfo{}, err
	}
	for n := 0; ; {
		if err := ctx.Err(); err != nil {
			return BundleInfo{}, err
		}
		commit, err := r.Next()
		if errors.Is(err, io.EOF) {
			totals := r.Totals()
			return bundleInfo(&head, &totals), nil
		}
		if err != nil {
			return BundleInfo{}, err
		}
		size := int64(0)
		for {
			c, err := r.Change()
			if errors.Is(err, io.EOF) {
				break
			}
			if size += int64(len(c.Key) + len(c.Value)); size > mostTxnBytes {
				err = fmt.Errorf("%w: commit %d of the bundle is of more than %d bytes", ErrTooLarge,
					commit.Number, int64(mostTxnBytes))
			}
			if err == nil {
				err = v.change(&c)
			}
			if n++; err == nil && n%contextEvery == 0 {
				err = ctx.Err()
			}
			if err != nil {
				return BundleInfo{}, err
			}
		}
		if err := v.commit(commit); err != nil {
			return BundleInfo{}, err
		}
	}
}
