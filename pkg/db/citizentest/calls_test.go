package citizentest

import (
	"bytes"
	"context"
	"io"
	"iter"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	inmem "github.com/inmem-db/inmem/pkg/db"
	"github.com/inmem-db/inmem/pkg/vector"
)

// call is an operation that may wait or fail.
type call func(context.Context) error

// hands are what a run, a transaction, a view and a shared namespace have in common.
type hands interface {
	KV() inmem.KV
	Extension(name string) inmem.KV
	Events() inmem.Events
	Cell(name string) inmem.Cell
	Cells() inmem.Cells
	Traces() inmem.Traces
	Vectors(name string) inmem.Vectors
	Collections() inmem.Collections
}

// only drops the result of a call, but for its error.
func only[T any](_ T, err error) error { return err }

// all walks a sequence to its end or its error.
func all[T any](s iter.Seq2[T, error]) error {
	for _, err := range s {
		if err != nil {
			return err
		}
	}
	return nil
}

var flat = inmem.CollectionOptions{Dim: 2, Metric: vector.L2}

// furnish writes what the calls need.
func furnish(t *testing.T, h hands) {
	t.Helper()
	ctx, one := t.Context(), inmem.Int(1)
	require.NoError(t, only(h.KV().Put(ctx, "k", one)))
	require.NoError(t, only(h.Extension("x").Put(ctx, "k", one)))
	require.NoError(t, only(h.Events().Append(ctx, "e", one)))
	require.NoError(t, only(h.Cell("c").Store(ctx, one)))
	require.NoError(t, only(h.Traces().Start(ctx, inmem.Span{ID: "s", Type: inmem.SpanThought})))
	require.NoError(t, only(h.Vectors("v").Create(ctx, flat)))
	require.NoError(t, only(h.Vectors("spare").Create(ctx, flat)))
	require.NoError(t, only(h.Vectors("v").Upsert(ctx, "r", []float32{1, 2}, inmem.Null())))
}

// reads are the calls that change nothing, by what they are called on.
func reads(h hands) map[string]call {
	type c = context.Context
	kv, events, cell, traces, notes := h.KV(), h.Events(), h.Cell("c"), h.Traces(), h.Vectors("v")
	return map[string]call{
		"kv.Get":          func(c c) error { _, _, err := kv.Get(c, "k"); return err },
		"kv.Get absent":   func(c c) error { _, _, err := kv.Get(c, "absent"); return err },
		"kv.GetVersioned": func(c c) error { return only(kv.GetVersioned(c, "k")) },
		"kv.GetMany":      func(c c) error { return only(kv.GetMany(c, []string{"k", "l"})) },
		"kv.Exists":       func(c c) error { return only(kv.Exists(c, "k")) },
		"kv.Count":        func(c c) error { return only(kv.Count(c, inmem.ScanOptions{})) },
		"kv.List":         func(c c) error { return all(kv.List(c, inmem.ScanOptions{})) },
		"kv.Scan":         func(c c) error { return all(kv.Scan(c, inmem.ScanOptions{})) },
		"kv.Scan empty":   func(c c) error { return all(kv.Scan(c, inmem.ScanOptions{Prefix: "zz"})) },
		"kv.History":      func(c c) error { return all(kv.History(c, "k")) },
		"extension.Get":   func(c c) error { _, _, err := h.Extension("x").Get(c, "k"); return err },

		"events.Get":       func(c c) error { _, _, err := events.Get(c, 0); return err },
		"events.Head":      func(c c) error { _, _, err := events.Head(c); return err },
		"events.Len":       func(c c) error { return only(events.Len(c)) },
		"events.List":      func(c c) error { return all(events.List(c, inmem.EventOptions{})) },
		"events.Range":     func(c c) error { return all(events.Range(c, 0, 9)) },
		"events.Types":     func(c c) error { return all(events.Types(c)) },
		"events.CountType": func(c c) error { return only(events.CountType(c, "e")) },
		"events.Verify":    func(c c) error { return only(events.Verify(c)) },

		"cell.Get":        func(c c) error { return only(cell.Get(c)) },
		"cell.Load":       func(c c) error { return only(cell.Load(c)) },
		"cell.Exists":     func(c c) error { return only(cell.Exists(c)) },
		"cell.History":    func(c c) error { return all(cell.History(c)) },
		"cell.Machine":    func(c c) error { _, _, err := cell.Machine(c); return err },
		"cell.IsTerminal": func(c c) error { return only(cell.IsTerminal(c)) },
		"cells.List":      func(c c) error { return all(h.Cells().List(c, "")) },
		"cells.Count":     func(c c) error { return only(h.Cells().Count(c, "")) },

		"traces.Get":         func(c c) error { _, _, err := traces.Get(c, "s"); return err },
		"traces.List":        func(c c) error { return all(traces.List(c, inmem.SpanFilter{})) },
		"traces.Children":    func(c c) error { return all(traces.Children(c, "s")) },
		"traces.Count":       func(c c) error { return only(traces.Count(c, inmem.SpanFilter{})) },
		"traces.CountByType": func(c c) error { return only(traces.CountByType(c)) },
		"traces.Tree":        func(c c) error { return only(traces.Tree(c, "s")) },
		"traces.Forest":      func(c c) error { return only(traces.Forest(c)) },
		"traces.RollupRun":   func(c c) error { return only(traces.RollupRun(c)) },

		"vectors.Get":    func(c c) error { _, _, err := notes.Get(c, "r"); return err },
		"vectors.Exists": func(c c) error { return only(notes.Exists(c, "r")) },
		"vectors.Search": func(c c) error {
			return only(notes.Search(c, inmem.SearchOptions{Vector: []float32{1, 2}, K: 1}))
		},
		"vectors.Scroll":   func(c c) error { return all(notes.Scroll(c, inmem.ScrollOptions{})) },
		"vectors.List":     func(c c) error { return all(notes.List(c, inmem.ScrollOptions{})) },
		"vectors.Count":    func(c c) error { return only(notes.Count(c, inmem.ScrollOptions{})) },
		"vectors.Describe": func(c c) error { return only(notes.Describe(c)) },
		"vectors.History":  func(c c) error { return all(notes.History(c, "r")) },
		"collections.List": func(c c) error { return all(h.Collections().List(c)) },
	}
}

