package backendtest

import (
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/inmem-db/inmem/internal/backend"
	"github.com/inmem-db/inmem/pkg/codec"
)

// rangeCase: T1 scans, another transaction changes the key, T1 writes elsewhere.
type rangeCase struct {
	name     string
	scanned  backend.Range
	key      string
	before   func(w *world, s *backend.Scope, key string) // what the key went through earlier
	change   func(w *world, s *backend.Scope, key string)
	conflict bool
}

func never(*world, *backend.Scope, string) {}

func live(w *world, s *backend.Scope, key string) { w.put(s, key, "before") }

func deleted(w *world, s *backend.Scope, key string) {
	w.put(s, key, "before")
	w.del(s, key)
}

func inserted(w *world, s *backend.Scope, key string) { w.put(s, key, "T2") }

func removed(w *world, s *backend.Scope, key string) { w.del(s, key) }

func insertedAndRemoved(w *world, s *backend.Scope, key string) {
	w.put(s, key, "T2")
	w.del(s, key)
}

func removedAndInserted(w *world, s *backend.Scope, key string) {
	w.del(s, key)
	w.put(s, key, "T2")
}

var rangeCases = []rangeCase{
	{"E11-insert", backend.Range{Start: "b", End: "d"}, "c", never, inserted, true},
	{"E12-update", backend.Range{Start: "b", End: "d"}, "c", live, inserted, true},
	{"E12-delete", backend.Range{Start: "b", End: "d"}, "c", live, removed, true},
	{"recreate", backend.Range{Start: "b", End: "d"}, "c", deleted, inserted, true},
	{"E07-insert-and-delete", backend.Range{Start: "b", End: "d"}, "c", never,
		insertedAndRemoved, true},
	{"E07-delete-and-insert", backend.Range{Start: "b", End: "d"}, "c", live,
		removedAndInserted, true},
	{"E07-recreate-and-delete", backend.Range{Start: "b", End: "d"}, "c", deleted,
		insertedAndRemoved, true},
	{"delete-of-absent-is-no-write", backend.Range{Start: "b", End: "d"}, "c", never, removed,
		false},
	{"delete-of-deleted-is-no-write", backend.Range{Start: "b", End: "d"}, "c", deleted, removed,
		false},
	{"start-is-inside", backend.Range{Start: "b", End: "d"}, "b", never, inserted, true},
	{"end-is-outside", backend.Range{Start: "b", End: "d"}, "d", never, inserted, false},
	{"just-below-end", backend.Range{Start: "b", End: "d"}, "c\xff\xff", never, inserted, true},
	{"just-above-start", backend.Range{Start: "b", End: "d"}, "b\x00", never, inserted, true},
	{"just-below-start", backend.Range{Start: "b", End: "d"}, "a\xff", never, inserted, false},
	{"just-above-end", backend.Range{Start: "b", End: "d"}, "d\x00", never, inserted, false},
	{"one-key-range", backend.Range{Start: "b", End: "b\x00"}, "b", never, inserted, true},
	{"one-key-range-outside", backend.Range{Start: "b", End: "b\x00"}, "b\x00", never, inserted,
		false},
	{"empty-range", backend.Range{Start: "b", End: "b"}, "b", never, inserted, false},
	{"unbounded-end", backend.Range{Start: "b"}, "\xff\xff\xff", never, inserted, true},
	{"unbounded-end-below", backend.Range{Start: "b"}, "a", never, inserted, false},
	{"everything-empty-key", backend.Range{}, "", never, inserted, true},
	{"everything-nul-key", backend.Range{}, "\x00", never, inserted, true},
	{"empty-key-outside", backend.Range{Start: "\x00"}, "", never, inserted, false},
	{"prefix-of-ff", backend.PrefixRange("\xff"), "\xff\xff", never, inserted, true},
	{"reverse", backend.Range{Start: "b", End: "d", Reverse: true}, "c", never, inserted, true},
	{"reverse-end-is-outside", backend.Range{Start: "b", End: "d", Reverse: true}, "d", never,
		inserted, false},
}

func (c rangeCase) run(w *world) {
	s := w.scope()
	w.put(s, "bb", "always there")
	c.before(w, s, c.key)
	x := w.beginSerializable()
	x.scan(s, c.scanned)
	old := w.getAt(s, c.key, x.pin.Version()).Stamp
	c.change(w, s, c.key)
	x.put(s, "zz-elsewhere", "T1")
	if c.conflict {
		x.wantConflict(readAt(s, c.key, old, w.get(s, c.key).Stamp))
		return
	}
	x.mustCommit()
}

