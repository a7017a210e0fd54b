package inmem

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/txn"
)

// SalvageOptions configure Salvage.
type SalvageOptions struct {
	// Progress, if not nil, is told after every run that was copied, or could not be, how many of
	// all are done.
	Progress func(done, total int)

	_ struct{}
}

// SalvageReport says what was saved, and what was lost.
type SalvageReport struct {
	// Files are all tables and logs that were there.
	Files []SalvagedFile `json:"files"`
	// Runs are all runs and shared namespaces whose record could be read, in the order of the keys
	// of their records.
	Runs []SalvagedRun `json:"runs"`
	// Problems are what Verify found in the sum of all that could be read: what was lost, and of
	// what. Found is how many there are.
	Problems []Problem `json:"problems"`
	Found    int       `json:"found"`

	_ struct{}
}

// SalvagedFile is a file of the damaged database.
type SalvagedFile struct {
	// Name is that of the file, Bytes its size, Records how many could be read in it.
	Name    string `json:"name"`
	Bytes   int64  `json:"bytes"`
	Records uint64 `json:"records"`
	// Damage says what could not be read; empty if all could.
	Damage string `json:"damage,omitempty"`
}

// Salvaged says how much of a run was saved.
type Salvaged string

// How much of a run was saved.
const (
	// SalvagedWhole: all of it, with its history, as ImportRun would; its state hash is the same.
	SalvagedWhole Salvaged = "whole"
	// SalvagedUnsure: all that was found of it, and there is no gap in that; but commits of the
	// database were lost that came behind its last one, and some of them may have been its.
	SalvagedUnsure Salvaged = "unsure"
	// SalvagedCut: its commits up to the first that could not be read in full.
	SalvagedCut Salvaged = "cut"
	// SalvagedState: retention had removed a part of its history, so only its newest state was
	// copied, and all of its events.
	SalvagedState Salvaged = "state"
	// SalvagedNothing: it is lost.
	SalvagedNothing Salvaged = "lost"
)

// SalvagedRun is a run of the damaged database.
type SalvagedRun struct {
	// Run is its id, or the name of a shared namespace.
	Run string `json:"run"`
	// Saved says how much of it was saved, Text why not all.
	Saved Salvaged `json:"saved"`
	Text  string   `json:"text,omitempty"`
	// Commits is how many commits were copied, Of how many it had, as far as its journal tells.
	Commits uint64 `json:"commits"`
	Of      uint64 `json:"of"`
}

// Whole reports whether nothing was lost.
func (r *SalvageReport) Whole() bool {
	for i := range r.Runs {
		if r.Runs[i].Saved != SalvagedWhole {
			return false
		}
	}
	for i := range r.Files {
		if r.Files[i].Damage != "" {
			return false
		}
	}
	return r.Found == 0
}

// Salvage makes a new database in the directory to, which does not exist or is empty, of what can
// still be read in a damaged one, and says what was lost. Nothing in from is changed. It is for
// when Open answers ErrCorrupt, or Verify finds what Repair does not mend, and there is no
// checkpoint that is new enough; Restore is better.
//
// It reads every table and log by itself: the file INMEM, the MANIFEST and Pebble's other files may
// be damaged or missing. Damaged blocks are passed over. Of what was read it copies every run that
// is complete, as ExportRun and ImportRun would, with its commits, times and events; of one that is
// not, the commits before the first that cannot be read in full. Forks are copied with what they
// had from their parents, as runs of their own. Shared namespaces are copied commit by commit, with
// new times, so that their events have new hashes.
//
// More may be missing than is told: of a table that is not there nobody can tell what was in it,
// but by what is incomplete elsewhere. A record of a run may be an older one, if the newest was
// lost; a run whose record was lost is lost, and Problems names the numbers of such runs. Runs that
// were deleted stay deleted, unless the record of that was lost.
//
// Cost: everything is read, written, read, and written again. Beside to there has to be room for
// all of it twice.
//
// Errors: ErrInvalidArgument if there is nothing to read or to is not free; ErrLocked, ErrStorage,
// ErrNoSpace, ErrTimeout, ErrCanceled. After an error there is nothing in to. Damage is no error.
func Salvage(ctx context.Context, from, to string, o SalvageOptions) (*SalvageReport, error) {
	report, err := salvage(ctx, from, to, &o)
	if err != nil {
		return nil, fmt.Errorf("salvage %s to %s: %w", from, to, txn.ContextError(err))
	}
	return report, nil
}