// writes are the calls that change what hands hold.
func writes(h hands) map[string]call {
	type c = context.Context
	kv, events, cell, traces, notes := h.KV(), h.Events(), h.Cell("c"), h.Traces(), h.Vectors("v")
	one := inmem.Int(1)
	same := func(v inmem.Value) (inmem.Value, error) { return v, nil }
	return map[string]call{
		"kv.Put":        func(c c) error { return only(kv.Put(c, "x", one)) },
		"kv.PutWithTTL": func(c c) error { return only(kv.PutWithTTL(c, "x", one, time.Hour)) },
		"kv.Delete":     func(c c) error { return only(kv.Delete(c, "k")) },
		"kv.CAS":        func(c c) error { return only(kv.CAS(c, "new", 0, one)) },
		"kv.Atomic": func(c c) error {
			return only(kv.Atomic(c, func(k inmem.KV) error { return only(k.Put(c, "x", one)) }))
		},
		"extension.Put": func(c c) error { return only(h.Extension("x").Put(c, "x", one)) },

		"events.Append": func(c c) error { return only(events.Append(c, "e", one)) },
		"events.AppendMany": func(c c) error {
			return only(events.AppendMany(c, []inmem.NewEvent{{Type: "e", Payload: one}}))
		},

		"cell.Init":           func(c c) error { return only(h.Cell("new").Init(c, one)) },
		"cell.Store":          func(c c) error { return only(cell.Store(c, one)) },
		"cell.CompareAndSwap": func(c c) error { return only(h.Cell("none").CompareAndSwap(c, 0, one)) },
		"cell.Update":         func(c c) error { return only(cell.Update(c, same)) },
		"cell.UpdateOrInit":   func(c c) error { return only(cell.UpdateOrInit(c, one, same)) },
		"cell.Delete":         func(c c) error { return only(h.Cell("c").Delete(c)) },

		"traces.Start": func(c c) error {
			return only(traces.Start(c, inmem.Span{Type: inmem.SpanThought}))
		},
		"traces.Record": func(c c) error {
			return only(traces.Record(c, inmem.Span{Type: inmem.SpanThought, Start: time.Unix(1, 0)}))
		},
		"traces.Update": func(c c) error {
			return traces.Update(c, "s", func(s *inmem.Span) error { s.Model = "m"; return nil })
		},
		"traces.End": func(c c) error { return traces.End(c, "s", inmem.SpanEnd{}) },

		"vectors.Create": func(c c) error { return only(h.Vectors("w").Create(c, flat)) },
		"vectors.Ensure": func(c c) error { return h.Vectors("u").Ensure(c, flat) },
		"vectors.Upsert": func(c c) error {
			return only(notes.Upsert(c, "q", []float32{1, 2}, inmem.Null()))
		},
		"vectors.UpsertMany": func(c c) error {
			return only(notes.UpsertMany(c, []inmem.VectorRow{{ID: "q", Vector: []float32{1, 2}}}))
		},
		"vectors.Delete": func(c c) error { return only(notes.Delete(c, "r")) },
		"vectors.Drop":   func(c c) error { return only(h.Vectors("spare").Drop(c)) },
	}
}

