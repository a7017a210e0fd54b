package runindex

import (
	"context"
	"fmt"
)

// IndexReport compares the index with the records.
type IndexReport struct {
	// Entries is how many entries were looked at.
	Entries int
	// Missing counts entries that should be there, Surplus those that should not.
	Missing, Surplus int
	// Faults are the first of both, at most MaxFaults.
	Faults []IndexFault
}

// IndexFault is an entry that is missing or surplus.
type IndexFault struct {
	// Run is the id of the run that it is about; empty if the entry cannot be read.
	Run string
	// Missing: it should be there. Otherwise it is there and should not be.
	Missing bool
	// Key is its key in the index, a tuple.
	Key string
}

// MaxFaults is how many faults an IndexReport lists.
const MaxFaults = 100

// Healthy reports whether there is no fault.
func (r *IndexReport) Healthy() bool { return r.Missing+r.Surplus == 0 }

// IndexRepair says what a repair has done.
type IndexRepair struct {
	// Added and Removed count the entries that were missing, and those that were surplus.
	Added, Removed int
}

// note enters faults into a report.
func (r *IndexReport) note(f IndexFault) {
	if f.Missing {
		r.Missing++
	} else {
		r.Surplus++
	}
	if len(r.Faults) < MaxFaults {
		r.Faults = append(r.Faults, f)
	}
}

// VerifyIndex compares the index entries of the run with its record, in both directions, at one
// version. Faults are no error. Cost: it reads the whole index, that of all runs, for an entry that
// should not be there can be anywhere. Inside a transaction all of that joins the read set.
func (r Record) VerifyIndex(ctx context.Context) (IndexReport, error) {
	report, err := r.verifyIndex(ctx)
	return report, r.wrap("verify index", err)
}

func (r Record) verifyIndex(ctx context.Context) (IndexReport, error) {
	id, err := ParseID(r.id)
	if err != nil {
		return IndexReport{}, err
	}
	return r.index.verify(ctx, subject{id})
}

// RebuildIndex makes the index entries of the run what its record says: on a good index it changes
// nothing. It also works on a run that does not exist any more: then nothing of it is left. Where
// the entries of all runs are in question it answers codec.ErrCorrupt: see Index.Rebuild. Cost: as
// VerifyIndex, and a transaction.
func (r Record) RebuildIndex(ctx context.Context) (IndexRepair, error) {
	repair, err := r.rebuildIndex(ctx)
	return repair, r.wrap("rebuild index", err)
}

func (r Record) rebuildIndex(ctx context.Context) (IndexRepair, error) {
	id, err := ParseID(r.id)
	if err != nil {
		return IndexRepair{}, err
	}
	return r.index.rebuild(ctx, subject{id})
}

// Verify is Record.VerifyIndex for all runs, and for entries that belong to none. Cost: it reads
// all records and the whole index, with a lookup for each entry.
func (x Index) Verify(ctx context.Context) (IndexReport, error) {
	report, err := x.verify(ctx, subject{})
	if err != nil {
		return IndexReport{}, fmt.Errorf("verify the index of runs: %w", err)
	}
	return report, nil
}

// Rebuild is Record.RebuildIndex for all runs, and removes entries that belong to none. Directly it
// works in steps, each a transaction; what was done before an error stays done.
func (x Index) Rebuild(ctx context.Context) (IndexRepair, error) {
	repair, err := x.rebuild(ctx, subject{})
	if err != nil {
		return repair, fmt.Errorf("rebuild the index of runs: %w", err)
	}
	return repair, nil
}