func salvage(ctx context.Context, from, to string, o *SalvageOptions) (
	report *SalvageReport, err error,
) {
	if err := freePlace(from, to); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(filepath.Dir(filepath.Clean(to)), filepath.Base(to)+".salvage-*")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	x := salvaging{ctx: ctx, o: o, report: &SalvageReport{
		Files: []SalvagedFile{}, Runs: []SalvagedRun{}, Problems: []Problem{},
	}}
	x.src, x.report.Files, x.hole, err = openGathered(ctx, from, filepath.Join(work, "gathered"))
	if err != nil {
		return nil, err
	}
	if x.dst, err = Open(filepath.Join(work, "db"), &Options{
		Durability: Async, RetentionInterval: -1,
	}); err != nil {
		return nil, errors.Join(err, x.src.Close())
	}
	err = x.run()
	if err = errors.Join(err, x.dst.Close(), x.src.Close()); err != nil {
		return nil, err
	}
	if err := os.Remove(to); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty one
		return nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	if err := os.Rename(filepath.Join(work, "db"), to); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStorage, err)
	}
	return x.report, nil
}

// freePlace refuses a place that is not free, or that lies in the database.
func freePlace(from, to string) error {
	source, err := filepath.Abs(from)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	place, err := filepath.Abs(to)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidArgument, err)
	}
	if rel, err := filepath.Rel(source, place); err == nil && filepath.IsLocal(rel) {
		return fmt.Errorf("%w: %s lies in %s", ErrInvalidArgument, to, from)
	}
	names, err := os.ReadDir(to)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && len(names) == 0:
		return nil
	case err == nil:
		return fmt.Errorf("%w: %s is not empty: %w", ErrInvalidArgument, to, os.ErrExist)
	}
	return fmt.Errorf("%w: %w", ErrInvalidArgument, err)
}

// salvaging is one Salvage under way.
type salvaging struct {
	ctx      context.Context
	o        *SalvageOptions
	src, dst *DB // what was gathered, and what becomes of it
	report   *SalvageReport
	// hole is the version up to which commits may be missing that nothing else tells of; 0: none.
	hole uint64
	// wrong says of scopes what is wrong with what was gathered of them, and how many commits they
	// had by it.
	wrong map[uint64]gatheredScope
	// lost says of which records of scopes the newest version could not be read, and what happened
	// then.
	lost map[string]string
}

// gatheredScope is what Verify says of a scope.
type gatheredScope struct {
	text    string
	commits uint64
}

// mostSalvageProblems bounds what is kept of what Verify finds: it takes some hundred bytes each.
const mostSalvageProblems = 1 << 20

// judge learns what is wrong with what was gathered.
func (x *salvaging) judge() error {
	found, err := x.src.Verify(x.ctx, VerifyOptions{Problems: mostSalvageProblems})
	if err != nil {
		return err
	}
	// The index of runs is made anew. Here entries of deleted runs may have come back.
	all := len(found.Problems)
	found.Problems = slices.DeleteFunc(found.Problems, func(p Problem) bool {
		return p.Derived() && p.Primitive == codec.RunIndex.String()
	})
	x.report.Found = found.Found - (all - len(found.Problems))
	x.report.Problems = found.Problems[:min(len(found.Problems), defaultProblems)]
	x.lost, x.wrong = map[string]string{}, map[uint64]gatheredScope{}
	for i := range found.Problems {
		p := &found.Problems[i]
		switch {
		case p.Scope == 0 && p.Kind == ProblemMissing && p.Primitive == codec.ScopeRecords.String():
			x.lost[p.Key] = p.Text
		case p.Kind == ProblemCommit:
			x.hole = max(x.hole, p.Version)
		case p.Scope != 0 && !p.Derived():
			w := x.wrong[p.Scope]
			if w.text == "" {
				w.text = p.String()
			}
			if p.Kind == ProblemJournal {
				if n, err := codec.DecodeEventUserKey(p.Key); err == nil {
					w.commits = max(w.commits, n)
				}
			}
			x.wrong[p.Scope] = w
		}
	}
	return nil
}

func (x *salvaging) run() error {
	if err := x.judge(); err != nil {
		return err
	}
	total := 0
	err := x.src.eachScope(x.ctx, func(*backend.Scope, *codec.ScopeRecord) error {
		total++
		return nil
	})
	if err != nil {
		return err
	}
	return x.src.eachScope(x.ctx, func(s *backend.Scope, rec *codec.ScopeRecord) error {
		r, err := x.scope(s, rec)
		if err != nil {
			return err
		}
		if text := x.lost[s.Record]; text != "" {
			r.Text = joined(r.Text, "a version of its record was lost: "+text)
		}
		if x.report.Runs = append(x.report.Runs, r); x.o.Progress != nil {
			x.o.Progress(len(x.report.Runs), total)
		}
		return nil
	})
}

func joined(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}