// looksAt are the calls on a run itself that change nothing, and need it to be there.
func looksAt(db *inmem.DB, run *inmem.Run, version uint64) map[string]call {
	type c = context.Context
	at := inmem.Point{Run: run, Version: version}
	return map[string]call{
		"run.At":     func(c c) error { return closing(run.At(c, version)) },
		"run.AtTime": func(c c) error { return closing(run.AtTime(c, time.Now())) },
		"run.Begin": func(c c) error {
			tx, err := run.Begin(c, inmem.TxOptions{})
			if err == nil {
				if _, err = tx.KV().Exists(c, "k"); err == nil {
					return tx.Rollback()
				}
				_ = tx.Rollback()
			}
			return err
		},
		"run.Info": func(c c) error { return only(run.Info(c)) },
		"run.View": func(c c) error {
			return run.View(c, func(v *inmem.View) error { return only(v.KV().Exists(c, "k")) })
		},
		"run.Replay":    func(c c) error { return all(run.Replay(c, inmem.ReplayOptions{})) },
		"run.StateHash": func(c c) error { return only(run.StateHash(c, version)) },
		"record.Tags":   func(c c) error { return only(run.Record().Tags(c)) },
		"record.Ancestors": func(c c) error {
			return all(run.Record().Ancestors(c))
		},
		"record.Children": func(c c) error { return all(run.Record().Children(c)) },
		"db.Run":          func(c c) error { return only(db.Run(c, run.ID())) },
		"runs.Get":        func(c c) error { return only(db.Runs().Get(c, run.ID())) },
		"db.View": func(c c) error {
			return db.View(c, func(v *inmem.View) error { return only(v.On(run).KV().Exists(c, "k")) })
		},
		"db.Diff": func(c c) error { return only(db.Diff(c, at, at, inmem.DiffOptions{})) },
		"db.DiffEntries": func(c c) error {
			return all(db.DiffEntries(c, at, at, inmem.DiffOptions{}))
		},
		"db.ExportRun": func(c c) error {
			return only(db.ExportRun(c, run.ID(), io.Discard, inmem.ExportOptions{}))
		},
	}
}

func ending(tx *inmem.Tx, err error) error {
	if err == nil {
		_ = tx.Rollback() // it has ended by itself if the database was closed
	}
	return err
}

func closing(v *inmem.View, err error) error {
	if err == nil {
		err = v.Close()
	}
	return err
}

// acts are the calls on a run itself that change it or its record.
func acts(db *inmem.DB, run *inmem.Run) map[string]call {
	type c = context.Context
	write := func(tx *inmem.Tx) error {
		return only(tx.On(run).KV().Put(background, "x", inmem.Int(1)))
	}
	return map[string]call{
		"run.Update": func(c c) error {
			return only(run.Update(c, func(tx *inmem.Tx) error {
				return only(tx.KV().Put(background, "x", inmem.Int(1)))
			}))
		},
		"run.UpdateWith": func(c c) error {
			return only(run.UpdateWith(c, inmem.TxOptions{Isolation: inmem.Serializable},
				func(tx *inmem.Tx) error {
					return only(tx.KV().Put(background, "x", inmem.Int(1)))
				}))
		},
		"db.Update":          func(c c) error { return only(db.Update(c, write)) },
		"run.Fork":           func(c c) error { return only(run.Fork(c, inmem.ForkOptions{})) },
		"record.SetTags":     func(c c) error { return run.Record().SetTags(c, "t") },
		"record.AddTags":     func(c c) error { return run.Record().AddTags(c, "u") },
		"record.RemoveTags":  func(c c) error { return run.Record().RemoveTags(c, "t") },
		"record.SetMetadata": func(c c) error { return run.Record().SetMetadata(c, inmem.Int(1)) },
	}
}