// rangeChecks are semantics 2.2: no phantom survives Serializable.
var rangeChecks = append(rangeTable(), []Check{
	{"E14-crossing-scans-one-commits", func(w *world) {
		s := w.scope()
		x, y := w.beginSerializable(), w.beginSerializable()
		x.scan(s, backend.PrefixRange("a/"))
		y.scan(s, backend.PrefixRange("b/"))
		now := x.put(s, "b/1", "T1").mustCommit().Version
		y.put(s, "a/1", "T2").wantConflict(readAt(s, "b/1", 0, now))
	}},
	{"own-write-into-range-commits", func(w *world) {
		s := w.scope()
		w.put(s, "p/1", "0")
		x := w.beginSerializable()
		x.scan(s, backend.PrefixRange("p/"))
		x.put(s, "p/2", "T1").del(s, "p/1").mustCommit()
	}},
	{"R067-every-phantom-is-named", func(w *world) {
		s := w.scope()
		one := w.put(s, "p/1", "0")
		two := w.put(s, "p/2", "0")
		w.put(s, "p/5", "0")
		x := w.beginSerializable()
		x.scan(s, backend.PrefixRange("p/"))
		now := w.commit(put(s, "p/1", "T2"), del(s, "p/2"), put(s, "p/3", "T2"),
			put(s, "p/4", "T2"), put(s, "q", "outside")).Version
		x.put(s, "j", "T1").wantConflict(readAt(s, "p/1", one, now),
			readAt(s, "p/2", two, now), readAt(s, "p/3", 0, now), readAt(s, "p/4", 0, now))
	}},
	{"several-ranges-overlapping", func(w *world) {
		s, other := w.scope(), w.scope()
		x := w.beginSerializable()
		x.scan(s, backend.Range{Start: "a", End: "c"})
		x.scan(s, backend.Range{Start: "b", End: "d"})
		x.scan(other, backend.Range{})
		now := w.commit(put(s, "b", "T2"), put(s, "d", "T2"), put(other, "k", "T2")).Version
		x.put(s, "j", "T1").wantConflict(readAt(s, "b", 0, now), readAt(other, "k", 0, now))
	}},
	{"another-primitive-or-scope-is-no-phantom", func(w *world) {
		s, other := w.scope(), w.scope()
		x := w.beginSerializable()
		x.scan(s, backend.Range{})
		cell := put(s, "k", "T2")
		cell.Primitive = codec.Cells
		w.commit(cell, put(other, "k", "T2"))
		x.put(s, "j", "T1").mustCommit()
	}},
	{"appends-are-writes-of-a-range-of-events", func(w *world) {
		s := w.scope()
		x := w.begin()
		x.req.Ranges = []backend.RangeRead{{Scope: s, Primitive: codec.Events}}
		out := w.begin().append(s, "step", "T2").mustCommit()
		x.put(s, "j", "T1").wantConflict(backend.Conflict{Scope: s.Number,
			Primitive: codec.Events, Key: codec.EventUserKey(0), Found: out.Version})
	}},
	{"writes-before-the-snapshot-do-not-count", func(w *world) {
		s := w.scope()
		w.put(s, "p/1", "0")
		w.del(s, "p/1")
		w.put(s, "p/2", "0")
		x := w.beginSerializable()
		require.Len(w, x.scan(s, backend.PrefixRange("p/")), 1)
		w.put(s, "q", "T2")
		x.put(s, "j", "T1").mustCommit()
	}},
	{"a-range-over-many-commits", func(w *world) {
		s := w.scope()
		x := w.beginSerializable()
		x.scan(s, backend.PrefixRange("p/"))
		for i := range 500 {
			w.put(s, fmt.Sprintf("q/%d", i), "T2")
		}
		now := w.put(s, "p/1", "T2")
		for i := range 500 {
			w.put(s, fmt.Sprintf("o/%d", i), "T2")
		}
		x.put(s, "j", "T1").wantConflict(readAt(s, "p/1", 0, now))
	}},
}...)

func rangeTable() []Check {
	var checks []Check
	for _, c := range rangeCases {
		checks = append(checks, Check{c.name, c.run})
	}
	return checks
}
