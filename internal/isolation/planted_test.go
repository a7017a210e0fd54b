package isolation

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Short forms to write histories down with.

func app(name string, v int64) Op { return Op{Kind: Append, Key: Key{Name: name}, Value: v} }
func list(name string, l ...int64) Op {
	return Op{Kind: ReadList, Key: Key{Name: name}, List: l}
}
func put(name string, v int64) Op { return Op{Kind: Write, Key: Key{Name: name}, Value: v} }
func del(name string) Op          { return Op{Kind: Remove, Key: Key{Name: name}} }
func get(name string, v int64) Op { return Op{Kind: Read, Key: Key{Name: name}, Value: v} }
func got(name string, v int64, version uint64) Op {
	return Op{Kind: Read, Key: Key{Name: name}, Value: v, Version: version, Told: true}
}
func scan(from, end string, found ...Found) Op {
	return Op{Kind: Scan, Key: Key{Name: from}, End: end, Found: found}
}
func in(scope string, op Op) Op {
	op.Key.Scope = scope
	return op
}

// tx is a committed transaction.
func tx(ops ...Op) Txn { return Txn{Ops: ops} }

// at gives it a commit version.
func at(version uint64, ops ...Op) Txn { return Txn{Version: version, Ops: ops} }

// snap gives it a snapshot and a commit version.
func snap(snapshot, version uint64, ops ...Op) Txn {
	return Txn{Snapshot: snapshot, Pinned: true, Version: version, Ops: ops}
}

func timed(began, ended int64, t Txn) Txn {
	t.Began, t.Ended = began, ended
	return t
}

func serializable(t Txn) Txn {
	t.Level = Serializable
	return t
}

func ended(o Outcome, t Txn) Txn {
	t.Outcome = o
	return t
}