// whole are the calls on a database that need no run to be there. (A watch of a run that was
// deleted tells that, and ends.)
func whole(t *testing.T, db *inmem.DB, run *inmem.Run) map[string]call {
	type c = context.Context
	dir, bundle := t.TempDir(), bundleOf(t, db, run)
	return map[string]call{
		"db.At":       func(c c) error { return closing(db.At(c, 0)) },
		"db.AtTime":   func(c c) error { return closing(db.AtTime(c, time.Unix(1, 0))) },
		"db.Begin":    func(c c) error { return ending(db.Begin(c, inmem.TxOptions{})) },
		"db.BeginRun": func(c c) error { return only(db.BeginRun(c, inmem.RunOptions{})) },
		"db.Checkpoint": func(c c) error {
			return only(db.Checkpoint(c, filepath.Join(dir, "copy")))
		},
		"db.SetRetention": func(c c) error {
			return only(db.SetRetention(c, inmem.RetentionTarget{}, inmem.Keep{Commits: 1 << 20}))
		},
		"db.ClearRetention": func(c c) error {
			return only(db.ClearRetention(c, inmem.RetentionTarget{}))
		},
		"db.ApplyRetention": func(c c) error { return only(db.ApplyRetention(c, nil)) },
		"db.PlanRetention":  func(c c) error { return only(db.PlanRetention(c)) },
		"db.Retention":      func(c c) error { return only(db.Retention(c)) },
		"db.Pins":           func(c c) error { return only(db.Pins(c)) },
		"db.DeleteTenant":   func(c c) error { return only(db.DeleteTenant(c, "nobody")) },
		"db.Flush":          func(c c) error { return db.Flush(c) },
		"db.ImportRun": func(c c) error {
			return only(db.ImportRun(c, bytes.NewReader(bundle), inmem.ImportOptions{ID: importedID}))
		},
		"db.Reclaim": func(c c) error { return only(db.Reclaim(c)) },
		"db.Repair":  func(c c) error { return only(db.Repair(c, inmem.RepairOptions{})) },
		"db.Shared":  func(c c) error { return only(db.Shared(c, inmem.Namespace{Tenant: "t"})) },
		"db.Sizes":   func(c c) error { return only(db.Sizes(c, inmem.SizesOptions{})) },
		"db.Verify":  func(c c) error { return only(db.Verify(c, inmem.VerifyOptions{})) },
		"db.VersionAt": func(c c) error {
			return only(db.VersionAt(c, time.Unix(1, 0)))
		},
		"db.Watch":       func(c c) error { return all(db.Watch(c, inmem.WatchOptions{})) },
		"run.Watch":      func(c c) error { return all(run.Watch(c, inmem.WatchOptions{})) },
		"runs.All":       func(c c) error { return all(db.Runs().All(c, inmem.RunQuery{})) },
		"runs.Query":     func(c c) error { return only(db.Runs().Query(c, inmem.RunQuery{})) },
		"runs.Count":     func(c c) error { return only(db.Runs().Count(c, inmem.RunQuery{})) },
		"runs.Stats":     func(c c) error { return only(db.Runs().Stats(c, inmem.RunQuery{})) },
		"runs.Exists":    func(c c) error { return only(db.Runs().Exists(c, importedID)) },
		"runs.Beginning": func(c c) error { return only(db.Runs().Beginning(c, "0", 3)) },
	}
}

const importedID = "00000000-0000-4000-8000-00000000abcd"

// bundleOf is what a run is exported as.
func bundleOf(t *testing.T, db *inmem.DB, run *inmem.Run) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, only(db.ExportRun(t.Context(), run.ID(), &b, inmem.ExportOptions{})))
	return b.Bytes()
}
