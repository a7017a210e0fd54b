package inmem

import (
	"bytes"
	"errors"
	"strings"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/internal/diff"
	"github.com/inmem-db/inmem/pkg/codec"
	"github.com/inmem-db/inmem/pkg/primitives/vectors"
	"github.com/inmem-db/inmem/pkg/txn"
)

// stateParts are the primitives that are compared key by key.
var stateParts = []struct {
	stored codec.Primitive
	shown  diff.Primitive
}{
	{codec.KV, diff.KV},
	{codec.Extensions, diff.Extensions},
	{codec.Cells, diff.Cells},
	{codec.Machines, diff.Machines},
	{codec.Vectors, diff.Vectors},
}

// state compares what the sides hold besides their history. Where there is much, and a common
// history, only what was written since is looked at. Expiry is the one change that no journal tells
// at its time: so that needs views that judge it by the same time, or a caller who does not mind.
func (c *comparison) state() error {
	var changed map[codec.Primitive][]string
	asked := false
	for _, part := range stateParts {
		large, err := c.large(part.stored)
		if err != nil {
			return txn.ContextError(err)
		}
		sameTime := c.sides[0].view.Time().Equal(c.sides[1].view.Time())
		if large && !asked && (sameTime || c.anyTime) {
			asked = true
			if changed, err = c.changedSince(); err != nil {
				return err
			}
		}
		if large && changed != nil {
			err = c.changedKeys(part.stored, part.shown, changed[part.stored])
		} else {
			err = c.keys(part.stored, part.shown)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keys compares all keys of one primitive.
func (c *comparison) keys(p codec.Primitive, shown diff.Primitive) error {
	a := c.sides[0].view.scope.Scan(c.ctx, p, txn.Range{})
	defer a.Close()
	b := c.sides[1].view.scope.Scan(c.ctx, p, txn.Range{})
	defer b.Close()
	counts := c.report.State.Of(shown)
	var failed error
	err := diff.Merge(a, b, func(inA, inB bool) bool {
		if inA && inB && bytes.Equal(a.Value(), b.Value()) {
			counts.CountSame(1)
			return true
		}
		var entries [2]txn.Entry
		key := ""
		if inA {
			key, entries[0] = a.Key(), a.Entry()
		}
		if inB {
			key, entries[1] = b.Key(), b.Entry()
		}
		failed = c.key(shown, counts, key, &entries[0], &entries[1])
		return failed == nil
	})
	return errors.Join(failed, txn.ContextError(err))
}

// key compares a key, and reports it if it differs.
func (c *comparison) key(shown diff.Primitive, counts *diff.Counts, key string, a, b *txn.Entry,
) error {
	e := DiffEntry{Primitive: shown, Op: diff.Changed}
	switch {
	case !a.Exists && !b.Exists:
		return nil
	case !a.Exists:
		e.Op = diff.Added
	case !b.Exists:
		e.Op = diff.Removed
	case bytes.Equal(a.Value, b.Value): // equal values have equal bytes
		counts.CountSame(1)
		return nil
	}
	counts.Count(e.Op)
	if !c.detailed() {
		return c.emit(e)
	}
	var values [2]Value
	for i, entry := range []*txn.Entry{a, b} {
		if !entry.Exists {
			continue
		}
		var err error
		if shown == diff.Vectors {
			values[i], err = vectors.Shown(key, entry.Value)
		} else {
			values[i], err = codec.DecodeValue(entry.Value)
		}
		if err != nil {
			return err
		}
		*[]*uint64{&e.VersionA, &e.VersionB}[i] = entry.Version
	}
	e.Key = strings.Clone(key)
	var err error
	limits := c.limits
	switch shown {
	case diff.Extensions:
		e.Extension, e.Key, err = splitExtension(e.Key)
	case diff.Vectors:
		limits.Leaf = "vector"
		e.Collection, e.Key, err = codec.DecodeVectorKey(e.Key)
	}
	if err != nil {
		return err
	}
	e.Changes = valueChanges(e.Op, values[0], values[1], limits)
	return c.emit(e)
}

// valueChanges are the differences inside two values; the one that an Op does not have is not
// looked at.
func valueChanges(op DiffOp, a, b Value, limits diff.Limits) diff.Changes {
	switch op {
	case diff.Added:
		return diff.Whole(b, op, limits)
	case diff.Removed:
		return diff.Whole(a, op, limits)
	}
	return diff.Values(a, b, limits)
}

// records compares the runs' records, and fills in what is known of the sides.
func (c *comparison) records() error {
	var records [2]Value
	for i, shown := range []*diff.Side{&c.report.A, &c.report.B} {
		s := c.sides[i]
		info, err := s.view.Record().Info(c.ctx)
		if err != nil && !errors.Is(err, ErrRunNotFound) { // a version before the run began
			return err
		}
		if records[i], err = recordValue(&info); err != nil {
			return err
		}
		*shown = diff.Side{Run: s.run.id, Version: s.view.Version(), Agent: info.Agent}
		if info.Status.Valid() {
			shown.Status = info.Status.String()
		}
		sum, err := s.view.Traces().RollupRun(c.ctx)
		if err != nil {
			return err
		}
		commits, err := s.view.scope.Commits(c.ctx) // also of a fork before it was made
		if err != nil {
			return err
		}
		events, err := s.view.Events().Len(c.ctx)
		if err != nil {
			return err
		}
		shown.Totals = diff.Totals{
			Commits: int64(commits.Count), Events: int64(events), Spans: int64(sum.Spans),
			Errors: int64(sum.Errors), InputTokens: sum.InputTokens,
			OutputTokens: sum.OutputTokens, Cost: int64(sum.Cost), Duration: sum.Duration,
		}
	}
	c.report.Record = diff.Values(records[0], records[1], c.limits)
	return nil
}

// recordValue is what is compared of a run's record.
func recordValue(i *RunInfo) (Value, error) {
	entries := map[string]Value{}
	for _, f := range []struct{ name, text string }{
		{"tenant", i.Tenant}, {"app", i.App}, {"agent", i.Agent}, {"parent", i.Parent},
		{"error", i.Error},
	} {
		if f.text != "" {
			entries[f.name] = codec.String(f.text)
		}
	}
	if i.Status.Valid() {
		entries["status"] = codec.String(i.Status.String())
	}
	if !i.Metadata.IsNull() {
		entries["metadata"] = i.Metadata
	}
	if len(i.Tags) > 0 {
		tags, err := codec.ValueOf(i.Tags)
		if err != nil {
			return Value{}, err
		}
		entries["tags"] = tags
	}
	return codec.Map(entries)
}

// stateBefore says what differs in keys and cells just before a divergence.
func (c *comparison) stateBefore(at *Divergence) error {
	before := &comparison{
		ctx: c.ctx, o: c.o, limits: c.limits, report: &Diff{Entries: []DiffEntry{}},
		small: c.small, anyTime: true,
	}
	before.o.Details = min(c.o.Details, stateDetails)
	defer before.close()
	for i, version := range []uint64{at.VersionA, at.VersionB} {
		v, err := c.sides[i].run.At(c.ctx, version)
		if errors.Is(err, backend.ErrPruned) {
			return nil // the steps are still there, what was written beside them is not
		}
		if err != nil {
			return err
		}
		before.sides[i] = side{run: c.sides[i].run, view: v}
	}
	if err := before.state(); err != nil {
		return err
	}
	r := before.report
	at.State = &diff.StateBefore{State: r.State, Entries: r.Entries, Omitted: r.Omitted}
	return nil
}