// planted are histories with what is to be found in them; nothing: they are allowed.
var planted = []struct {
	name    string
	history History
	want    []Class
}{
	{"nothing", History{}, nil},
	{"one after the other", History{Txns: []Txn{
		tx(list("x"), app("x", 1)), tx(list("x", 1), app("x", 2)), tx(list("x", 1, 2)),
	}}, nil},
	{"G0: two lists, two orders", History{Txns: []Txn{
		tx(app("x", 1), app("y", 1)), tx(app("x", 2), app("y", 2)),
		tx(list("x", 1, 2)), tx(list("y", 2, 1)),
	}}, []Class{G0}},
	{"G0: appends of one transaction are torn", History{Txns: []Txn{
		tx(app("x", 1), app("x", 3)), tx(app("x", 2)), tx(list("x", 1, 2, 3)),
	}}, []Class{G0}},
	{"G1a: list", History{Txns: []Txn{
		ended(Aborted, tx(app("x", 1))), tx(list("x", 1)),
	}}, []Class{G1a}},
	{"G1a: list, in the middle", History{Txns: []Txn{
		ended(Aborted, tx(app("x", 1))), tx(app("x", 2)), tx(list("x", 1, 2)),
	}}, []Class{G1a}},
	{"G1a: register", History{Txns: []Txn{
		ended(Aborted, tx(put("x", 1))), tx(get("x", 1)),
	}}, []Class{G1a}},
	{"G1a: aborted readers must not either", History{Txns: []Txn{
		ended(Aborted, tx(put("x", 1))), ended(Aborted, tx(get("x", 1))),
	}}, []Class{G1a}},
	{"unknown and seen is committed", History{Txns: []Txn{
		ended(Unknown, tx(app("x", 1))), tx(list("x", 1)),
		ended(Unknown, tx(put("r", 1))), at(9, got("r", 1, 7), put("r", 2)),
	}}, nil},
	{"unknown and not seen is nothing", History{Txns: []Txn{
		ended(Unknown, timed(1, 2, tx(app("x", 1)))), timed(3, 4, tx(list("x"))),
	}}, nil},
	{"G1b: list", History{Txns: []Txn{
		tx(app("x", 1), app("x", 2)), tx(list("x", 1)), tx(list("x", 1, 2)),
	}}, []Class{G1b}},
	{"G1b: register", History{Txns: []Txn{
		at(1, put("x", 1), put("x", 2)), tx(get("x", 1)),
	}}, []Class{G1b}},
	{"G1b: register, removed in the end", History{Txns: []Txn{
		at(1, put("x", 1), del("x")), tx(get("x", 1)),
	}}, []Class{G1b}},
	{"G1c", History{Txns: []Txn{
		tx(app("x", 1), list("y", 1)), tx(app("y", 1), list("x", 1)),
	}}, []Class{G1c}},
	{"G1c with ww", History{Txns: []Txn{
		tx(app("x", 1), list("y", 1)), tx(app("x", 2), app("y", 1)), tx(list("x", 1, 2)),
	}}, []Class{G1c}},
	{"lost update: list", History{Txns: []Txn{
		tx(list("x"), app("x", 1)), tx(list("x"), app("x", 2)), tx(list("x", 1)),
	}}, []Class{LostUpdate}},
	{"lost update: register", History{Txns: []Txn{
		at(1, put("x", 1)), at(2, get("x", 1), put("x", 2)), at(3, get("x", 1), put("x", 3)),
	}}, []Class{LostUpdate}},
	{"lost update: nobody reads afterwards", History{Txns: []Txn{
		tx(list("x"), app("x", 1)), tx(list("x"), app("x", 2)),
	}}, []Class{LostUpdate}},
	{"an update that is gone, by time", History{Txns: []Txn{
		timed(1, 2, tx(app("x", 1))), timed(3, 4, tx(list("x"))),
	}}, []Class{GSingle}},
	{"G-single: lists", History{Txns: []Txn{
		tx(app("x", 1), app("y", 1)), tx(list("x"), list("y", 1)),
	}}, []Class{GSingle}},
	{"G-single: aborted readers too", History{Txns: []Txn{
		tx(app("x", 1), app("y", 1)), ended(Aborted, tx(list("x"), list("y", 1))),
	}}, []Class{GSingle}},
	{"G-single: read twice", History{Txns: []Txn{tx(app("x", 1)), tx(list("x"), list("x", 1))}},
		[]Class{GSingle}},
	{"G-single: registers", History{Txns: []Txn{
		at(1, put("x", 1), put("y", 1)), at(2, put("x", 2), put("y", 2)), tx(get("x", 1), get("y", 2)),
	}}, []Class{GSingle}},
	{"G-single: a scan without what was read", History{Txns: []Txn{
		at(1, put("x", 1), put("y", 1)), tx(scan("a", "y"), get("y", 1)),
	}}, []Class{GSingle}},
	{"G-single: a deletion that a scan does not see", History{Txns: []Txn{
		at(1, put("x", 1)), at(2, del("x"), put("y", 1)),
		snap(2, 0, scan("", "", Found{"x", 1}, Found{"y", 1})),
	}}, []Class{GSingle}},
	{"G2-item", History{Txns: []Txn{
		at(1, put("x", 1), put("y", 2)),
		at(2, get("x", 1), get("y", 2), put("x", 3)), at(3, get("x", 1), get("y", 2), put("y", 4)),
	}}, []Class{G2Item}},
	{"G2-item: of absent keys", History{Txns: []Txn{
		at(2, get("x", 0), get("y", 0), put("x", 3)), at(3, get("x", 0), get("y", 0), put("y", 4)),
	}}, []Class{G2Item}},
	{"G2-item: keys that scans returned, in Snapshot", History{Txns: []Txn{
		at(1, put("x", 1), put("y", 2)),
		at(2, scan("", "", Found{"x", 1}, Found{"y", 2}), put("x", 3)),
		at(3, scan("", "", Found{"x", 1}, Found{"y", 2}), put("y", 4)),
	}}, []Class{G2Item}},
	{"phantoms, Snapshot: allowed", History{Txns: []Txn{
		at(1, scan("", ""), put("x", 1)), at(2, scan("", ""), put("y", 2)),
	}}, nil},
	{"phantom that is overwritten, Snapshot: allowed", History{Txns: []Txn{
		at(1, put("x", 1)), at(2, scan("", ""), put("x", 2)),
	}}, nil},
	{"phantoms, Serializable", History{Txns: []Txn{
		serializable(at(1, scan("", ""), put("x", 1))), serializable(at(2, scan("", ""), put("y", 2))),
	}}, []Class{G2}},
	{"phantoms, one of both Serializable, which is the first: allowed", History{Txns: []Txn{
		serializable(at(1, scan("", ""), put("x", 1))), at(2, scan("", ""), put("y", 2)),
	}}, nil},
	{"phantoms, beside the range", History{Txns: []Txn{
		serializable(at(1, scan("a", "m"), put("x", 1))),
		serializable(at(2, scan("m", "x"), put("a", 2))),
	}}, nil},
	{"phantom that is a key again", History{Txns: []Txn{
		at(1, put("x", 1)), at(2, del("x")),
		serializable(snap(2, 5, scan("", ""), put("y", 1))),
		serializable(snap(2, 4, got("y", 0, 0), put("x", 3))),
	}}, []Class{G2}},
	{"read-only beside phantoms of Snapshot: allowed", History{Txns: []Txn{
		snap(0, 2, scan("", ""), put("x", 1)), snap(0, 3, scan("", ""), put("y", 2)),
		serializable(snap(2, 0, scan("", "", Found{"x", 1}))),
	}}, nil},
	{"own writes are gone", History{Txns: []Txn{tx(app("x", 1), list("x"))}}, []Class{Internal}},
	{"own value is old", History{Txns: []Txn{at(1, put("x", 1), get("x", 0))}}, []Class{Internal}},
	{"own write is not in the scan", History{Txns: []Txn{at(1, put("x", 1), scan("", ""))}},
		[]Class{Internal}},
	{"own delete is in the scan", History{Txns: []Txn{
		at(1, put("x", 1)), at(2, del("x"), scan("", "", Found{"x", 1})),
	}}, []Class{Internal}},
	{"own writes are seen", History{Txns: []Txn{
		at(1, put("x", 1), app("l", 7), scan("", "", Found{"x", 1}), list("l", 7), del("x"), get("x", 0)),
	}}, nil},
	{"two orders of one list", History{Txns: []Txn{
		tx(app("x", 1)), tx(app("x", 2)), tx(list("x", 1, 2)), tx(list("x", 2)),
	}}, []Class{Incompatible}},
	{"twice", History{Txns: []Txn{tx(app("x", 1)), tx(list("x", 1, 1))}}, []Class{Duplicate}},
	{"garbage", History{Txns: []Txn{tx(list("x", 5)), tx(get("y", 5))}}, []Class{Garbage, Garbage}},
	{"outside of the scan", History{Txns: []Txn{
		at(1, put("x", 1)), tx(scan("a", "c", Found{"x", 1})),
	}}, []Class{Garbage}},
	{"one version for two", History{Txns: []Txn{at(1, put("x", 1)), at(1, put("x", 2))}},
		[]Class{BadVersion}},
	{"another version than the writer's", History{Txns: []Txn{at(1, put("x", 1)), tx(got("x", 1, 2))}},
		[]Class{BadVersion}},
	{"a tombstone without a delete", History{Txns: []Txn{at(1, put("x", 1)), tx(got("x", 0, 1))}},
		[]Class{BadVersion}},
	{"a tombstone that is forgotten", History{Txns: []Txn{
		at(1, put("x", 1)), at(2, del("x")), snap(2, 0, got("x", 0, 0)),
	}}, []Class{GSingle}},
	{"deletes of nothing", History{Txns: []Txn{
		at(1, del("x"), put("y", 1)), at(2, got("x", 0, 0), put("x", 1)), at(3, del("x")),
		at(4, del("x"), put("y", 2)), at(5, got("x", 0, 3), put("x", 2)), tx(del("z"), get("x", 2)),
	}}, nil},
	{"stale by time", History{Txns: []Txn{
		timed(1, 2, at(1, put("x", 1))), timed(3, 4, tx(get("x", 0))),
	}}, []Class{GSingle}},
	{"at the same time: allowed", History{Txns: []Txn{
		timed(1, 3, at(1, put("x", 1))), timed(2, 4, tx(get("x", 0))),
	}}, nil},
	{"back in time for one client", History{Txns: []Txn{
		at(1, put("x", 1)), timed(1, 2, tx(get("x", 1))), timed(3, 4, tx(get("x", 0))),
	}}, []Class{GSingle}},
	{"versions against time", History{Txns: []Txn{
		timed(1, 2, at(2, put("x", 1))), timed(3, 4, at(1, put("y", 1))),
	}}, []Class{Order}},
	{"a snapshot that is older than what had ended", History{Txns: []Txn{
		timed(1, 2, at(2, put("x", 1))), timed(3, 4, snap(1, 0)),
	}}, []Class{Order}},
	{"a snapshot that has not all", History{Txns: []Txn{
		at(1, put("x", 1)), snap(1, 0, got("x", 0, 0)),
	}}, []Class{GSingle}},
	{"a snapshot that has more", History{Txns: []Txn{
		at(2, app("x", 1)), snap(1, 0, list("x", 1)),
	}}, []Class{G1c}},
	{"lists against versions", History{Txns: []Txn{
		at(2, app("x", 1)), at(1, app("x", 2)), tx(list("x", 1, 2)),
	}}, []Class{G0}},
	{"forks: what was before is there, what came after is not", History{
		Forks: []Fork{{"p", "c", 2}, {"c", "d", 4}},
		Txns: []Txn{
			at(1, in("p", app("x", 1)), in("p", put("r", 1))),
			at(2, in("p", app("x", 2)), in("p", del("r"))),
			at(3, in("p", app("x", 3)), in("p", put("r", 3))),
			at(4, in("c", list("x", 1, 2)), in("c", app("x", 4)), in("c", got("r", 0, 2))),
			at(5, in("c", app("x", 5)), in("c", put("r", 5))),
			at(6, in("d", list("x", 1, 2, 4)), in("d", app("x", 6)), in("d", scan("", ""))),
			tx(in("p", list("x", 1, 2, 3)), in("c", list("x", 1, 2, 4, 5)), in("d", list("x", 1, 2, 4, 6))),
			tx(in("p", scan("", "", Found{"r", 3})), in("c", scan("", "", Found{"r", 5}))),
		}}, nil},
	{"forks: a list that leaks", History{Forks: []Fork{{"p", "c", 1}}, Txns: []Txn{
		at(1, in("p", app("x", 1))), at(2, in("p", app("x", 2))), tx(in("c", list("x", 1, 2))),
	}}, []Class{ForkLeak}},
	{"forks: a register that leaks", History{Forks: []Fork{{"p", "c", 1}}, Txns: []Txn{
		at(1, in("p", put("x", 1))), at(2, in("p", put("x", 2))), tx(in("c", get("x", 2))),
	}}, []Class{ForkLeak}},
	{"forks: up into the parent", History{Forks: []Fork{{"p", "c", 1}}, Txns: []Txn{
		at(1, in("p", put("x", 1))), at(2, in("c", put("x", 2))), tx(in("p", get("x", 2))),
	}}, []Class{ForkLeak}},
	{"forks: something inherited is missing", History{Forks: []Fork{{"p", "c", 2}}, Txns: []Txn{
		at(1, in("p", app("x", 1))), at(2, in("p", app("x", 2))), snap(2, 0, in("c", list("x", 1))),
	}}, []Class{GSingle}},
	{"forks: a deletion is forgotten", History{Forks: []Fork{{"p", "c", 2}}, Txns: []Txn{
		at(1, in("p", put("x", 1))), at(2, in("p", del("x"))), snap(2, 0, in("c", get("x", 1))),
	}}, []Class{GSingle}},
	{"forks: lost update on what is inherited", History{Forks: []Fork{{"p", "c", 1}}, Txns: []Txn{
		at(1, in("p", put("x", 1))),
		at(2, in("c", get("x", 1)), in("c", put("x", 2))),
		at(3, in("c", get("x", 1)), in("c", put("x", 3))),
	}}, []Class{LostUpdate}},
}

// R060, R073: every anomaly that was planted is found under its name, and nothing else.
func TestPlantedAnomalies(t *testing.T) {
	for _, p := range planted {
		t.Run(p.name, func(t *testing.T) {
			report := Check(&p.history)
			var classes []Class
			for _, a := range report.Anomalies {
				classes = append(classes, a.Class)
				require.NotEmpty(t, a.Txns)
				require.NotEmpty(t, a.Text)
			}
			require.Equal(t, p.want, classes, "%s", report)
		})
	}
}

// The order in which clients handed in what they saw does not matter.
func TestPlantedAnomaliesBackwards(t *testing.T) {
	for _, p := range planted {
		h := History{Txns: slices.Clone(p.history.Txns), Forks: p.history.Forks}
		slices.Reverse(h.Txns)
		report := Check(&h)
		require.Equal(t, len(p.want) > 0, len(report.Anomalies) > 0, "%s: %s", p.name, report)
	}
}
