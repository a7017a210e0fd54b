package model

import (
	"context"
	"errors"
	"iter"
	"math"
	"slices"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

var mutants = append(commitMutants, readMutants...)

var commitMutants = []mutant{
	{"reads-are-not-validated", onRequest(func(_ *Backend, r *backend.Request) { r.Reads = nil }),
		[]string{"Conflict/E02-read-key-changed-aborts-R068", "Conflict/E05-absent-key-created-aborts",
			"Races/lost-update-counter", "Races/write-skew-is-refused",
			"Races/R073-sum-of-accounts-never-changes",
			"Random/histories-equal-the-dumb-twin", "Concurrent/few-keys"}},
	{"ranges-are-not-validated", onRequest(func(_ *Backend, r *backend.Request) { r.Ranges = nil }),
		[]string{"Serializable/E11-insert", "Serializable/recreate",
			"Serializable/E14-crossing-scans-one-commits",
			"Races/phantom-skew-is-refused-in-serializable",
			"Random/histories-equal-the-dumb-twin", "Concurrent/few-keys"}},
	{"range-end-is-inside", onRequest(func(_ *Backend, r *backend.Request) {
		ranges := append([]backend.RangeRead(nil), r.Ranges...)
		for i := range ranges {
			if ranges[i].Range.End != "" {
				ranges[i].Range.End += "\x00"
			}
		}
		r.Ranges = ranges
	}), []string{"Serializable/end-is-outside", "Serializable/reverse-end-is-outside",
		"Random/histories-equal-the-dumb-twin"}},
	{"conditions-are-not-checked", onRequest(func(_ *Backend, r *backend.Request) {
		r.Conditions = nil
	}), []string{"CAS/E21-zero-on-live-key-conflicts", "CAS/E30-one-failure-stops-everything",
		"Races/R065-one-of-four-racing-CAS-wins", "ScopeRaces/one-of-many-creators-wins",
		"Random/histories-equal-the-dumb-twin", "Concurrent/few-keys"}},
	{"tombstone-counts-as-version-0", onRequest(tombstonesAsZero),
		[]string{"Conflict/E07-absent-created-and-deleted-aborts",
			"CAS/E22-zero-on-tombstone-conflicts", "Random/histories-equal-the-dumb-twin"}},
	{"read-only-is-validated", onRequest(func(b *Backend, r *backend.Request) {
		if readOnly(r) && r.Pin != nil {
			s := &backend.Scope{Number: codec.SystemScope}
			r.Writes = []backend.Write{{Scope: s, Primitive: codec.Meta, Op: backend.Delete}}
		}
	}), []string{"Conflict/E03-read-only-always-commits-R070"}},
	{"sweep-counts-as-a-write", onOutcome(sweepAsWrite),
		[]string{"Expiry/E71-a-sweep-aborts-nothing", "Expiry/sweep-tombstone-carries-the-stamp",
			"CAS/E29-swept-key-keeps-its-version", "Random/histories-equal-the-dumb-twin"}},
	{"expire-does-not-look-again", onRequest(func(b *Backend, r *backend.Request) {
		r.Writes = append([]backend.Write(nil), r.Writes...)
		for i, w := range r.Writes {
			if w.Op == backend.Expire {
				r.Writes[i].Op = backend.Delete
			}
		}
	}), []string{"Expiry/R142-expire-leaves-a-rewritten-key",
		"Expiry/R142-expire-leaves-what-has-not-expired", "Expiry/E73-shows-as-expiry-in-history"}},
	{"time-follows-the-clock-back", func(b *Backend) backend.Backend { return fickle{b} },
		[]string{"Clock/now-never-lies-behind-the-newest-commit",
			"Clock/now-never-lies-behind-an-earlier-answer", "Clock/now-over-a-restart"}},
	{"delete-is-not-in-order", deleteOutOfOrder, []string{
		"Races/R043-one-of-many-racing-deletes-existed",
		"Writes/delete-is-judged-at-commit-not-at-snapshot"}},
	{"delete-of-absent-writes", onRequest(func(b *Backend, r *backend.Request) {
		r.Writes = append([]backend.Write(nil), r.Writes...)
		for i, w := range r.Writes {
			if w.Op == backend.Delete {
				r.Writes[i] = backend.Write{Scope: w.Scope, Primitive: w.Primitive, Key: w.Key,
					Op: backend.Put, Value: []byte{0xf6}}
			}
		}
	}), []string{"Writes/E42-delete-of-missing-key", "Writes/R043-E42-second-delete-is-a-no-op"}},
	{"versions-are-reused", onOutcome(versionsReused),
		[]string{"Versions/R090-every-writing-commit-is-greater",
			"Versions/R090-unique-from-many-goroutines", "Concurrent/few-keys",
			"Random/histories-equal-the-dumb-twin"}},
	{"aborts-take-a-version", onOutcome(func(b *Backend, _ *backend.Request, _ *backend.Outcome,
		err *error) {
		if *err != nil {
			locked(b, func() int { b.published++; return 0 })
		}
	}), []string{"Versions/E81-no-op-and-refused-commits-take-none",
		"ConflictError/refused-commit-writes-nothing"}},
	{"only-the-first-conflict-is-named", onOutcome(func(_ *Backend, _ *backend.Request,
		_ *backend.Outcome, err *error) {
		var conflict *backend.ConflictError
		if errors.As(*err, &conflict) {
			conflict.Keys = conflict.Keys[:1]
		}
	}), []string{"ConflictError/R067-names-every-key-in-order",
		"Serializable/R067-every-phantom-is-named", "Random/histories-equal-the-dumb-twin"}},
	{"aborted-append-burns-a-number", onOutcome(func(b *Backend, r *backend.Request,
		_ *backend.Outcome, err *error) {
		if *err != nil && len(r.Appends) > 0 {
			locked(b, func() int {
				log := b.logs[r.Appends[0].Scope.Number]
				log.length++
				b.logs[r.Appends[0].Scope.Number] = log
				return 0
			})
		}
	}), []string{"Appends/E50-R165-aborted-append-burns-nothing",
		"Appends/E50-R164-from-many-goroutines", "Random/histories-equal-the-dumb-twin"}},
	{"events-are-not-indexed-after-the-first", onOutcome(func(b *Backend, r *backend.Request,
		out *backend.Outcome, _ *error) {
		for i, a := range r.Appends {
			if i < len(out.Appends) && out.Appends[i].Sequence > 0 {
				key := codec.EventTypeKey(a.Type, out.Appends[i].Sequence)
				locked(b, func() int {
					delete(b.records[space{a.Scope.Number, codec.Events.Index()}], key)
					return 0
				})
			}
		}
	}), []string{"Appends/R161-every-event-is-found-by-its-type",
		"Appends/E50-R164-from-many-goroutines", "Random/histories-equal-the-dumb-twin"}},
	{"index-entries-take-a-number", onOutcome(func(b *Backend, r *backend.Request,
		out *backend.Outcome, _ *error) {
		for _, w := range r.Writes {
			if w.Primitive.IsIndex() && out.Version != 0 {
				locked(b, func() int { b.numbers[w.Scope.Number]++; return 0 })
			}
		}
	}), []string{"Indexes/a-commit-of-nothing-else-has-a-version-and-no-number",
		"Indexes/they-survive-a-reopen", "Random/histories-equal-the-dumb-twin"}},
	{"index-entries-of-ended-scopes-stay-wrong", onRequest(func(_ *Backend, r *backend.Request) {
		r.Writes = append([]backend.Write(nil), r.Writes...)
		for _, w := range r.Writes {
			if w.Primitive.IsIndex() {
				r.Writes = append(r.Writes, backend.Write{Scope: w.Scope, Primitive: codec.KV,
					Key: "never", Op: backend.Delete})
			}
		}
	}), []string{"Indexes/R197-may-be-mended-in-every-status"}},
	{"readers-of-a-deleted-scope-commit", onRequest(func(b *Backend, r *backend.Request) {
		r.Reads = slices.DeleteFunc(slices.Clone(r.Reads), func(x backend.Read) bool {
			return locked(b, func() bool { return b.dead[x.Scope.Number] })
		})
		r.Ranges = slices.DeleteFunc(slices.Clone(r.Ranges), func(x backend.RangeRead) bool {
			return locked(b, func() bool { return b.dead[x.Scope.Number] })
		})
	}), []string{"Deletion/who-read-from-it-cannot-commit",
		"Random/histories-equal-the-dumb-twin"}},
	{"old-versions-of-a-deleted-scope-are-shown", func(b *Backend) backend.Backend {
		return &hooks{Backend: b, get: func(s *backend.Scope, p codec.Primitive, user string,
			at uint64) (backend.Record, error) {
			r, err := b.Get(context.Background(), s, p, user, at)
			if errors.Is(err, backend.ErrScopeGone) && at < b.Published() {
				return backend.Record{}, nil
			}
			return r, err
		}}
	}, []string{"Deletion/R194-nothing-of-the-scope-is-left",
		"Scopes/E90-deleted-scope-is-gone-old-versions-too",
		"Random/histories-equal-the-dumb-twin"}},
	{"a-deletion-takes-the-next-scope-too", onOutcome(func(b *Backend, r *backend.Request,
		_ *backend.Outcome, _ *error) {
		locked(b, func() int {
			for s := range b.dead {
				delete(b.records, space{s + 1, codec.Cells})
			}
			return 0
		})
	}), []string{"Deletion/E92-neighbours-are-untouched"}},
	{"history-of-a-deleted-scope-is-told", onOutcome(func(b *Backend, r *backend.Request,
		_ *backend.Outcome, _ *error) {
		locked(b, func() int { clear(b.dead); return 0 })
	}), []string{"Deletion/R194-nothing-of-the-scope-is-left", "Deletion/several-in-one-commit",
		"Random/histories-equal-the-dumb-twin"}},
	{"status-is-not-checked", onRequest(func(b *Backend, r *backend.Request) {
		for _, w := range r.Writes {
			r.CreateScopes = append(r.CreateScopes, w.Scope)
		}
	}), []string{"Scopes/every-status-but-active-refuses", "Scopes/sealed-by-its-own-last-commit",
		"ScopeRaces/nothing-is-written-after-the-end",
		"ScopeRaces/E90-nothing-is-written-after-deletion"}},
	{"status-is-remembered-by-the-handle", statusRemembered,
		[]string{"Scopes/every-status-but-active-refuses", "Scopes/resumed-scope-takes-writes",
			"Scopes/E90-deleted-scope-is-gone-old-versions-too"}},
	{"cancelled-commits-go-through", func(b *Backend) backend.Backend {
		return &hooks{Backend: b, commit: func(
			_ context.Context, r *backend.Request,
		) (backend.Outcome, error) {
			return b.Commit(context.Background(), r)
		}}
	}, []string{"Lifecycle/cancelled-context-commits-nothing"}},
	{"time-goes-back", onOutcome(func(b *Backend, _ *backend.Request, _ *backend.Outcome, _ *error) {
		locked(b, func() int { b.time = math.MinInt64; return 0 })
	}), []string{"Versions/commit-time-never-goes-back",
		"Expiry/E76-a-clock-that-jumps-back-revives-nothing", "Random/histories-equal-the-dumb-twin"}},
	{"commit-numbers-skip", onOutcome(func(b *Backend, r *backend.Request, _ *backend.Outcome,
		err *error) {
		if *err != nil && len(r.Writes) > 0 {
			locked(b, func() int { b.numbers[r.Writes[0].Scope.Number]++; return 0 })
		}
	}), []string{"Versions/commit-numbers-are-dense-per-scope", "Concurrent/few-keys"}},
	{"scope-numbers-restart", func(b *Backend) backend.Backend {
		b.scopes = 0 // wrap is called by every open
		return b
	}, []string{"Reopen/scope-status-and-numbers-survive"}},
	{"slices-are-kept", slicesKept, []string{"Writes/request-slices-belong-to-the-caller"}},
	{"sweeper-does-not-look-again", sweepBlindly, []string{"Sweep/R141-removes-what-has-expired",
		"Sweep/E73-leaves-ended-scopes-alone", "Sweep/R142-races-with-rewrites"}},
	{"pins-leak", func(b *Backend) backend.Backend {
		return &hooks{Backend: b, begin: func() (backend.Pin, error) {
			locked(b, func() int { b.stats.OpenPins++; return 0 })
			return b.Begin()
		}}
	}, []string{"Lifecycle/pins-hold-their-version", "Concurrent/few-keys"}},
}

var readMutants = []mutant{
	{"published-before-applied", publishedEarly, []string{
		"Versions/E19-published-rises-and-is-complete", "Concurrent/few-keys"}},
	{"commits-show-in-parts", torn, []string{"Versions/E19-published-rises-and-is-complete",
		"Races/R073-sum-of-accounts-never-changes"}},
	{"reads-see-the-newest", onGet(func(b *Backend, k key, _ uint64, _ backend.Record,
	) backend.Record {
		return locked(b, func() backend.Record { return b.latest(k) })
	}), []string{"Reads/snapshot-does-not-move", "Reads/every-version-of-a-key",
		"Random/histories-equal-the-dumb-twin", "Concurrent/few-keys"}},
	{"tombstones-are-forgotten", onGet(func(_ *Backend, _ key, _ uint64, r backend.Record,
	) backend.Record {
		if r.Deleted {
			return backend.Record{}
		}
		return r
	}), []string{"Reads/R092-tombstone-has-its-own-version",
		"Conflict/E06-tombstone-recreated-aborts", "Random/histories-equal-the-dumb-twin"}},
	{"expired-values-are-hidden", onGet(func(b *Backend, _ key, _ uint64, r backend.Record,
	) backend.Record {
		if r.Expiry != 0 && r.Expiry <= b.now().UnixNano() {
			return backend.Record{}
		}
		return r
	}), []string{"Expiry/E70-a-reader-judges-by-its-own-clock",
		"Random/histories-equal-the-dumb-twin"}},
	{"the-last-version-wins-over-older-snapshots", onScan(func(_ *backend.Range, at *uint64,
		b *Backend) {
		*at = b.Published()
	}), []string{"Reads/snapshot-does-not-move", "Conflict/E11-phantom-allowed-in-snapshot",
		"Random/histories-equal-the-dumb-twin", "Concurrent/few-keys"}},
	{"scan-includes-its-end", onScan(func(r *backend.Range, _ *uint64, _ *Backend) {
		if r.End != "" {
			r.End += "\x00"
		}
	}), []string{"Reads/scan-bounds-and-order", "Random/histories-equal-the-dumb-twin"}},
	{"scan-forgets-reverse", onScan(func(r *backend.Range, _ *uint64, _ *Backend) {
		r.Reverse = false
	}), []string{"Reads/scan-bounds-and-order", "Random/histories-equal-the-dumb-twin"}},
	{"scan-forgets-the-empty-key", onScan(func(r *backend.Range, _ *uint64, _ *Backend) {
		if r.Start == "" {
			r.Start = "\x00"
		}
	}), []string{"Keys/odd-keys-do-not-touch-each-other", "Random/histories-equal-the-dumb-twin"}},
	{"commits-are-counted-up-to-the-newest", func(b *Backend) backend.Backend {
		return &hooks{Backend: b, extent: func(
			s *backend.Scope, _ uint64,
		) (backend.ScopeCommits, error) {
			return b.Commits(context.Background(), s, math.MaxUint64)
		}}
	}, []string{"Commits/R191-first-last-and-count-at-every-version",
		"Random/histories-equal-the-dumb-twin"}},
	{"tail-leaves-out-a-commit", func(b *Backend) backend.Backend {
		return &hooks{Backend: b, tail: func(from uint64) iter.Seq2[backend.Commit, error] {
			return func(yield func(backend.Commit, error) bool) {
				for c, err := range b.Tail(context.Background(), from) {
					if c.Version%5 != 0 && !yield(c, err) {
						return
					}
				}
			}
		}}
	}, []string{"Tail/names-the-commit-before", "Concurrent/few-keys",
		"Random/histories-equal-the-dumb-twin"}},
}
